/** Room for decoders: taken while a compressed answer is on its way, given back however it ends. */
import { describe, expect, test } from 'vitest';
import { gzipSync } from 'node:zlib';
import { DecoderRoom } from '../../proxy/content-decoder.ts';
import { dispatchReadable } from '../../proxy/decoded-exchange.ts';
import type { Prepared } from '../../proxy/exchange-context.ts';
import type { UpstreamExchange, UpstreamObserver } from '../../src/egress/upstream.ts';
import { Refusal } from '../../src/kernel/errors.ts';
import { Hidden } from '../../src/kernel/hidden.ts';
import { MaskBook } from '../../src/mask/mask-book.ts';
import { ExchangeRecorder } from '../egress/exchange-recorder.ts';

const mask = new MaskBook({ publicPrefixes: [] }).maskFor([
  {
    versionId: 'v1',
    value: new Hidden('not-a-real-key-0123456789'),
    basicUsername: null,
    maskResponses: true,
  },
]);
const HEAD = { status: 200, statusText: 'OK', fields: ['Content-Encoding', 'gzip'] };
const BODY = gzipSync('a body');

/** An exchange as the egress seam would run it: the test plays the origin. */
class Origin implements UpstreamExchange {
  observer: UpstreamObserver | undefined;
  isAborted = false;

  abort(): void {
    this.isAborted = true;
  }

  resume(): void {}
}

interface Run {
  readonly origin: Origin;
  readonly recorder: ExchangeRecorder;
  readonly exchange: UpstreamExchange;
  /** What reads the origin. */
  readonly observer: UpstreamObserver;
}

const GZIP_BYTES = 128 * 1024;
const roomFor = (count: number): DecoderRoom => new DecoderRoom(4 * count * GZIP_BYTES);

function dispatch(room: DecoderRoom, method = 'GET'): Run {
  const origin = new Origin();
  const recorder = new ExchangeRecorder();
  const request = { method, origin: { sandboxId: 'box' } } as Prepared['request'];
  const exchange = dispatchReadable({ decoders: room }, { request, mask }, recorder, (readable) => {
    origin.observer = readable;
    return origin;
  });
  if (origin.observer === undefined) throw new Error('nothing was dispatched');
  return { origin, recorder, exchange, observer: origin.observer };
}

const ENDS: Readonly<Record<string, (run: Run) => void | Promise<void>>> = {
  'its end': async ({ observer, recorder }) => {
    observer.onData(BODY);
    observer.onEnd([]);
    await recorder.done;
    expect(recorder.body).toBe('a body');
  },
  'an end without a byte': ({ observer, recorder }) => {
    observer.onEnd([]);
    expect(recorder.calls).toEqual(['response', 'end']);
  },
  'an origin that breaks off': ({ observer, recorder }) => {
    observer.onData(BODY.subarray(0, 5));
    observer.onFailure(new Refusal('upstream_unreachable'));
    expect(recorder.failure?.code).toBe('upstream_unreachable');
  },
  'a client that goes away': ({ observer, exchange, origin, recorder }) => {
    observer.onData(BODY.subarray(0, 5));
    exchange.abort();
    expect(origin.isAborted).toBe(true);
    expect(recorder.calls).toEqual(['response']);
  },
  'a body that does not decode': async ({ observer, recorder, origin }) => {
    observer.onData(Buffer.from('rubbish'));
    await recorder.done;
    expect(recorder.failure?.code).toBe('upstream_protocol_error');
    expect(origin.isAborted).toBe(true);
    // What still comes is nobody's.
    observer.onData(BODY);
    observer.onEnd([]);
    expect(recorder.calls).toEqual(['response', 'failure']);
  },
};

describe('I7: room for one', () => {
  test.each(Object.keys(ENDS))('is given back after %s', async (name) => {
    const room = roomFor(1);
    const first = dispatch(room);
    first.observer.onResponse(HEAD);
    const second = dispatch(room);
    second.observer.onResponse(HEAD);
    expect(second.recorder.failure?.code).toBe('too_many_connections');
    expect(second.origin.isAborted).toBe(true);
    await ENDS[name]?.(first);
    const third = dispatch(room);
    third.observer.onResponse(HEAD);
    expect(third.recorder.calls).toEqual(['response']);
    expect(room.take('box', 'gzip')).toBeUndefined();
  });

  test('what one sandbox takes, others still have; a large window counts as one', () => {
    const room = new DecoderRoom(4 * 16 * 1024 * 1024);
    const giveBack = room.take('box', 'br');
    expect(giveBack).toBeDefined();
    expect(room.take('box', 'br')).toBeUndefined();
    expect(room.take('box', 'gzip')).toBeUndefined();
    const others = ['one', 'two', 'three'].map((box) => room.take(box, 'br'));
    expect(others).not.toContain(undefined);
    expect(room.take('four', 'gzip')).toBeUndefined();
    giveBack?.();
    expect(room.take('four', 'zstd')).toBeDefined();
    expect(room.take('box', 'zstd')).toBeDefined();
  });

  test('an answer that is not compressed, or has no body, needs none', () => {
    const room = roomFor(0);
    const plain = dispatch(room);
    plain.observer.onResponse({ ...HEAD, fields: [] });
    plain.observer.onData(Buffer.from('as it is'));
    plain.observer.onEnd([]);
    expect(plain.recorder.body).toBe('as it is');
    const head = dispatch(room, 'HEAD');
    head.observer.onResponse(HEAD);
    head.observer.onEnd([]);
    expect(head.recorder.calls).toEqual(['response', 'end']);
  });
});

test('a reader that stops is waited for', async () => {
  const { observer, recorder, exchange } = dispatch(new DecoderRoom());
  observer.onResponse(HEAD);
  recorder.isPausing = true;
  const text = 'x'.repeat(1_000_000);
  observer.onData(gzipSync(text));
  observer.onEnd([]);
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  while (recorder.body === '') await turn();
  const first = recorder.body.length;
  expect(first).toBeLessThan(text.length);
  for (let i = 0; i < 20; i += 1) await turn();
  expect(recorder.body.length).toBe(first);
  recorder.isPausing = false;
  exchange.resume();
  await recorder.done;
  expect(recorder.body).toBe(text);
});
