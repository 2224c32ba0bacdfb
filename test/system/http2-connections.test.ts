/**
 * The life of an HTTP/2 connection of a client: how it ends, what it is counted as, how many streams one
 * sandbox may have on all of them together.
 */
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openAttacker } from '../attack/http2-attacker.ts';
import { mintCanary } from '../support/canary.ts';
import { openTunnel } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { openHttp2 } from '../support/http2-client.ts';
import { encodeHeaders, encodeSettings, PREFACE } from '../support/http2-frames.ts';
import { endless, events } from '../support/origin-replies.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const value = mintCanary();
let scene: Scene;

beforeAll(async () => {
  scene = await startScene({
    names: [HOST],
    handlers: {
      '/torrent': events(10_000, 1),
      '/endless': endless(),
      '/events': events(10_000, 20),
    },
    settings: { limits: { head_timeout_ms: 1_000 } },
  });
  await scene.product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST] });
});

afterAll(async () => {
  await scene.product.assertNoLeak(value);
  await scene[Symbol.asyncDispose]();
});

const newSandbox = (): Promise<TestSandbox> =>
  scene.product.createSandbox({ secrets: { KEY: 'api' } });

async function rowsOf(sandbox: TestSandbox): Promise<{ kind: string; code?: string | null }[]> {
  const path = `/audit?sandbox=${sandbox.id}&limit=1000`;
  return (
    (await scene.product.admin.must('GET', path)) as {
      data: { kind: string; code?: string | null }[];
    }
  ).data;
}

async function interceptedConnections(): Promise<number> {
  const { text } = await scene.product.admin.get('/metrics');
  return Number(/^sallyport_connections\{kind="intercepted"\} (\d+)$/m.exec(text)?.[1]);
}

const get = (streamId: number, path: string): Buffer =>
  encodeHeaders(streamId, [
    ':method',
    'GET',
    ':scheme',
    'https',
    ':path',
    path,
    ':authority',
    HOST,
  ]);

test.each([
  ['closes its half', 'end'],
  ['resets', 'reset'],
] as const)(
  'I4 a client that %s ends what runs, and is not counted any more',
  async (_what, how) => {
    const before = await interceptedConnections();
    const sandbox = await newSandbox();
    const plan = { proxy: scene.product.proxy, authority: `${HOST}:443`, token: sandbox.token };
    using tunnel = await openTunnel({ ...plan, ca: scene.product.caPem, alpn: ['h2'] });
    tunnel.send(Buffer.concat([PREFACE, encodeSettings(), get(1, '/events')]));
    await tunnel.reader.readUntil('event 1');
    expect(await interceptedConnections()).toBe(before + 1);
    if (how === 'reset') tunnel.reset();
    else tunnel.socket.end();
    await eventually(async () => {
      expect(await interceptedConnections()).toBe(before);
      expect(await rowsOf(sandbox)).toMatchObject([{ code: 'client_aborted' }]);
    });
  },
);

test('I7 clients that reset while they are written to leave nothing open', async () => {
  const before = await interceptedConnections();
  const sandbox = await newSandbox();
  const clients = await Promise.all(
    Array.from({ length: 15 }, () => openAttacker(scene.product, sandbox, `${HOST}:443`)),
  );
  for (const client of clients) {
    for (let i = 0; i < 4; i += 1) client.send(get(2 * i + 1, '/torrent'));
  }
  await scene.origin.waitForRequests(60);
  for (const client of clients) {
    await client.until('an event', () => client.bodyBytes(7) > 0);
    client.reset();
  }
  await eventually(async () => {
    expect(await interceptedConnections()).toBe(before);
    expect((await rowsOf(sandbox)).map((row) => row.code)).toEqual(
      Array.from({ length: 60 }, () => 'client_aborted'),
    );
  }, 8_000);
});

test('a client that hangs up after its preface trusts us; one before it may not', async () => {
  const sandbox = await newSandbox();
  const plan = { proxy: scene.product.proxy, authority: `${HOST}:443`, token: sandbox.token };
  using trusting = await openTunnel({ ...plan, ca: scene.product.caPem, alpn: ['h2'] });
  trusting.send(Buffer.concat([PREFACE, encodeSettings()]));
  await trusting.reader.readExactly(9);
  trusting.destroy();
  using doubting = await openTunnel({ ...plan, ca: scene.product.caPem, alpn: ['h2'] });
  doubting.destroy();
  await eventually(async () => {
    expect((await rowsOf(sandbox)).map((row) => row.code)).toEqual(['client_tls_failed']);
  });
});

test('a head that its framing refused is recorded, and what runs beside it goes on', async () => {
  const sandbox = await newSandbox();
  using client = await openAttacker(scene.product, sandbox, `${HOST}:443`);
  client.send(get(1, '/events'));
  await client.until('a response', () => client.status(1) === 200);
  client.send(encodeHeaders(3, [':method', 'GET', 'X-Upper', '1']));
  await eventually(async () => {
    expect((await rowsOf(sandbox)).map((row) => row.code)).toEqual(['bad_request']);
  });
  // Beyond the time that a head may take.
  const seen = client.bodyBytes(1);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(client.bodyBytes(1)).toBeGreaterThan(seen);
  expect(client.isOver).toBe(false);
});

test('I7 streams of one sandbox on all its connections', async () => {
  const sandbox = await newSandbox();
  const clients = await Promise.all(
    // SETTINGS_HEADER_TABLE_SIZE 0, so that every status is spelled out.
    Array.from({ length: 9 }, () =>
      openAttacker(scene.product, sandbox, `${HOST}:443`, { settings: [1, 0] }),
    ),
  );
  try {
    for (const client of clients) {
      for (let i = 0; i < 125; i += 1) client.send(get(2 * i + 1, '/endless'));
    }
    const refused = (): number[] =>
      clients.flatMap((client) =>
        Array.from({ length: 125 }, (_, i) => client.status(2 * i + 1) ?? 0).filter(
          (status) => status === 503,
        ),
      );
    // 9 × 125 are 101 more than it may have.
    await eventually(() => expect(refused()).toHaveLength(101), 8_000);
    const other = await newSandbox();
    using neighbour = await openHttp2(scene.product, other, `${HOST}:443`);
    expect((await neighbour.request({ path: '/', authority: 'x.test' })).status).toBe(421);
  } finally {
    for (const client of clients) client[Symbol.dispose]();
  }
});

test('a session that ends politely ends without an event of its own', async () => {
  const sandbox = await newSandbox();
  const client = await openHttp2(scene.product, sandbox, `${HOST}:443`);
  expect((await client.request({ path: '/' })).status).toBe(200);
  const closed = once(client.session, 'close');
  client.session.close();
  await closed;
  await eventually(async () => {
    expect((await rowsOf(sandbox)).map(({ kind, code }) => [kind, code ?? null])).toEqual([
      ['request', null],
    ]);
  });
});
