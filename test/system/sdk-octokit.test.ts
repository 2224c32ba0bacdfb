/**
 * The unmodified `@octokit/rest` in a sandbox: calls, pages, a stream, a download that is redirected to
 * another host, and what it makes of our refusals.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openHome, runClient } from '../sdk/client-program.ts';
import type { ClientHome } from '../sdk/client-program.ts';
import { holdStream } from '../sdk/held-stream.ts';
import { expectOneRefusal, expectUses } from '../sdk/use-record.ts';
import { mintCanary } from '../support/canary.ts';
import { valuesOf } from '../support/origin.ts';
import type { OriginHandler } from '../support/origin.ts';
import { redirect, reply } from '../support/origin-replies.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.github.com';
const DOWNLOADS = 'codeload.github.com';
const REPOSITORY = '/repos/octo/project';
const key = mintCanary('ghp_');
const json = ['Content-Type', 'application/json; charset=utf-8'];

const answerPage: OriginHandler = async (request, response, body) => {
  const page = Number(new URL(request.url ?? '', `https://${HOST}`).searchParams.get('page') ?? 1);
  const next = `<https://${HOST}/repositories/1/issues?page=2>; rel="next"`;
  const fields = page === 1 ? [...json, 'Link', next] : json;
  await reply(200, JSON.stringify([{ number: page }]), fields)(request, response, body);
};
const held = holdStream({ contentType: 'text/plain', first: 'one\n', rest: 'two\n' });

let scene: Scene;

beforeAll(async () => {
  scene = await startScene({
    names: [HOST, DOWNLOADS],
    handlers: {
      [REPOSITORY]: reply(200, '{"full_name":"octo/project"}', [
        ...json,
        'X-RateLimit-Remaining',
        '4999',
      ]),
      [`${REPOSITORY}/issues`]: async (request, response, body) => {
        if (request.method !== 'POST') return answerPage(request, response, body);
        return reply(201, '{"number":7}', json)(request, response, body);
      },
      '/repositories/1/issues': answerPage,
      [`${REPOSITORY}/feed`]: held.stream,
      '/rate_limit': held.release,
      [`${REPOSITORY}/tarball/v1`]: redirect(`https://${DOWNLOADS}/octo/project/tar.gz`),
      '/octo/project/tar.gz': reply(200, 'the archive', ['Content-Type', 'application/x-gzip']),
    },
  });
  await scene.product.createSecret('github', key, { provider: 'github' });
});
afterAll(() => scene[Symbol.asyncDispose]());

async function openAgent(): Promise<ClientHome> {
  scene.origin.clear();
  const sandbox = await scene.product.createSandbox({ secrets: { GITHUB_TOKEN: 'github' } });
  return openHome(scene.product, sandbox, { alsoTrust: scene.authority.caPem });
}

async function expectInjected({ sandbox }: ClientHome, requests: readonly string[]): Promise<void> {
  const { origin, product } = scene;
  const placeholder = sandbox.placeholders['GITHUB_TOKEN'] ?? '';
  expect(placeholder).toMatch(/^ghp_[A-Za-z0-9]{36}$/);
  const toApi = origin.requests.filter(({ serverName }) => serverName === HOST);
  expect(toApi.map(({ method, url }) => `${method} ${url}`)).toEqual(requests);
  for (const { rawHeaders } of toApi) {
    // The SDK writes `token KEY`, as GitHub's older tools do.
    expect(valuesOf(rawHeaders, 'authorization')).toEqual([`Bearer ${key}`]);
    expect(rawHeaders.join('\n')).not.toContain(placeholder);
  }
  await product.assertNoLeak(key);
}

describe('@octokit/rest in a sandbox', () => {
  test('an ordinary call', async () => {
    const home = await openAgent();
    const answer = { name: 'octo/project', rate: '4999' };
    expect(await runClient(home, 'octokit', 'ordinary')).toEqual(answer);
    await expectInjected(home, [`GET ${REPOSITORY}`]);
    await expectUses(scene.product, 'github', home.sandbox, [`GET ${REPOSITORY} 200`]);
  });

  test('a body arrives as it was sent', async () => {
    const home = await openAgent();
    expect(await runClient(home, 'octokit', 'create')).toEqual({ status: 201, number: 7 });
    await expectInjected(home, [`POST ${REPOSITORY}/issues`]);
    expect(JSON.parse(scene.origin.last.body.toString())).toEqual({
      title: 'from a sandbox',
      body: 'ä'.repeat(2_000),
    });
  });

  test('every page of a list is called with the key', async () => {
    const home = await openAgent();
    expect(await runClient(home, 'octokit', 'pages')).toEqual({ numbers: [1, 2] });
    await expectInjected(home, [`GET ${REPOSITORY}/issues`, 'GET /repositories/1/issues?page=2']);
    const uses = [`GET ${REPOSITORY}/issues 200`, 'GET /repositories/1/issues 200'];
    await expectUses(scene.product, 'github', home.sandbox, uses);
  });

  test('a stream arrives piece by piece', async () => {
    const home = await openAgent();
    expect(await runClient(home, 'octokit', 'stream')).toEqual({ text: 'one\ntwo\n' });
    await expectInjected(home, [`GET ${REPOSITORY}/feed`, 'GET /rate_limit']);
  });

  test('I2: the host a download is redirected to gets neither key nor placeholder', async () => {
    const home = await openAgent();
    expect(await runClient(home, 'octokit', 'archive')).toEqual({ text: 'the archive' });
    await expectInjected(home, [`GET ${REPOSITORY}/tarball/v1`]);
    expect(scene.origin.last.serverName).toBe(DOWNLOADS);
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([]);
  });

  test('a deleted secret: our sentence in its error', async () => {
    const home = await openAgent();
    await scene.product.createSecret('old', mintCanary('ghp_'), { provider: 'github' });
    const sandbox = await scene.product.createSandbox({ secrets: { GITHUB_TOKEN: 'old' } });
    await scene.product.admin.must('DELETE', '/secrets/old');
    const orphan = await openHome(scene.product, sandbox);
    expect(await runClient(orphan, 'octokit', 'refused')).toMatchObject({
      name: 'HttpError',
      status: 503,
      message: expect.stringContaining('The secret of GITHUB_TOKEN was deleted'),
      code: 'credential_revoked',
    });
    await expectInjected(home, []);
  });

  test('a call the secret does not permit', async () => {
    const narrow = { provider: 'github', paths: ['/user/**'] };
    await scene.product.createSecret('narrow', key, narrow);
    const sandbox = await scene.product.createSandbox({ secrets: { GITHUB_TOKEN: 'narrow' } });
    const home = await openHome(scene.product, sandbox);
    scene.origin.clear();
    expect(await runClient(home, 'octokit', 'refused')).toMatchObject({
      name: 'HttpError',
      status: 403,
      code: 'credential_not_permitted',
    });
    expect(scene.origin.requests).toEqual([]);
    await expectOneRefusal(scene.product, 'narrow', sandbox, 'credential_not_permitted');
  });
});
