/**
 * Refusals to HTTP/2 clients: on the stream they concern, in every shape, with the connection left open; and
 * what is already open when something changes (proxy section 5.3). Current policy counts for every stream.
 */
import { once } from 'node:events';
import { constants } from 'node:http2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { openTunnel } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { openHttp2, resetCodeOf } from '../support/http2-client.ts';
import type { Http2Response, Http2Tunnel } from '../support/http2-client.ts';
import { valuesOf } from '../support/origin.ts';
import { endless, slow } from '../support/origin-replies.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const OTHER = 'other.example.test';
const OLD = 'old.example.test';
const value = mintCanary();
let scene: Scene;

beforeAll(async () => {
  scene = await startScene({
    names: [HOST, OTHER, OLD],
    handlers: { '/endless': endless(), '/slow': slow(500) },
    settings: { egress: { http1_only: [OLD] } },
  });
  const hosts = [HOST, OTHER, OLD];
  await scene.product.createSecret('api', value, { auth: { type: 'bearer' }, hosts });
});

afterAll(async () => {
  await scene.product.assertNoLeak(value);
  await scene[Symbol.asyncDispose]();
});

const newSandbox = (): Promise<TestSandbox> =>
  scene.product.createSandbox({ secrets: { KEY: 'api' } });
const open = async (sandbox?: TestSandbox): Promise<Http2Tunnel> =>
  openHttp2(scene.product, sandbox ?? (await newSandbox()), `${HOST}:443`, {
    maxSendHeaderBlockLength: 1_000_000,
  });

function outcomeOf(response: Http2Response): string {
  const code = /"code":"([a-z_]+)"/.exec(response.text())?.[1];
  return `${response.status} ${code ?? ''}`;
}

async function codesOf(sandbox: TestSandbox): Promise<(string | null | undefined)[]> {
  const path = `/sandboxes/${sandbox.id}/network?limit=100`;
  const { data } = (await scene.product.admin.must('GET', path)) as {
    data: { kind: string; error_code?: string | null }[];
  };
  return data.filter(({ kind }) => kind === 'request').map((row) => row.error_code);
}

describe('I6 on one stream only', () => {
  test.each([
    ['another authority', { path: '/', authority: OTHER }, '421 misdirected_request'],
    ['another port', { path: '/', authority: `${HOST}:8443` }, '421 misdirected_request'],
    ['another host beside', { path: '/', fields: ['host', OTHER] }, '421 misdirected_request'],
    ['a fragment', { path: '/#x' }, '400 bad_request'],
    ['a raw byte', { path: '/caf\u00e9' }, '400 bad_request'],
    ['TRACE', { path: '/', method: 'TRACE' }, '405 method_not_allowed'],
    ['another expectation', { path: '/', fields: ['expect', 'x'] }, '400 bad_request'],
    ['300 fields', { path: '/', fields: Array<string>(600).fill('x') }, '431 header_too_large'],
    ['a large head', { path: '/', fields: ['x', 'a'.repeat(66_000)] }, '431 header_too_large'],
  ])('%s', async (_what, plan, outcome) => {
    scene.origin.clear();
    using tunnel = await open();
    const running = tunnel.request({ path: '/slow' });
    expect(outcomeOf(await tunnel.request(plan))).toBe(outcome);
    expect((await running).text()).toBe('late');
    expect(tunnel.session.closed).toBe(false);
    expect(scene.origin.requests.map(({ url }) => url)).toEqual(['/slow']);
  });

  test('the same host beside, in another spelling', async () => {
    using tunnel = await open();
    const { status } = await tunnel.request({ path: '/', fields: ['host', `${HOST}:443`] });
    expect(status).toBe(200);
    expect(valuesOf(scene.origin.last.rawHeaders, 'host')).toEqual([HOST]);
  });

  test('CONNECT, which would be a tunnel we do not see', async () => {
    using tunnel = await open();
    const stream = tunnel.session.request({ ':method': 'CONNECT', ':authority': `${HOST}:443` });
    const [head] = (await once(stream, 'response')) as [{ ':status': number }];
    expect(head[':status']).toBe(405);
    stream.close();
    expect(tunnel.session.remoteSettings.enableConnectProtocol ?? false).toBe(false);
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
  });

  test('a placeholder on a host it is not for', async () => {
    const sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
    await scene.product.createSecret('elsewhere', mintCanary(), {
      auth: { type: 'bearer' },
      hosts: ['elsewhere.example.test'],
    });
    const binding = { env_key: 'ELSEWHERE', secret_name: 'elsewhere' };
    const path = `/sandboxes/${sandbox.id}/secrets`;
    const bound = (await scene.product.admin.must('POST', path, binding)) as {
      readonly env?: Record<string, string>;
      readonly placeholder?: string;
    };
    const placeholder = bound.placeholder ?? bound.env?.['ELSEWHERE'] ?? '';
    expect(placeholder).not.toBe('');
    using tunnel = await open(sandbox);
    const answer = await tunnel.request({
      path: '/',
      fields: ['authorization', `Bearer ${placeholder}`],
    });
    expect(outcomeOf(answer)).toBe('403 credential_host_mismatch');
    expect(answer.field('proxy-status')).toContain('details="credential_host_mismatch"');
    expect(answer.field('x-should-retry')).toBe('false');
  });

  test('as gRPC sees it: trailers-only, status 200', async () => {
    using tunnel = await open();
    const answer = await tunnel.request({
      method: 'POST',
      path: '/service/Method',
      authority: OTHER,
      fields: ['content-type', 'application/grpc+proto', 'te', 'trailers'],
      body: 'x',
    });
    expect(answer.status).toBe(200);
    expect(answer.field('grpc-status')).toBe('9');
    expect(answer.field('grpc-message')).toContain('misdirected_request');
    expect(answer.field('content-type')).toBe('application/grpc');
    expect(answer.body).toHaveLength(0);
  });

  test('text for clients that take no JSON', async () => {
    using tunnel = await open();
    const fields = ['accept', 'text/plain'];
    const answer = await tunnel.request({ path: '/', authority: OTHER, fields });
    expect(answer.field('content-type')).toBe('text/plain; charset=utf-8');
    expect(answer.text()).toMatch(/^sallyport: misdirected_request: /);
  });
});

describe('current policy on every stream', () => {
  test('a secret disabled between two streams, and a new value', async () => {
    const own = mintCanary();
    await scene.product.createSecret('changing', own, {
      auth: { type: 'api-key', header: 'x-api-key' },
      hosts: [HOST],
    });
    const sandbox = await scene.product.createSandbox({ secrets: { CHANGING: 'changing' } });
    using tunnel = await open(sandbox);
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
    expect(valuesOf(scene.origin.last.rawHeaders, 'x-api-key')).toEqual([own]);
    const next = mintCanary();
    await scene.product.admin.must('PATCH', '/secrets/changing', { value: next });
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
    expect(valuesOf(scene.origin.last.rawHeaders, 'x-api-key')).toEqual([next]);
    await scene.product.admin.must('PATCH', '/secrets/changing', { disabled: true });
    expect(outcomeOf(await tunnel.request({ path: '/' }))).toBe('503 credential_disabled');
    await scene.product.assertNoLeak([own, next]);
  });

  test('a paused sandbox: streams are reset, the connection ends, the rows say why', async () => {
    const sandbox = await newSandbox();
    using tunnel = await open(sandbox);
    const streams = [tunnel.open({ path: '/endless' }), tunnel.open({ path: '/endless' })];
    await Promise.all(streams.map((stream) => once(stream, 'data')));
    const closed = once(tunnel.session, 'close');
    await scene.product.admin.must('POST', `/sandboxes/${sandbox.id}/pause`);
    await closed;
    for (const stream of streams) expect(await resetCodeOf(stream)).not.toBe(0);
    await eventually(async () => {
      expect(await codesOf(sandbox)).toEqual(['closed_by_policy', 'closed_by_policy']);
    });
  });

  test('a deleted sandbox loses its connections', async () => {
    const sandbox = await newSandbox();
    using tunnel = await open(sandbox);
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
    const closed = once(tunnel.session, 'close');
    await scene.product.admin.must('DELETE', `/sandboxes/${sandbox.id}`);
    await closed;
  });
});

describe('which version', () => {
  const alpnOf = async (host: string, alpn: readonly string[]): Promise<unknown> => {
    const sandbox = await newSandbox();
    const plan = { proxy: scene.product.proxy, authority: `${host}:443`, token: sandbox.token };
    using tunnel = await openTunnel({ ...plan, ca: scene.product.caPem, alpn });
    return 'alpnProtocol' in tunnel.socket ? tunnel.socket.alpnProtocol : undefined;
  };

  test('h2 where the client offers it, in whatever order', async () => {
    expect(await alpnOf(HOST, ['h2', 'http/1.1'])).toBe('h2');
    expect(await alpnOf(HOST, ['http/1.1', 'h2'])).toBe('h2');
    expect(await alpnOf(HOST, ['http/1.1'])).toBe('http/1.1');
  });

  test('http/1.1 for the hosts of egress.http1_only', async () => {
    expect(await alpnOf(OLD, ['h2', 'http/1.1'])).toBe('http/1.1');
  });
});

test('a stop lets running streams end, takes no new ones, and exits 0', async () => {
  await using own = await startScene({
    names: [HOST],
    handlers: { '/slow': slow(1_500) },
  });
  await own.product.createSecret('api', mintCanary(), { auth: { type: 'bearer' }, hosts: [HOST] });
  const sandbox = await own.product.createSandbox({ secrets: { KEY: 'api' } });
  using idle = await openHttp2(own.product, sandbox, `${HOST}:443`);
  using busy = await openHttp2(own.product, sandbox, `${HOST}:443`);
  expect((await idle.request({ path: '/' })).status).toBe(200);
  const running = busy.request({ path: '/slow' });
  await own.origin.waitForRequests(2);
  const goaway = once(idle.session, 'goaway') as Promise<[number]>;
  const busyGoaway = once(busy.session, 'goaway') as Promise<[number]>;
  const stopped = own.product.stop();
  expect((await goaway)[0]).toBe(constants.NGHTTP2_NO_ERROR);
  expect((await busyGoaway)[0]).toBe(constants.NGHTTP2_NO_ERROR);
  expect((await running).text()).toBe('late');
  await stopped;
});
