/**
 * HTTP/2 clients that break off at every point of an exchange: the connection reset, ended politely, or the
 * stream reset. As for HTTP/1.1 in `client-resets.test.ts`: nobody else notices, one event for every request
 * that was read (I4), nothing is held (I7), and the origin is told.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { openTunnel } from '../support/client.ts';
import type { HttpConnection } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import {
  encodeFields,
  encodeFrame,
  encodeHeaders,
  encodeReset,
  encodeSettings,
  FrameFlag,
  FrameType,
  PREFACE,
} from '../support/http2-frames.ts';
import { openHttp2 } from '../support/http2-client.ts';
import { big, endless, events, slow } from '../support/origin-replies.ts';
import type { Product, TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const CANCEL = 8;
const value = mintCanary();
let scene: Scene;
let product: Product;

beforeAll(async () => {
  scene = await startScene({
    names: [HOST],
    handlers: {
      '/slow': slow(700),
      '/endless': endless(),
      '/events': events(10_000, 5),
      '/big': big(8 * 1024 * 1024),
    },
  });
  product = scene.product;
  await product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST] });
});

afterAll(async () => {
  await product.assertNoLeak(value);
  await scene[Symbol.asyncDispose]();
});

interface Row {
  readonly kind: string;
  readonly path?: string;
  readonly error_code?: string | null;
}

async function listRequests(sandbox: TestSandbox): Promise<Row[]> {
  const path = `/sandboxes/${sandbox.id}/network?limit=1000`;
  const { data } = (await product.admin.must('GET', path)) as { data: Row[] };
  return data.filter(({ kind }) => kind === 'request');
}

async function expectServes(sandbox: TestSandbox): Promise<void> {
  using tunnel = await openHttp2(product, sandbox, `${HOST}:443`);
  const answer = await tunnel.request({ path: '/still-there' });
  if (answer.status !== 200) throw new Error(`no service: ${answer.status} ${answer.text()}`);
}

const fields = (method: string, path: string, more: readonly string[] = []): readonly string[] => [
  ':method',
  method,
  ':scheme',
  'https',
  ':path',
  path,
  ':authority',
  HOST,
  ...more,
];
const get = (path: string): Buffer => encodeHeaders(1, fields('GET', path));
const post = (): Buffer =>
  encodeHeaders(1, fields('POST', '/', ['content-length', '100']), FrameFlag.endHeaders);
const greeting = Buffer.concat([PREFACE, encodeSettings()]);
const half = (frame: Buffer): Buffer => frame.subarray(0, frame.length - 5);

/** What was sent before it broke off; `requests`: how many events that makes. */
const points: readonly {
  readonly when: string;
  readonly requests: number;
  readonly sent: readonly Buffer[];
  /** Waited for before. */
  readonly until?: string;
  /** A head that ends in the middle is a malformed one, unless a reset overtook it. */
  readonly isHalfHead?: true;
}[] = [
  { when: 'after the handshake', requests: 0, sent: [] },
  { when: 'amid the preface', requests: 0, sent: [PREFACE.subarray(0, 10)] },
  { when: 'after the preface', requests: 0, sent: [greeting] },
  { when: 'amid a head', requests: 0, sent: [greeting, half(get('/'))], isHalfHead: true },
  {
    when: 'between two frames of a head',
    requests: 0,
    sent: [greeting, encodeFrame(FrameType.headers, 0, 1, encodeFields(fields('GET', '/')))],
    isHalfHead: true,
  },
  { when: 'after the head, before the body', requests: 1, sent: [greeting, post()] },
  {
    when: 'amid a frame of the body',
    requests: 1,
    sent: [greeting, post(), half(encodeFrame(FrameType.data, 0, 1, Buffer.alloc(50)))],
  },
  {
    when: 'between two frames of the body',
    requests: 1,
    sent: [greeting, post(), encodeFrame(FrameType.data, 0, 1, Buffer.alloc(50))],
  },
  { when: 'while waiting for the response', requests: 1, sent: [greeting, get('/slow')] },
  { when: 'amid a stream', requests: 1, sent: [greeting, get('/events')], until: 'event 1' },
  { when: 'amid a body that it gives no window', requests: 1, sent: [greeting, get('/big')] },
  {
    when: 'with other streams open',
    requests: 3,
    sent: [
      greeting,
      get('/endless'),
      encodeHeaders(3, fields('GET', '/endless')),
      encodeHeaders(5, fields('GET', '/slow')),
    ],
  },
];

type End = 'reset' | 'end' | 'stream';

function breakOff(client: HttpConnection, end: End): void {
  if (end === 'reset') client.reset();
  else if (end === 'end') client.socket.end();
  else client.send(encodeReset(1, CANCEL));
}

const ends: readonly End[] = ['reset', 'end', 'stream'];

describe.each(ends)('I4 HTTP/2 clients that break off: %s', (end) => {
  // Between two frames, of one stream.
  const possible = points.filter(
    ({ requests, when }) =>
      end !== 'stream' || (requests === 1 && !when.startsWith('amid a frame')),
  );
  test.each(possible)('$when', async ({ requests, sent, until, isHalfHead }) => {
    const told = isHalfHead === true ? 'bad_request' : 'client_aborted';
    const most = isHalfHead === true ? 1 : requests;
    const least = isHalfHead === true && end === 'reset' ? 0 : most;
    const sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
    const clients: HttpConnection[] = [];
    for (const waitMs of [0, 1, 20]) {
      const plan = { proxy: product.proxy, authority: `${HOST}:443`, token: sandbox.token };
      const client = await openTunnel({ ...plan, ca: product.caPem, alpn: ['h2'] });
      clients.push(client);
      if (sent.length > 0) client.send(Buffer.concat(sent));
      if (until !== undefined) await client.reader.readUntil(until);
      await delay(waitMs);
      breakOff(client, end);
    }
    await expectServes(sandbox);
    await eventually(async () => {
      const rows = await listRequests(sandbox);
      const cut = rows.filter(({ path }) => path !== '/still-there');
      // A reset may overtake the last bytes before it: then there was no request to record.
      expect(cut.length).toBeLessThanOrEqual(3 * most);
      expect(cut.length).toBeGreaterThanOrEqual(least);
      expect(cut.filter(({ error_code: code }) => code !== told)).toEqual([]);
      expect(rows.length - cut.length).toBe(1);
    });
    for (const client of clients) client.destroy();
  });
});

test('I7 afterwards nothing is held: no client, no exchange with the origin', async () => {
  await eventually(async () => {
    const text = (await product.admin.get('/metrics')).text;
    const held = [...text.matchAll(/^sallyport_connections\{kind="(\w+)"\} (\d+)$/gm)];
    expect(held.length).toBeGreaterThan(0);
    expect(held.filter(([, , count]) => count !== '0').map(([line]) => line)).toEqual([]);
  }, 5_000);
});
