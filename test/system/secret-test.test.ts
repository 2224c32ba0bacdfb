/**
 * `POST /secrets/{name}/test`: one real request by the way of every other one, and none of its traces. What
 * the origin got, what the admin is told, what stays as it was.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { valuesOf } from '../support/origin.ts';
import { endless, redirect, reply } from '../support/origin-replies.ts';
import type { Scene } from '../support/scene.ts';
import { startScene } from '../support/scene.ts';

const HOST = 'api.example.test';
let scene: Scene;
let count = 0;

beforeAll(async () => {
  scene = await startScene({
    names: [HOST, 'never.example.test'],
    handlers: {
      '/echo': async (request, response, readBody) => {
        await readBody();
        response.setHeader('X-Echo', request.headers.authorization ?? '');
        response.end(request.headers.authorization);
      },
      '/refused': reply(401, 'no', ['WWW-Authenticate', 'Bearer error_description="key expired"']),
      '/scope': reply(403, 'no'),
      '/moved': redirect('https://elsewhere.example.test/'),
      '/broken': reply(500, 'oh'),
      '/endless': endless(),
    },
    hosts: { 'closed.example.test': '127.0.0.1:1', 'inside.example.test': '10.1.2.3:443' },
    settings: { egress: { never_intercept: ['never.example.test'] } },
  });
});

afterAll(() => scene[Symbol.asyncDispose]());
beforeEach(() => scene.origin.clear());

async function makeSecret(more: Readonly<Record<string, unknown>> = {}) {
  count += 1;
  const name = `tested_${count}`;
  const value = mintCanary();
  const base = { auth: { type: 'bearer' }, hosts: [HOST] };
  await scene.product.createSecret(name, value, { ...base, ...more });
  return { name, value };
}

async function probe(name: string, body?: Readonly<Record<string, unknown>>) {
  const answer = await scene.product.admin.post(`/secrets/${name}/test`, body);
  expect(answer.status).toBe(200);
  return answer.json;
}

describe('what the origin says', () => {
  test('it took the value, which is in no part of the answer (I3)', async () => {
    const { name, value } = await makeSecret();
    const result = await probe(name, { url: `https://${HOST}/echo?token=visible` });
    expect(result).toMatchObject({
      url: `https://${HOST}/echo`,
      method: 'GET',
      status: 200,
      code: null,
      auth_ok: true,
      classification: null,
      version: 1,
    });
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${value}`]);
    expect(scene.origin.last.url).toBe('/echo?token=visible');
    await scene.product.assertNoLeak(value);
  });

  const answers: readonly [string, Readonly<Record<string, unknown>>][] = [
    ['/refused', { status: 401, auth_ok: false, classification: 'expired' }],
    ['/scope', { status: 403, auth_ok: false, classification: 'scope' }],
    ['/moved', { status: 302, auth_ok: null, classification: null }],
    ['/broken', { status: 500, auth_ok: null, classification: null }],
    ['/endless', { status: 200, auth_ok: true, classification: null }],
  ];
  test.each(answers)('%s', async (path, expected) => {
    const { name } = await makeSecret();
    expect(await probe(name, { url: `https://${HOST}${path}` })).toMatchObject(expected);
    expect(scene.origin.requests).toHaveLength(1);
  });

  test('without a URL: its first exact host, by GET', async () => {
    const { name, value } = await makeSecret({ hosts: ['*.example.test', HOST] });
    expect(await probe(name)).toMatchObject({ url: `https://${HOST}/`, auth_ok: true });
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${value}`]);
    const { name: wild } = await makeSecret({ hosts: ['*.example.test'] });
    const answer = await scene.product.admin.post(`/secrets/${wild}/test`);
    expect([answer.status, answer.json.error.details[0].path]).toEqual([400, 'url']);
  });
});

describe('never asked (I1, I2)', () => {
  const cases: readonly [string, Readonly<Record<string, unknown>>, string, string][] = [
    ['another host', {}, 'https://other.example.test/', 'credential_host_mismatch'],
    ['another port', {}, `https://${HOST}:8443/`, 'credential_host_mismatch'],
    ['plain http', {}, `http://${HOST}/`, 'credential_host_mismatch'],
    ['a method it does not permit', { methods: ['POST'] }, '', 'credential_not_permitted'],
    [
      'a path it does not permit',
      { paths: ['/v1/**'] },
      `https://${HOST}/admin`,
      'credential_not_permitted',
    ],
    ['disabled', { disabled: true }, '', 'credential_disabled'],
    ['nobody may use it', { allowed_workspaces_type: 'NONE' }, '', 'credential_revoked'],
    [
      'an internal address',
      { hosts: ['inside.example.test'] },
      'https://inside.example.test/',
      'internal_address_denied',
    ],
    [
      'nothing listens there',
      { hosts: ['closed.example.test'] },
      'https://closed.example.test/',
      'upstream_unreachable',
    ],
    [
      'a host that is never looked into',
      { hosts: ['never.example.test'] },
      'https://never.example.test/',
      'credential_host_mismatch',
    ],
  ];
  test.each(cases)('%s', async (_what, more, url, code) => {
    const { name } = await makeSecret(more);
    const result = await probe(name, url === '' ? {} : { url });
    expect(result).toMatchObject({ status: null, code, auth_ok: null });
    expect(scene.origin.requests).toEqual([]);
  });
});

test('it is no use of the secret, says nothing of its health, and leaves no audit row', async () => {
  const { name } = await makeSecret();
  const before = await scene.product.admin.must('GET', `/secrets/${name}`);
  await probe(name, { url: `https://${HOST}/refused` });
  await probe(name);
  expect(await scene.product.admin.must('GET', `/secrets/${name}`)).toEqual(before);
  expect(await scene.product.admin.must('GET', `/secrets/${name}/audit`)).toEqual([]);
  const rollout = await scene.product.admin.must('GET', `/secrets/${name}/rollout`);
  expect(rollout.versions[0].requests_since_rotation).toBe(0);
});

test('who tested what is in the activity, without the query', async () => {
  const { name } = await makeSecret();
  await probe(name, { url: `https://${HOST}/echo?key=visible` });
  const activity = await scene.product.admin.must('GET', '/activity?action=secret.test');
  const row = activity.data.find((one: { target: { name: string } }) => one.target.name === name);
  expect(row.after).toEqual({
    method: 'GET',
    url: `https://${HOST}:443/echo`,
    sandbox_id: null,
  });
});

test('in the place of a sandbox its bindings and network rules count', async () => {
  const { name } = await makeSecret();
  const bound = await scene.product.createSandbox({ secrets: { KEY: name } });
  const other = await scene.product.createSandbox();
  const walled = await scene.product.createSandbox({
    secrets: { KEY: name },
    network: { deny_out: [HOST] },
  });
  expect((await probe(name, { sandbox: bound.id })).auth_ok).toBe(true);
  expect((await probe(name, { sandbox: other.id })).code).toBe('credential_host_mismatch');
  expect((await probe(name, { sandbox: walled.id })).code).toBe('host_denied');
  expect(scene.origin.requests).toHaveLength(1);
  const unknown = await scene.product.admin.post(`/secrets/${name}/test`, { sandbox: 'nobody' });
  expect(unknown.status).toBe(404);
});
