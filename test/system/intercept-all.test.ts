/**
 * `intercept: all`: the tunnels of such a sandbox are read whatever their host, so its placeholders are
 * refused everywhere; what is in order passes as if nobody had looked. What is not TLS is closed, undialled.
 */
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { openTunnel, sendConnect } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { openHttp2 } from '../support/http2-client.ts';
import { valuesOf } from '../support/origin.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const BOUND = 'api.example.test';
const OTHER = 'other.example.test';
const NEVER = 'bank.example.test';
const value = mintCanary();
let scene: Scene;
let sandbox: TestSandbox;
let placeholder: string;
/** Lets the origin send its next event. */
let goOn: () => void = () => undefined;

beforeAll(async () => {
  scene = await startScene({
    names: [BOUND, OTHER, NEVER],
    settings: {
      egress: { never_intercept: [NEVER] },
      limits: { tls_handshake_timeout_ms: 500 },
    },
    handlers: {
      '/events': async (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        for (const data of ['one', 'two', 'three']) {
          response.write(`data: ${data}\n\n`);
          await new Promise<void>((resolve) => (goOn = resolve));
        }
        response.end();
      },
    },
    onUpgrade: (_request, socket: Socket) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
          'Sec-WebSocket-Accept: accepted\r\n\r\n',
      );
      socket.on('data', (chunk) => socket.write(chunk));
    },
  });
  await scene.product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [BOUND] });
  sandbox = await scene.product.createSandbox({
    secrets: { API_KEY: 'api' },
    more: { intercept: 'all' },
  });
  placeholder = sandbox.placeholders['API_KEY'] ?? '';
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

const basic = (): string => `Basic ${Buffer.from(`x:${placeholder}`).toString('base64')}`;

describe('a placeholder for another host', () => {
  test.each([
    ['a header', () => ({ path: '/', fields: ['X-Any', `a ${placeholder} b`] })],
    ['Basic credentials', () => ({ path: '/', fields: ['Authorization', basic()] })],
    ['the query', () => ({ path: `/?key=${placeholder}` })],
  ])('in %s is refused and reaches nobody', async (_, plan) => {
    const { product, origin } = scene;
    origin.clear();
    using tunnel = await product.openTunnel(sandbox, `${OTHER}:443`);
    const refused = await tunnel.request(plan());
    expect(refused.status).toBe(403);
    expect(refused.json()).toMatchObject({ error: { code: 'credential_host_mismatch' } });
    expect(origin.requests).toEqual([]);
  });

  test('in a WebSocket handshake is refused', async () => {
    const { product, origin } = scene;
    origin.clear();
    using tunnel = await product.openTunnel(sandbox, `${OTHER}:443`);
    const upgrade = ['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Key', 'key'];
    const fields = [...upgrade, 'Sec-WebSocket-Version', '13', 'Authorization', basic()];
    expect((await tunnel.request({ path: '/ws', fields })).status).toBe(403);
    expect(origin.requests).toEqual([]);
  });

  test('of another sandbox is ordinary text', async () => {
    const other = await scene.product.createSandbox({ secrets: { API_KEY: 'api' } });
    const foreign = other.placeholders['API_KEY'] ?? '';
    using tunnel = await scene.product.openTunnel(sandbox, `${OTHER}:443`);
    const fields = ['X-Any', foreign];
    expect((await tunnel.request({ path: '/', fields })).status).toBe(200);
    expect(valuesOf(scene.origin.last.rawHeaders, 'x-any')).toEqual([foreign]);
  });
});

describe('a host without a secret', () => {
  test('gets the request as it was written', async () => {
    const { product, origin } = scene;
    using tunnel = await product.openTunnel(sandbox, `${OTHER}:443`);
    const fields = ['X-Two', 'b', 'x-ONE', 'a', 'X-Two', 'c', 'Authorization', 'Bearer my-own'];
    const sent = { method: 'POST', path: '/x%2Fy/../z?a=1&a=2', fields, body: 'a body' };
    expect((await tunnel.request(sent)).status).toBe(200);
    const got = origin.last;
    expect([got.method, got.url, got.body.toString()]).toEqual(['POST', sent.path, 'a body']);
    const at = got.rawHeaders.indexOf('X-Two');
    expect(got.rawHeaders.slice(at, at + fields.length)).toEqual(fields);
    await product.assertNoLeak(value);
  });

  test('named by its address has a certificate for that address', async () => {
    const port = scene.origin.port;
    const plan = {
      proxy: scene.product.proxy,
      authority: `127.0.0.1:${port}`,
      token: sandbox.token,
    };
    using tunnel = await openTunnel({ ...plan, ca: scene.product.caPem });
    // The origin has no certificate for its address: read, and refused by us.
    const refused = await tunnel.request({ path: '/' });
    expect(refused.status).toBe(502);
    expect(refused.json()).toMatchObject({ error: { code: 'upstream_tls_failed' } });
  });

  test('streams: each event comes before the next one is sent', async () => {
    using tunnel = await scene.product.openTunnel(sandbox, `${OTHER}:443`);
    tunnel.sendRequest({ path: '/events' });
    for (const data of ['one', 'two', 'three']) {
      const seen = await tunnel.reader.readUntil(`data: ${data}\n\n`);
      expect(seen.toString()).toContain(data);
      goOn();
    }
    await tunnel.reader.readUntil('0\r\n\r\n');
  });

  test('is spoken to in HTTP/2 by a client that can', async () => {
    using tunnel = await openHttp2(scene.product, sandbox, `${OTHER}:443`);
    const fields = ['x-any', 'a', 'authorization', 'Bearer my-own'];
    expect((await tunnel.request({ path: '/', fields })).status).toBe(200);
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual(['Bearer my-own']);
    scene.origin.clear();
    const refused = await tunnel.request({ path: '/', fields: ['x-any', placeholder] });
    expect(refused.status).toBe(403);
    expect(refused.text()).toContain('credential_host_mismatch');
    expect(scene.origin.requests).toEqual([]);
  });

  test('upgrades to WebSocket', async () => {
    using tunnel = await scene.product.openTunnel(sandbox, `${OTHER}:443`);
    const upgrade = ['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Key', 'key'];
    tunnel.sendRequest({ path: '/ws', fields: [...upgrade, 'Sec-WebSocket-Version', '13'] });
    expect((await tunnel.readHead()).status).toBe(101);
    tunnel.send('echo');
    expect((await tunnel.reader.readExactly(4)).toString()).toBe('echo');
  });

  test('its own secret still goes where it belongs', async () => {
    using tunnel = await scene.product.openTunnel(sandbox, `${BOUND}:443`);
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${value}`]);
  });
});

describe('what is not TLS', () => {
  async function codeOf(token: TestSandbox): Promise<unknown> {
    return eventually(async () => {
      const path = `/audit?sandbox=${token.id}`;
      const { data } = (await scene.product.admin.must('GET', path)) as {
        data: { code: string }[];
      };
      expect(data).toHaveLength(1);
      return data[0]?.code;
    });
  }

  test.each([
    ['SSH', 'SSH-2.0-client\r\n'],
    ['plain HTTP', 'GET / HTTP/1.1\r\nHost: other.example.test\r\n\r\n'],
    ['a binary protocol', '\x00\x00\x00\x08\x04\xd2\x16/'],
  ])('%s is closed and nothing is dialled (I1)', async (_, text) => {
    const { product, origin } = scene;
    const own = await product.createSandbox({ more: { intercept: 'all' } });
    const before = origin.connectionCount;
    const plan = { proxy: product.proxy, authority: `${OTHER}:443`, token: own.token };
    using tunnel = await sendConnect(plan);
    expect(tunnel.response.status).toBe(200);
    tunnel.connection.send(text);
    await tunnel.connection.reader.waitForEnd(3_000);
    expect(await codeOf(own)).toBe('not_tls');
    expect(origin.connectionCount).toBe(before);
  });

  test('a client that waits for the server to speak is closed in time', async () => {
    const own = await scene.product.createSandbox({ more: { intercept: 'all' } });
    const plan = { proxy: scene.product.proxy, authority: `${OTHER}:443`, token: own.token };
    using tunnel = await sendConnect(plan);
    await tunnel.connection.reader.waitForEnd(3_000);
    expect(await codeOf(own)).toBe('not_tls');
  });
});

describe('egress.never_intercept goes first', () => {
  test('the tunnel is untouched, placeholders pass in it unseen', async () => {
    const { product, authority, origin } = scene;
    const plan = { proxy: product.proxy, authority: `${NEVER}:443`, token: sandbox.token };
    using tunnel = await openTunnel({ ...plan, ca: authority.caPem });
    const fields = ['Authorization', `Bearer ${placeholder}`];
    expect((await tunnel.request({ path: '/', fields })).status).toBe(200);
    expect(valuesOf(origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${placeholder}`]);
  });

  test('a secret for such a host cannot be bound', async () => {
    const { product } = scene;
    await product.createSecret('bank', mintCanary(), { auth: { type: 'bearer' }, hosts: [NEVER] });
    const body = { name: 'refused', secrets: { BANK: 'bank' }, intercept: 'all' };
    const refused = await product.admin.call('POST', '/sandboxes', body);
    expect(refused.status).toBe(400);
    expect(refused.text).toContain('never intercepted');
  });
});
