/**
 * HTTP/2 floods and stalls, by hand, through the real proxy: each costs the attacker its connection or its
 * stream, a neighbour is served meanwhile and after, and memory does not grow (I7). Whatever was begun
 * leaves its events (I4).
 */
import { readFile } from 'node:fs/promises';
import { constants } from 'node:http2';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import type { HttpConnection } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import {
  encodeFields,
  encodeFrame,
  encodeHeaders,
  encodeIndexed,
  encodeReset,
  encodeSettings,
  encodeUint32,
  FrameFlag,
  FrameType,
} from '../support/http2-frames.ts';
import { big, endless, events, reply } from '../support/origin-replies.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { openAttacker } from './http2-attacker.ts';
import type { Http2Attacker } from './http2-attacker.ts';

const HOST = 'api.example.test';
const value = mintCanary();
const CALM = constants.NGHTTP2_ENHANCE_YOUR_CALM;
const MIB = 1024 * 1024;
/** What a process may grow by while it holds 10 MB of the attacker's bytes at most; noise included. */
const GROWTH_MAX_KIB = 96 * 1024;

let scene: Scene;
let sandbox: TestSandbox;
let neighbour: HttpConnection;
let rssBeforeKib: number;

const rssKib = async (): Promise<number> => {
  const status = await readFile(`/proc/${scene.product.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
};

beforeAll(async () => {
  scene = await startScene({
    names: [HOST],
    handlers: {
      '/big': big(32 * MIB),
      '/endless': endless(),
      '/drip': events(1_000, 50),
      '/quick': reply(200, 'quick'),
    },
    settings: {
      limits: {
        head_timeout_ms: 1_000,
        idle_timeout_ms: 1_000,
        body_silence_timeout_ms: 1_000,
      },
    },
  });
  await scene.product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST] });
  rssBeforeKib = await rssKib();
});

beforeEach(async () => {
  sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
});

afterEach(async () => {
  const other = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
  neighbour = await scene.product.openTunnel(other, `${HOST}:443`);
  const answer = await neighbour.request({ path: '/quick' });
  neighbour.destroy();
  if (answer.status !== 200) throw new Error(`the neighbour got ${answer.status}`);
  const grownKib = (await rssKib()) - rssBeforeKib;
  if (grownKib > GROWTH_MAX_KIB) throw new Error(`the proxy grew by ${grownKib} KiB`);
});

afterAll(async () => {
  await scene.product.assertNoLeak(value);
  await scene[Symbol.asyncDispose]();
});

const open = (settings: readonly number[] = []): Promise<Http2Attacker> =>
  openAttacker(scene.product, sandbox, `${HOST}:443`, { settings });

const head = (path = '/quick', method = 'GET'): string[] => [
  ':method',
  method,
  ':scheme',
  'https',
  ':path',
  path,
  ':authority',
  HOST,
];
const get = (streamId: number, path?: string): Buffer => encodeHeaders(streamId, head(path));
const post = (streamId: number, path?: string): Buffer =>
  encodeHeaders(streamId, head(path, 'POST'), FrameFlag.endHeaders);
const data = (streamId: number, bytes = 0, flags = 0): Buffer =>
  encodeFrame(FrameType.data, flags, streamId, Buffer.alloc(bytes, 'a'));
const windowUpdate = (streamId: number, increment: number): Buffer =>
  encodeFrame(FrameType.windowUpdate, 0, streamId, encodeUint32(increment));
const times = (count: number, make: (index: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));
const odd = (index: number): number => 2 * index + 1;

interface Row {
  readonly code?: string | null;
  readonly detail?: string | null;
}

async function rows(): Promise<Row[]> {
  const path = `/audit?sandbox=${sandbox.id}&limit=1000`;
  return ((await scene.product.admin.must('GET', path)) as { data: Row[] }).data;
}

describe('I7 floods end the connection', () => {
  test('I4 rapid reset (CVE-2023-44487): bounded work, an event for each', async () => {
    scene.origin.clear();
    using attacker = await open();
    attacker.send(
      times(5_000, (i) => Buffer.concat([get(odd(i), '/endless'), encodeReset(odd(i), 8)])),
    );
    await attacker.waitForEnd();
    expect(attacker.goawayCode).toBe(CALM);
    expect(scene.origin.requests.length).toBeLessThanOrEqual(1_100);
    await eventually(async () => {
      const codes = (await rows()).map((row) => row.code);
      expect(codes.filter((code) => code === 'bad_request')).toHaveLength(1);
      expect(codes.every((code) => code === 'client_aborted' || code === 'bad_request')).toBe(true);
    });
  });

  test('resets that we are made to send (CVE-2025-8671)', async () => {
    scene.origin.clear();
    using attacker = await open();
    // An increment of zero is a stream error (RFC 9113 6.9).
    attacker.send(
      times(5_000, (i) => Buffer.concat([get(odd(i), '/endless'), windowUpdate(odd(i), 0)])),
    );
    await attacker.waitForEnd();
    expect(scene.origin.requests.length).toBeLessThanOrEqual(1_100);
    await eventually(async () => {
      expect((await rows()).some((row) => row.code === 'bad_request')).toBe(true);
    });
  });

  test.each([
    ['SETTINGS', () => encodeSettings(4, 65_535)],
    ['SETTINGS without a setting', () => encodeSettings()],
    ['PING', () => encodeFrame(FrameType.ping, 0, 0, Buffer.alloc(8))],
  ])('%s', async (_what, make) => {
    using attacker = await open();
    attacker.send(times(5_000, make));
    await attacker.waitForEnd();
    expect(attacker.goawayCode).not.toBe(constants.NGHTTP2_NO_ERROR);
    await eventually(async () => {
      expect((await rows()).map((row) => row.code)).toEqual(['bad_request']);
    });
  });

  test('PING, by a client that reads no answer', async () => {
    using attacker = await open();
    attacker.stopReading();
    for (let i = 0; i < 20; i += 1) {
      attacker.send(times(2_000, () => encodeFrame(FrameType.ping, 0, 0, Buffer.alloc(8))));
    }
    await eventually(async () => {
      expect((await rows()).map((row) => row.code)).toEqual(['bad_request']);
    });
  });

  test.each([
    ['PRIORITY', () => encodeFrame(FrameType.priority, 0, 1, Buffer.from([0, 0, 0, 0, 16]))],
    ['an unknown type', () => encodeFrame(0x77, 0, 0, Buffer.alloc(100))],
  ])('%s is read past: nothing is done for it', async (_what, make) => {
    using attacker = await open();
    attacker.send(times(5_000, make), get(3));
    await attacker.until('an answer', () => attacker.status(3) !== undefined);
    expect(attacker.status(3)).toBe(200);
  });

  test('a hundred PINGs, and resets as a browser makes them, are no flood', async () => {
    using attacker = await open();
    attacker.send(times(100, () => encodeFrame(FrameType.ping, 0, 0, Buffer.alloc(8))));
    attacker.send(
      times(100, (i) => Buffer.concat([get(odd(i), '/endless'), encodeReset(odd(i), 8)])),
    );
    attacker.send(get(odd(100)));
    await attacker.until('an answer', () => attacker.status(odd(100)) === 200);
    expect(attacker.goawayCode).toBe(undefined);
  });
});

describe('I7 heads', () => {
  test('CONTINUATION without end', async () => {
    using attacker = await open();
    attacker.send(encodeHeaders(1, head(), FrameFlag.endStream));
    attacker.send(
      times(5_000, () =>
        encodeFrame(FrameType.continuation, 0, 1, encodeFields(['x-a', 'a'.repeat(100)])),
      ),
    );
    await attacker.waitForEnd();
    expect(attacker.goawayCode).not.toBe(constants.NGHTTP2_NO_ERROR);
  });

  test('empty CONTINUATION without end', async () => {
    using attacker = await open();
    attacker.send(encodeHeaders(1, head(), FrameFlag.endStream));
    attacker.send(times(5_000, () => encodeFrame(FrameType.continuation, 0, 1)));
    await attacker.waitForEnd();
    expect(attacker.goawayCode).not.toBe(constants.NGHTTP2_NO_ERROR);
  });

  test('a bomb: 16 KiB of references to 4 KB lines, again and again', async () => {
    scene.origin.clear();
    using attacker = await open();
    const planted = encodeFields(['x-bomb', 'b'.repeat(3_900)], true);
    const first = Buffer.concat([encodeFields(head()), planted]);
    const ends = FrameFlag.endHeaders | FrameFlag.endStream;
    attacker.send(encodeFrame(FrameType.headers, ends, 1, first));
    const bomb = Buffer.concat([encodeFields(head()), encodeIndexed(62, 16_000)]);
    for (let i = 1; i <= 50; i += 1) {
      attacker.send(encodeFrame(FrameType.headers, ends, odd(i), bomb));
    }
    await attacker.until('fifty resets', () => attacker.resetCode(odd(50)) === CALM);
    expect(attacker.status(1)).toBe(200);
    expect(scene.origin.requests.map(({ url }) => url)).toEqual(['/quick']);
  });

  test('one that began and does not end, beside a stream that runs', async () => {
    using attacker = await open();
    attacker.send(get(1, '/drip'));
    await attacker.until('a response', () => attacker.status(1) === 200);
    attacker.send(encodeHeaders(3, head(), FrameFlag.endStream));
    await attacker.waitForEnd();
    await eventually(async () => {
      const codes = new Set((await rows()).map((row) => row.code));
      expect(codes).toEqual(new Set(['bad_request', 'client_aborted']));
    });
  });

  test('one that began and does not end, on a connection that never said anything else', async () => {
    using attacker = await openAttacker(scene.product, sandbox, `${HOST}:443`, { isMute: true });
    attacker.send(encodeHeaders(1, head(), FrameFlag.endStream));
    await attacker.waitForEnd();
    await eventually(async () => {
      expect((await rows()).map((row) => row.code)).toEqual(['bad_request']);
    });
  });

  test('no preface at all', async () => {
    const options = { isBare: true, isMute: true };
    using attacker = await openAttacker(scene.product, sandbox, `${HOST}:443`, options);
    await expect(attacker.waitForEnd()).resolves.toBeUndefined();
  });

  test('more streams than announced: what is beyond is refused, to be tried again', async () => {
    using attacker = await open();
    attacker.send(times(128, (i) => get(odd(i), '/endless')));
    attacker.send(get(odd(128), '/endless'));
    await attacker.until('a refusal', () => attacker.resetCode(odd(128)) !== undefined);
    expect(attacker.resetCode(odd(128))).toBe(constants.NGHTTP2_REFUSED_STREAM);
    expect(attacker.goawayCode).toBe(undefined);
  });
});

describe('I7 bodies', () => {
  test('empty DATA without end', async () => {
    using attacker = await open();
    attacker.send(post(1));
    attacker.send(times(5_000, () => data(1)));
    await attacker.waitForEnd();
    await eventually(async () => {
      expect((await rows()).length).toBeGreaterThanOrEqual(1);
    });
  });

  test('a body that stops coming: 408, no other stream hurt', async () => {
    using attacker = await open();
    attacker.send(post(1), data(1, 100));
    await attacker.until('the end of the stream', () => attacker.status(1) !== undefined);
    expect(attacker.status(1)).toBe(408);
    attacker.send(get(3));
    await attacker.until('an answer', () => attacker.status(3) === 200);
  });

  test('more than the window', async () => {
    using attacker = await open();
    attacker.send(post(1, '/endless'));
    attacker.send(times(40, () => data(1, 16_000)));
    await attacker.until('an end', () => attacker.isOver || attacker.resetCode(1) !== undefined);
    await eventually(async () => expect(await rows()).not.toEqual([]));
  });

  test('a window that never opens: the stream ends, what was fetched is let go', async () => {
    // SETTINGS_INITIAL_WINDOW_SIZE 0
    using attacker = await open([4, 0]);
    for (let i = 0; i < 20; i += 1) attacker.send(get(odd(i), '/big'));
    await attacker.until('resets', () => attacker.resetCode(odd(19)) !== undefined);
    expect(attacker.status(1)).toBe(200);
    expect(attacker.bodyBytes(1)).toBe(0);
    await eventually(async () => {
      const codes = (await rows()).map((row) => row.code);
      expect(codes).toEqual(Array.from({ length: 20 }, () => 'request_timeout'));
    });
  });

  test('a small answer whose window never opens', async () => {
    using attacker = await open([4, 0]);
    attacker.send(get(1, '/quick'));
    await attacker.until('the reset', () => attacker.resetCode(1) !== undefined);
    expect(attacker.status(1)).toBe(200);
  });

  test('a client that takes a byte at a time', async () => {
    using attacker = await open([4, 1]);
    attacker.send(get(1, '/big'));
    const timer = setInterval(() => attacker.send(windowUpdate(1, 1)), 50);
    try {
      await attacker.until('the reset', () => attacker.resetCode(1) !== undefined);
    } finally {
      clearInterval(timer);
    }
    expect(attacker.bodyBytes(1)).toBeLessThan(1_000);
  });

  test('a client that never reads its socket', async () => {
    using attacker = await open([4, 2 ** 31 - 1]);
    attacker.send(windowUpdate(0, 2 ** 30));
    attacker.stopReading();
    for (let i = 0; i < 20; i += 1) attacker.send(get(odd(i), '/big'));
    await eventually(async () => {
      expect((await rows()).filter((row) => row.code === 'request_timeout')).toHaveLength(20);
    }, 8_000);
  });

  test('an idle connection is told to go', async () => {
    using attacker = await open();
    attacker.send(get(1));
    await attacker.waitForEnd();
    expect(attacker.status(1)).toBe(200);
    expect(attacker.goawayCode).toBe(constants.NGHTTP2_NO_ERROR);
  });
});
