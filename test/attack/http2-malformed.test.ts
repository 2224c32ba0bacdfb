/**
 * Malformed HTTP/2, by hand, through the real proxy: frames out of place end the connection, heads that
 * two readers could take differently end their stream, and nothing of them becomes an HTTP/1.1 request at
 * the origin (I6). Each leaves an event (I4).
 */
import { constants } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { openTunnel } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import {
  encodeFields,
  encodeFrame,
  encodeHeaders,
  encodeSettings,
  encodeUint32,
  FrameFlag,
  FrameType,
  PREFACE,
} from '../support/http2-frames.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';
import { SMUGGLED_TARGET } from './attack-case.ts';
import { openAttacker } from './http2-attacker.ts';
import type { Http2Attacker } from './http2-attacker.ts';
import { RecordingOrigin } from './recording-origin.ts';

const HOST = 'api.example.test';
const value = mintCanary();
const SMUGGLED = `GET ${SMUGGLED_TARGET} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
let origin: RecordingOrigin;
let product: Product;
let sandbox: TestSandbox;

beforeAll(async () => {
  const authority = new TestAuthority();
  origin = await RecordingOrigin.start(authority.mintLeaf([HOST]));
  product = await startProduct({ hosts: { [HOST]: origin.address }, originCa: authority.caPem });
  await product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST] });
  sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
});

beforeEach(() => {
  origin.take();
});

afterAll(async () => {
  await product.assertNoLeak(value);
  await product[Symbol.asyncDispose]();
  await origin[Symbol.asyncDispose]();
});

const open = (): Promise<Http2Attacker> => openAttacker(product, sandbox, `${HOST}:443`);
const ENDS = FrameFlag.endHeaders | FrameFlag.endStream;
const getOf = (path: string): readonly string[] =>
  Object.entries({
    ':method': 'GET',
    ':scheme': 'https',
    ':path': path,
    ':authority': HOST,
  }).flat();
const base = getOf('/attack');
const innocent = getOf('/innocent');
/** The usual head with other pseudo fields; `null` leaves one out. */
function head(
  over: Readonly<Record<string, string | null>>,
  ...fields: readonly string[]
): string[] {
  const lines: string[] = [];
  for (let i = 0; i + 1 < base.length; i += 2) {
    const name = base[i] ?? '';
    const said = over[name];
    if (said !== null) lines.push(name, said ?? base[i + 1] ?? '');
  }
  return [...lines, ...fields];
}
const post = (...fields: readonly string[]): string[] => head({ ':method': 'POST' }, ...fields);

/** Attacks since the last look, each of which owes one event (I4). */
let owed = 0;

/** What `act` began left exactly `owed` refusals; a sandbox of its own keeps them apart. */
async function expectEvents(): Promise<void> {
  const path = `/audit?sandbox=${sandbox.id}&limit=1000`;
  await eventually(async () => {
    const { data } = (await product.admin.must('GET', path)) as {
      data: { code?: string | null }[];
    };
    expect(data.filter(({ code }) => typeof code === 'string')).toHaveLength(owed);
  });
  owed = 0;
  sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
}

/** On the same connection, after the attack. */
async function expectStillServed(attacker: Http2Attacker): Promise<void> {
  attacker.send(encodeHeaders(5, innocent));
  await attacker.until('the innocent answer', () => attacker.status(5) === 200);
}

async function expectNeighbourServed(): Promise<void> {
  using neighbour = await product.openTunnel(sandbox, `${HOST}:443`);
  expect((await neighbour.request({ path: '/innocent' })).text()).toBe('/innocent');
}

describe('I6 heads that are refused, one stream each', () => {
  test.each<readonly [string, readonly string[]]>([
    ['a name in upper case', head({}, 'X-A', '1')],
    ['no :method', head({ ':method': null })],
    ['no :scheme', head({ ':scheme': null })],
    ['no :path', head({ ':path': null })],
    ['an empty :path', head({ ':path': '' })],
    ['no :authority and no host', head({ ':authority': null })],
    ['an empty :authority', head({ ':authority': '' })],
    ['user info in :authority', head({ ':authority': `user@${HOST}` })],
    ['another :authority', head({ ':authority': 'other.example.test' })],
    ['another host beside :authority', head({}, 'host', 'other.example.test')],
    ['only another host', head({ ':authority': null }, 'host', 'other.example.test')],
    ['two hosts', head({}, 'host', HOST, 'host', HOST)],
    ['two :path', [...base, ':path', '/other']],
    ['two :authority', [...base, ':authority', HOST]],
    ['an unknown pseudo field', head({}, ':proxy', '1')],
    [':protocol, which was not offered', head({ ':method': 'CONNECT' }, ':protocol', 'websocket')],
    [':status in a request', head({}, ':status', '200')],
    ['a pseudo field behind the others', ['x-a', '1', ...base]],
    ['plain http', head({ ':scheme': 'http' })],
    ['another scheme', head({ ':scheme': 'ftp' })],
    ['connection', head({}, 'connection', 'close')],
    ['connection naming a field', head({}, 'connection', 'authorization')],
    ['transfer-encoding', post('transfer-encoding', 'chunked')],
    ['transfer_encoding', post('transfer_encoding', 'chunked')],
    ['content_length', post('content_length', '5')],
    ['keep-alive', head({}, 'keep-alive', 'timeout=5')],
    ['upgrade', head({}, 'upgrade', 'websocket')],
    ['proxy-connection', head({}, 'proxy-connection', 'close')],
    ['te other than trailers', head({}, 'te', 'gzip, trailers')],
    ['a length that is no number', post('content-length', '+5')],
    ['two lengths', post('content-length', '0', 'content-length', '0')],
    ['a length where nothing follows', post('content-length', '5')],
    ['a method with a space', head({ ':method': 'GET /x' })],
    ['a method with a line break', head({ ':method': 'GET / HTTP/1.1\r\nX: 1\r\n\r\nGET' })],
    [
      'a path with a line break',
      head({ ':path': `/ HTTP/1.1\r\nHost: ${HOST}\r\n\r\n${SMUGGLED}` }),
    ],
    ['a path with a space', head({ ':path': '/x HTTP/1.1' })],
    ['a path that is a URL', head({ ':path': 'https://other.example.test/' })],
    ['a path without a slash', head({ ':path': 'x' })],
    ['a fragment', head({ ':path': '/x#y' })],
    ['a raw byte in the path', head({ ':path': '/caf\u00e9' })],
    ['CONNECT', [':method', 'CONNECT', ':authority', `${HOST}:443`]],
    ['TRACE', head({ ':method': 'TRACE' })],
  ])('%s', async (_what, fields) => {
    using attacker = await open();
    attacker.send(encodeHeaders(1, innocent), encodeHeaders(3, fields));
    await expectStillServed(attacker);
    const status = attacker.status(3);
    const reset = attacker.resetCode(3);
    expect(status === undefined ? reset : status).toSatisfy((said: number) =>
      [constants.NGHTTP2_PROTOCOL_ERROR, 400, 405, 421].includes(said),
    );
    const { requests, faults } = origin.take();
    expect(requests.map(({ target }) => target)).toEqual(['/innocent', '/innocent']);
    expect(faults).toEqual([]);
    owed += 1;
  });

  test('I4 each left one event', async () => {
    expect(owed).toBeGreaterThan(40);
    await expectEvents();
  });
});

describe('I6 what HTTP/1.1 would split', () => {
  test.each<readonly [string, readonly string[]]>([
    ['a value with a line break', ['x-a', `1\r\n\r\n${SMUGGLED}`]],
    ['a value with a bare line feed', ['x-a', '1\nauthorization: Bearer attacker-token']],
    ['a value with NUL', ['x-a', '1\0\0authorization\0Bearer attacker-token']],
    ['a name with a colon', ['x-a: 1\r\nx-b', '1']],
    ['a name with a space', ['x-a ', '1']],
    ['an empty name', ['', '1']],
  ])('%s goes nowhere', async (_what, fields) => {
    using attacker = await open();
    attacker.send(encodeHeaders(1, head({}, ...fields, 'x-after', '1')));
    await attacker.until('an end', () => {
      return attacker.status(1) !== undefined || attacker.resetCode(1) !== undefined;
    });
    await expectStillServed(attacker);
    const { requests, faults, text } = origin.take();
    expect(faults).toEqual([]);
    expect(requests.length).toBeLessThanOrEqual(2);
    expect(text).not.toContain('attacker-token');
    expect(text).not.toContain(SMUGGLED_TARGET);
  });

  test.each<readonly [string, readonly string[], Buffer]>([
    ['a request behind a length of zero', ['content-length', '0'], Buffer.from(SMUGGLED)],
    ['more than its length', ['content-length', '3'], Buffer.from(`abc${SMUGGLED}`)],
    ['less than its length', ['content-length', '500'], Buffer.from('abc')],
  ])('%s', async (_what, fields, body) => {
    using attacker = await open();
    attacker.send(
      encodeHeaders(1, post(...fields), FrameFlag.endHeaders),
      encodeFrame(FrameType.data, FrameFlag.endStream, 1, body),
    );
    await attacker.until('an end', () => attacker.isOver || attacker.resetCode(1) !== undefined);
    await delay(50);
    await expectNeighbourServed();
    const { requests, faults } = origin.take();
    expect([requests.map(({ target }) => target), faults]).toEqual([['/innocent'], []]);
  });

  test('chunks inside a body without a length stay a body', async () => {
    using attacker = await open();
    const body = `0\r\n\r\n${SMUGGLED}`;
    attacker.send(
      encodeHeaders(1, post(), FrameFlag.endHeaders),
      encodeFrame(FrameType.data, FrameFlag.endStream, 1, Buffer.from(body)),
    );
    await attacker.until('an answer', () => attacker.status(1) === 200);
    const { requests, faults } = origin.take();
    expect(faults).toEqual([]);
    expect(requests.map(({ target }) => target)).toEqual(['/attack']);
  });

  test('trailers that look like a head', async () => {
    using attacker = await open();
    const trailers = ['content-length', '0', 'transfer-encoding', 'chunked', ':path', '/x'];
    attacker.send(
      encodeHeaders(1, post('trailer', 'content-length'), FrameFlag.endHeaders),
      encodeFrame(FrameType.data, 0, 1, Buffer.from('abc')),
      encodeHeaders(1, trailers),
    );
    await attacker.until('a reset', () => attacker.resetCode(1) !== undefined);
    await expectStillServed(attacker);
    expect(origin.take().requests.map(({ target }) => target)).toEqual(['/innocent']);
  });
});

const data = (streamId: number, flags = 0): Buffer =>
  encodeFrame(FrameType.data, flags, streamId, Buffer.from('x'));

const FRAMES: readonly (readonly [string, () => readonly Buffer[]])[] = [
  ['HEADERS on stream 0', () => [encodeHeaders(0, base)]],
  ['an even stream', () => [encodeHeaders(2, base)]],
  ['a stream used again', () => [encodeHeaders(1, base), encodeHeaders(1, base)]],
  ['DATA on stream 0', () => [data(0)]],
  ['DATA on a stream that never was', () => [data(9)]],
  ['RST_STREAM on one that never was', () => [encodeFrame(3, 0, 9, encodeUint32(8))]],
  [
    'PUSH_PROMISE',
    () => [encodeFrame(5, 4, 1, Buffer.concat([encodeUint32(2), encodeFields(base)]))],
  ],
  ['CONTINUATION without HEADERS', () => [encodeFrame(9, 4, 1, encodeFields(base))]],
  ['another frame inside a head', () => [encodeHeaders(1, base, 1), encodeSettings()]],
  ['SETTINGS on a stream', () => [encodeFrame(4, 0, 1)]],
  ['SETTINGS of a broken length', () => [encodeFrame(4, 0, 0, Buffer.alloc(5))]],
  ['SETTINGS_ENABLE_PUSH of 2', () => [encodeSettings(2, 2)]],
  ['a window larger than there is', () => [encodeSettings(4, 2 ** 31)]],
  ['PING of a broken length', () => [encodeFrame(6, 0, 0, Buffer.alloc(7))]],
  ['PING on a stream', () => [encodeFrame(6, 0, 1, Buffer.alloc(8))]],
  ['WINDOW_UPDATE of 0', () => [encodeFrame(8, 0, 0, encodeUint32(0))]],
  ['a window that overflows', () => [encodeFrame(8, 0, 0, encodeUint32(2 ** 31 - 1))]],
  ['a frame of 16 MiB', () => [Buffer.from([255, 255, 255, 0, 0, 0, 0, 0, 1])]],
  ['a field block that is none', () => [encodeFrame(1, ENDS, 1, Buffer.alloc(6, 0xff))]],
  [
    'a table larger than agreed',
    () => [encodeFrame(1, ENDS, 1, Buffer.from([0x3f, 0xe1, 0xff, 3]))],
  ],
  ['padding longer than the frame', () => [encodeFrame(1, ENDS | 8, 1, Buffer.from([200, 1]))]],
  ['HTTP/1.1', () => [Buffer.from(SMUGGLED)]],
];

describe('frames out of place end the connection', () => {
  beforeAll(async () => {
    sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
  });

  test.each(FRAMES)('%s', async (_what, frames) => {
    using attacker = await open();
    attacker.send(...frames());
    await attacker.waitForEnd();
    expect(attacker.goawayCode).not.toBe(constants.NGHTTP2_NO_ERROR);
    await expectNeighbourServed();
    const { requests, faults } = origin.take();
    expect(faults).toEqual([]);
    expect(requests.every(({ target }) => target !== SMUGGLED_TARGET)).toBe(true);
  });

  test('I4 each left its event', async () => {
    const path = `/audit?sandbox=${sandbox.id}&limit=1000`;
    await eventually(async () => {
      const { data } = (await product.admin.must('GET', path)) as {
        data: { code?: string | null }[];
      };
      expect(data.filter(({ code }) => code === 'bad_request')).toHaveLength(FRAMES.length);
    });
  });

  test('HTTP/1.1 where h2 was chosen, and a preface where it was not', async () => {
    const plan = { proxy: product.proxy, authority: `${HOST}:443`, token: sandbox.token };
    using wrong = await openTunnel({ ...plan, ca: product.caPem, alpn: ['h2'] });
    wrong.send(SMUGGLED);
    await wrong.reader.waitForEnd();
    using preface = await openTunnel({ ...plan, ca: product.caPem, alpn: ['http/1.1'] });
    preface.send(PREFACE);
    await preface.reader.waitForEnd();
    const said = Buffer.concat(preface.reader.transcript).toString('latin1');
    expect(said).toMatch(/^HTTP\/1\.1 400 /);
    expect(origin.take().requests).toEqual([]);
    await expectNeighbourServed();
  });
});
