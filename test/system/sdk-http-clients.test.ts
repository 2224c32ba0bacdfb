/**
 * General HTTP clients of JavaScript with their usual proxy agents, unmodified, in a sandbox: a call, a
 * stream, a refusal inside the tunnel and one on the CONNECT.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openHome, runClient } from '../sdk/client-program.ts';
import type { ClientHome } from '../sdk/client-program.ts';
import { holdStream } from '../sdk/held-stream.ts';
import { expectOneRefusal, expectUses } from '../sdk/use-record.ts';
import { mintCanary } from '../support/canary.ts';
import { valuesOf } from '../support/origin.ts';
import { reply } from '../support/origin-replies.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const OTHER = 'other.example.test';
const key = mintCanary();
const held = holdStream({ contentType: 'text/event-stream', first: 'one\n', rest: 'two\n' });

const CLIENTS = [
  'undici ProxyAgent',
  'undici fetch with ProxyAgent',
  'undici fetch with EnvHttpProxyAgent',
  "Node's fetch",
  "Node's https",
  'https with https-proxy-agent',
  'axios alone',
  'axios with https-proxy-agent',
  'axios with hpagent',
  'got with hpagent',
  'got with https-proxy-agent',
];
/** These hand the proxy's own answer to a CONNECT on as if the origin had given it. */
const SHOW_BODY = /with https-proxy-agent/;

let scene: Scene;

beforeAll(async () => {
  scene = await startScene({
    names: [HOST, OTHER],
    handlers: {
      '/things': reply(201, '{"id":7}', ['Content-Type', 'application/json']),
      '/stream': held.stream,
      '/release': held.release,
    },
  });
  await scene.product.createSecret('api', key, { auth: { type: 'bearer' }, hosts: [HOST] });
});
beforeEach(() => scene.origin.clear());
afterAll(() => scene[Symbol.asyncDispose]());

async function openAgent(allowed?: readonly string[]): Promise<ClientHome> {
  const sandbox = await scene.product.createSandbox({
    secrets: { API_KEY: 'api' },
    ...(allowed === undefined ? {} : { network: { allow_out: allowed } }),
  });
  return openHome(scene.product, sandbox);
}

async function expectInjected(requests: readonly string[]): Promise<void> {
  const { origin, product } = scene;
  expect(origin.requests.map(({ method, url }) => `${method} ${url}`)).toEqual(requests);
  for (const { rawHeaders } of origin.requests) {
    expect(valuesOf(rawHeaders, 'authorization')).toEqual([`Bearer ${key}`]);
    for (const name of ['proxy-authorization', 'proxy-connection', 'via', 'x-forwarded-for']) {
      expect(valuesOf(rawHeaders, name)).toEqual([]);
    }
  }
  await product.assertNoLeak(key);
}

describe.each(CLIENTS)('%s', (client) => {
  test('an ordinary call', async () => {
    const home = await openAgent();
    const answer = await runClient(home, 'http-client', client, 'ordinary', `https://${HOST}`);
    expect(answer).toEqual({ status: 201, text: '{"id":7}' });
    await expectInjected(['POST /things']);
    expect(scene.origin.last.body.toString()).toBe('{"name":"thing"}');
    await expectUses(scene.product, 'api', home.sandbox, ['POST /things 201']);
  });

  test('a stream arrives piece by piece', async () => {
    const home = await openAgent();
    const answer = await runClient(home, 'http-client', client, 'stream', `https://${HOST}`);
    expect(answer).toEqual({ text: 'one\ntwo\n' });
    await expectInjected(['GET /stream', 'GET /release']);
  });

  test('a refusal inside the tunnel is an answer the program can read', async () => {
    const home = await openAgent();
    await scene.product.admin.must('DELETE', `/sandboxes/${home.sandbox.id}/secrets/API_KEY`);
    const answer = await runClient(home, 'http-client', client, 'refused', `https://${HOST}`);
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.text)).toMatchObject({
      error: { type: 'sallyport_refusal', code: 'credential_revoked', retryable: false },
    });
    expect(scene.origin.requests).toEqual([]);
    await expectOneRefusal(scene.product, 'api', home.sandbox, 'credential_revoked');
  });
});

describe('a refused CONNECT', () => {
  const refused = async (client: string): Promise<{ status: number; text: string }> => {
    const home = await openAgent([HOST]);
    const answer: unknown = await runClient(
      home,
      'http-client',
      client,
      'refused',
      `https://${OTHER}`,
    );
    expect(scene.origin.requests).toEqual([]);
    return answer as { status: number; text: string };
  };

  test.each(CLIENTS.filter((client) => SHOW_BODY.test(client)))(
    '%s hands it on as an answer the program can read',
    async (client) => {
      const { status, text } = await refused(client);
      expect(status).toBe(403);
      expect(JSON.parse(text)).toMatchObject({ error: { code: 'host_not_allowed' } });
    },
  );

  test.each(CLIENTS.filter((client) => !SHOW_BODY.test(client)))(
    '%s fails and says its status',
    async (client) => {
      const answer = await refused(client);
      expect(answer).toMatchObject({ status: 0, text: expect.stringContaining('403') });
    },
  );
});
