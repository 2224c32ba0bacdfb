/**
 * Clients that take and do not let go: slow heads, silent handshakes, heads too large, pipelines without
 * end, readers that never read. Every bound holds inside tunnels as outside (I7), and nobody else notices.
 */
import net from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { dialProxy, proxyAuthorization, sendConnect } from '../support/client.ts';
import type { HttpConnection } from '../support/client.ts';
import { Origin } from '../support/origin.ts';
import { big, endless } from '../support/origin-replies.ts';
import type { TestSandbox } from '../support/product.ts';
import { outcomeOf } from '../support/refusal.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const PLAIN = 'plain.example.test';
const value = mintCanary();
let scene: Scene;
let plain: Origin;
let sandbox: TestSandbox;

beforeAll(async () => {
  plain = await Origin.start();
  scene = await startScene({
    names: [HOST],
    hosts: { [PLAIN]: plain.address },
    handlers: { '/big': big(64 * 1024 * 1024), '/endless': endless() },
    settings: {
      limits: {
        head_timeout_ms: 1_500,
        tls_handshake_timeout_ms: 1_500,
        idle_timeout_ms: 1_500,
        body_silence_timeout_ms: 1_500,
        tunnel_silence_timeout_ms: 1_500,
      },
    },
  });
  await scene.product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST] });
  sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
});

afterAll(async () => {
  await scene.product.assertNoLeak(value);
  await scene[Symbol.asyncDispose]();
  await plain.close();
});

const open = (from = sandbox): Promise<HttpConnection> =>
  scene.product.openTunnel(from, `${HOST}:443`);

/** Writes one byte of `text` at a time for as long as the connection lasts. */
async function drip(connection: HttpConnection, text: string): Promise<void> {
  let at = 0;
  const timer = setInterval(() => {
    if (connection.socket.writable) connection.send(text.charAt(at++ % text.length));
  }, 100);
  try {
    await connection.reader.waitForEnd(8_000);
  } finally {
    clearInterval(timer);
  }
}

describe.concurrent('I7 slow-loris', () => {
  test('inside a tunnel: a head that drips, and the neighbour is served meanwhile', async () => {
    using slow = await open();
    slow.send(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n`);
    const dripping = drip(slow, 'X-Slow: still coming\r\n');
    using neighbour = await open();
    expect((await neighbour.request({ path: '/' })).status).toBe(200);
    await dripping;
    const said = Buffer.concat(slow.reader.transcript).toString();
    expect(said).toMatch(/^HTTP\/1\.1 408 .*"request_timeout"/s);
  });

  test('a head that drips on the listener', async () => {
    using slow = await dialProxy(scene.product.proxy);
    slow.send('CONNECT api.example.test:443 HTTP/1.1\r\n');
    await drip(slow, 'X-Slow: still coming\r\n');
    expect(Buffer.concat(slow.reader.transcript).toString()).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('a second head that drips, after a request that was served', async () => {
    using slow = await open();
    expect((await slow.request({ path: '/' })).status).toBe(200);
    slow.send('GET /second HTTP/1.1\r\n');
    await expect(drip(slow, 'X-Slow: 1\r\n')).resolves.toBeUndefined();
  });

  test('a TLS handshake that never begins, never goes on, or drips', async () => {
    const plan = { proxy: scene.product.proxy, authority: `${HOST}:443`, token: sandbox.token };
    const silent = ['', '\x16', '\x16\x03\x01\x02\x00\x01'].map(async (first) => {
      using answer = await sendConnect(plan);
      if (first !== '') answer.connection.send(first);
      await answer.connection.reader.waitForEnd(8_000);
    });
    await expect(Promise.all(silent)).resolves.toHaveLength(3);
    using dripping = await sendConnect(plan);
    dripping.connection.send('\x16\x03\x01\x40\x00\x01');
    await expect(drip(dripping.connection, '\x00')).resolves.toBeUndefined();
  });

  test('an idle connection, outside and inside', async () => {
    using outside = await dialProxy(scene.product.proxy);
    using inside = await open();
    expect((await inside.request({ path: '/' })).status).toBe(200);
    await Promise.all([outside.reader.waitForEnd(8_000), inside.reader.waitForEnd(8_000)]);
    expect(outside.reader.ended && inside.reader.ended).toBe(true);
  });

  test('a body that stops coming', async () => {
    using stuck = await open();
    stuck.sendRequest({ method: 'POST', path: '/', fields: ['Content-Length', '1000'] });
    stuck.send('only this');
    await expect(stuck.reader.waitForEnd(8_000)).resolves.toBeUndefined();
  });

  test('a tunnel without a byte', async () => {
    const target = `${PLAIN}:443`;
    const plan = { proxy: scene.product.proxy, authority: target, token: sandbox.token };
    using tunnel = await sendConnect(plan);
    expect(tunnel.response.status).toBe(200);
    await expect(tunnel.connection.reader.waitForEnd(8_000)).resolves.toBeUndefined();
  });

  test('a response whose origin falls silent', async () => {
    using stuck = await open();
    stuck.sendRequest({ path: '/endless' });
    expect((await stuck.readHead()).status).toBe(200);
    await expect(stuck.reader.waitForEnd(8_000)).resolves.toBeUndefined();
  });
});

describe('I7 heads too large', () => {
  const start = `GET / HTTP/1.1\r\nHost: ${HOST}\r\n`;
  test.each([
    ['one long field', `${start}X-A: ${'a'.repeat(80_000)}\r\n\r\n`],
    ['a long name', `${start}${'a'.repeat(80_000)}: 1\r\n\r\n`],
    ['a long target', `GET /${'a'.repeat(80_000)} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`],
    ['many fields', `${start}${'A: 1\r\n'.repeat(256)}\r\n`],
    ['very many fields', `${start}${'A: 1\r\n'.repeat(20_000)}\r\n`],
    ['fields without end', `${start}${'X-A: 12345678\r\n'.repeat(10_000)}`],
  ])('inside a tunnel: %s', async (_what, raw) => {
    scene.origin.clear();
    using tunnel = await open();
    tunnel.send(raw);
    expect(outcomeOf(await tunnel.readResponse())).toBe('431 header_too_large');
    expect(scene.origin.requests).toEqual([]);
  });

  test('on the CONNECT', async () => {
    const fields = ['X-A', 'a'.repeat(80_000)];
    const plan = { proxy: scene.product.proxy, authority: `${HOST}:443`, token: sandbox.token };
    using answer = await sendConnect({ ...plan, fields });
    expect(answer.response.status).toBe(431);
  });

  test('many fields on a plain request', async () => {
    using connection = await dialProxy(scene.product.proxy);
    const credentials = ['Proxy-Authorization', proxyAuthorization(sandbox.token)];
    const many = Array.from({ length: 300 }, () => ['A', '1']).flat();
    const fields = ['Host', PLAIN, ...credentials, ...many];
    const answer = await connection.request({ path: `http://${PLAIN}/`, fields });
    expect(outcomeOf(answer)).toBe('431 header_too_large');
  });

  test('a CONNECT authority beyond every name', async () => {
    const authority = `${'a.'.repeat(200)}test:443`;
    using answer = await sendConnect({
      proxy: scene.product.proxy,
      authority,
      token: sandbox.token,
    });
    expect(answer.response).toMatchObject({ status: 400, reason: 'bad_request' });
  });

  test('as many as are allowed pass', async () => {
    using tunnel = await open();
    const fields = Array.from({ length: 250 }, (_, i) => [`X-${i}`, '1']).flat();
    expect((await tunnel.request({ path: '/', fields })).status).toBe(200);
  });
});

describe('I7 pipelines', () => {
  test('a thousand requests in one write are cut off, not queued', async () => {
    scene.origin.clear();
    using tunnel = await open();
    tunnel.send(`GET /endless HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    tunnel.send(`GET /queued HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`.repeat(1_000));
    await tunnel.reader.waitForEnd(8_000);
    expect(scene.origin.requests.filter(({ url }) => url === '/queued')).toEqual([]);
  });

  test('twenty in one write are answered, each once and in order', async () => {
    using tunnel = await open();
    for (let i = 0; i < 20; i += 1) tunnel.send(`GET /${i} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    scene.origin.clear();
    for (let i = 0; i < 20; i += 1) expect((await tunnel.readResponse()).status).toBe(200);
    expect(scene.origin.requests.map(({ url }) => url)).toEqual(
      Array.from({ length: 20 }, (_, i) => `/${i}`),
    );
  });
});

test('I7 a client that never reads holds back the origin, not our memory', async () => {
  const { product } = scene;
  const rss = async (): Promise<number> => {
    const { readFile } = await import('node:fs/promises');
    const status = await readFile(`/proc/${product.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
  };
  const beforeKib = await rss();
  const tunnels = await Promise.all(Array.from({ length: 4 }, () => open()));
  for (const tunnel of tunnels) {
    tunnel.socket.pause();
    tunnel.sendRequest({ path: '/big' });
  }
  using neighbour = await open();
  for (let i = 0; i < 20; i += 1) expect((await neighbour.request({ path: '/' })).status).toBe(200);
  // 4 × 64 MiB are on offer.
  expect((await rss()) - beforeKib).toBeLessThan(128 * 1024);
  for (const tunnel of tunnels) tunnel.destroy();
});

test('I7 a flood of half-open connections leaves the listener open', async () => {
  const { host, port } = scene.product.proxy;
  const sockets = Array.from({ length: 300 }, () => net.connect(port, host).on('error', () => {}));
  using tunnel = await open();
  expect((await tunnel.request({ path: '/' })).status).toBe(200);
  for (const socket of sockets) socket.destroy();
});
