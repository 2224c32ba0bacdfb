/** What is sent again and what is not when an HTTP/2 origin goes away, and origins that mean harm. */
import { PassThrough, Readable } from 'node:stream';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { UpstreamRequest } from '../../src/egress/upstream.ts';
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
import { CuttingRelay } from '../support/cutting-relay.ts';
import { requestTo, run, start } from './exchange-recorder.ts';
import {
  answerOk,
  Code,
  onHead,
  secureOriginAt,
  startFrameOrigin,
  startHttp2Origin,
  trust,
} from './http2-origin.ts';
import type { FrameConnection, FrameOrigin } from './http2-origin.ts';
import { closeAll, closeLater, settle, upstreamWith } from './upstream-kit.ts';

afterEach(closeAll);

async function framesWith(
  act: Parameters<typeof onHead>[0],
  settings: readonly number[] = [],
): Promise<FrameOrigin> {
  return closeLater(await startFrameOrigin(onHead(act), settings));
}

function h2To(
  { port }: { readonly port: number },
  more: Partial<UpstreamRequest> = {},
): UpstreamRequest {
  return requestTo(secureOriginAt(port), { protocol: 'h2', ...more });
}

function goaway(lastStreamId: number, code: number): Buffer {
  return encodeFrame(FrameType.goaway, 0, 0, encodeUint32(lastStreamId, code));
}

function ok(streamId: number): Buffer {
  return Buffer.concat([
    encodeHeaders(streamId, [':status', '200'], FrameFlag.endHeaders),
    encodeFrame(FrameType.data, FrameFlag.endStream, streamId, Buffer.from('ok')),
  ]);
}

function headsOn(connection: FrameConnection | undefined): number {
  return connection?.frames.filter(({ type }) => type === FrameType.headers).length ?? 0;
}

function post(text: string): Partial<UpstreamRequest> {
  return { method: 'POST', body: Readable.from([Buffer.from(text)]), contentLength: text.length };
}

describe('GOAWAY', () => {
  test.each([Code.noError, Code.enhanceYourCalm])(
    'code %i: what it does not cover is sent again on a new connection, whatever the method',
    async (code) => {
      const origin = await framesWith((connection, id) => {
        if (connection.index === 0) connection.send(goaway(0, code));
        else connection.send(ok(id));
      });
      const recorder = await run(upstreamWith({ trust }), h2To(origin, post('once')));
      expect(recorder.body).toBe('ok');
      expect(recorder.calls).toEqual(['headWritten', 'headWritten', 'response', 'data', 'end']);
      expect(origin.connections.map(headsOn)).toEqual([1, 1]);
      const sent = origin.connections[1]?.frames.filter(({ type }) => type === FrameType.data);
      expect(Buffer.concat(sent?.map(({ payload }) => payload) ?? []).toString()).toBe('once');
    },
  );

  test('what it covers is never sent twice, not even when the connection ends without an answer', async () => {
    const origin = await framesWith((connection, id) => {
      connection.send(goaway(id, Code.noError));
      setTimeout(() => connection.socket.end(), 20);
    });
    const recorder = await run(upstreamWith({ trust }), h2To(origin, post('once')));
    expect(recorder.failure?.code).toBe('upstream_unreachable');
    await settle();
    expect(origin.connections.map(headsOn)).toEqual([1]);
  });

  test('an error code ends covered streams with it; they are not sent again', async () => {
    const origin = await framesWith((connection, id) =>
      connection.send(goaway(id, Code.internalError)),
    );
    const recorder = await run(upstreamWith({ trust }), h2To(origin, post('once')));
    expect(recorder.failure?.code).toBe('upstream_unreachable');
    expect(recorder.failure?.auditDetail).toContain('INTERNAL_ERROR');
    await settle();
    expect(origin.connections.map(headsOn)).toEqual([1]);
  });

  test('a covered stream finishes on the old connection while new ones go to a new one', async () => {
    let slow = 0;
    const origin = await framesWith((connection, id) => {
      if (connection.index > 0) connection.send(ok(id));
      else {
        slow = id;
        connection.send(goaway(2 ** 31 - 1, Code.noError));
      }
    });
    const upstream = upstreamWith({ trust });
    const first = start(upstream, h2To(origin));
    await expect.poll(() => slow).toBeGreaterThan(0);
    await settle();
    expect((await run(upstream, h2To(origin))).body).toBe('ok');
    expect(upstream.connections).toBe(2);
    origin.connections[0]?.send(ok(slow));
    await first.done;
    expect(first.body).toBe('ok');
    await expect.poll(() => upstream.connections).toBe(1);
    await expect.poll(() => origin.connections[0]?.socket.destroyed).toBe(true);
  });

  test('on an idle connection: the next request finds a new one', async () => {
    const origin = await framesWith((connection, id) => connection.send(ok(id)));
    const upstream = upstreamWith({ trust });
    await run(upstream, h2To(origin));
    origin.connections[0]?.send(goaway(1, Code.noError));
    await expect.poll(() => upstream.connections).toBe(0);
    expect((await run(upstream, h2To(origin, post('once')))).body).toBe('ok');
    expect(origin.connections.map(headsOn)).toEqual([1, 1]);
  });

  test('many uncovered streams share the new connection', async () => {
    const held: number[] = [];
    const origin = await framesWith(
      (connection, id) => {
        if (connection.index > 0) connection.send(ok(id));
        else if (held.push(id) === 10) connection.send(goaway(0, Code.noError));
      },
      [3, 100],
    );
    const upstream = upstreamWith({ trust });
    const recorders = await Promise.all(
      Array.from({ length: 10 }, () => run(upstream, h2To(origin, post('once')))),
    );
    expect(recorders.map(({ body }) => body)).toEqual(Array(10).fill('ok'));
    expect(origin.connections.map(headsOn)).toEqual([10, 10]);
  });

  test.each([
    [128 * 1024, 1],
    [4 * 1024, 2],
  ])('of a body of %i bytes that is still coming: sent %i times', async (bytes, times) => {
    const origin = closeLater(
      await startFrameOrigin((connection, { type, flags }) => {
        if (connection.index > 0) {
          if (type === FrameType.data && flags === FrameFlag.endStream) connection.send(ok(1));
        } else if (type === FrameType.data) {
          connection.send(goaway(0, Code.noError));
        }
      }),
    );
    const body = new PassThrough();
    const recorder = start(upstreamWith({ trust }), h2To(origin, { method: 'POST', body }));
    body.write(Buffer.alloc(bytes));
    await expect.poll(() => origin.connections.length).toBeGreaterThan(0);
    setTimeout(() => body.end('end'), 50);
    await recorder.done;
    expect(recorder.calls.at(-1)).toBe(times === 1 ? 'failure' : 'end');
    expect(origin.connections.map(headsOn)).toEqual(Array(times).fill(1));
  });
});

describe('one stream', () => {
  test('REFUSED_STREAM is sent again once, on a new connection, also a POST', async () => {
    const origin = await framesWith((connection, id) => {
      connection.send(connection.index === 0 ? encodeReset(id, Code.refusedStream) : ok(id));
    });
    const recorder = await run(upstreamWith({ trust }), h2To(origin, post('once')));
    expect(recorder.body).toBe('ok');
    expect(origin.connections.map(headsOn)).toEqual([1, 1]);
  });

  test('REFUSED_STREAM twice is a failure that a client may retry', async () => {
    const origin = await framesWith((connection, id) => {
      connection.send(encodeReset(id, Code.refusedStream));
    });
    const recorder = await run(upstreamWith({ trust }), h2To(origin));
    expect(recorder.failure?.code).toBe('upstream_unreachable');
    expect(recorder.http2ErrorCode).toBe(Code.refusedStream);
    expect(origin.connections.map(headsOn)).toEqual([1, 1]);
  });

  test('HTTP_1_1_REQUIRED is sent again over HTTP/1.1', async () => {
    const origin = closeLater(
      await startHttp2Origin({
        allowHttp1: true,
        onStream: (stream) => stream.close(Code.http11Required),
      }),
    );
    const upstream = upstreamWith({ trust });
    const recorder = await run(upstream, h2To(origin, post('once')));
    expect(recorder.body).toBe('one');
    expect(origin.serial).toEqual(['/']);
    expect(origin.streams).toHaveLength(1);
  });

  test('a connection that breaks: GET is sent again, POST is not', async () => {
    const origin = await framesWith((connection, id) => {
      if (connection.index % 2 === 0) connection.socket.destroy();
      else connection.send(ok(id));
    });
    expect((await run(upstreamWith({ trust }), h2To(origin))).body).toBe('ok');
    const recorder = await run(upstreamWith({ trust }), h2To(origin, post('once')));
    expect(recorder.failure?.code).toBe('upstream_unreachable');
    expect(recorder.failure?.proxyError).toBe('connection_terminated');
    expect(origin.connections).toHaveLength(3);
  });

  test('a reset ends every stream at once, also those that wait for a window, and frees the place', async () => {
    const origin = closeLater(await startHttp2Origin({ onStream: () => undefined }));
    await using relay = await CuttingRelay.start(origin);
    const upstream = upstreamWith({ trust });
    const recorders = Array.from({ length: 10 }, () => {
      const body = Readable.from([Buffer.alloc(500_000)]);
      return start(upstream, h2To(relay, { method: 'POST', body }));
    });
    await expect.poll(() => origin.streams.length).toBe(10);
    relay.arm(1);
    origin.streams[0]?.stream.session?.ping(() => undefined);
    await Promise.all(recorders.map(({ done }) => done));
    expect(recorders.map(({ failure }) => failure?.code)).toEqual(
      Array(10).fill('upstream_unreachable'),
    );
    await expect.poll(() => upstream.connections).toBe(0);
  });

  test('a connection that was closed while nobody used it costs no request', async () => {
    const origin = await framesWith((connection, id) => connection.send(ok(id)));
    const upstream = upstreamWith({ trust });
    await run(upstream, h2To(origin));
    origin.connections[0]?.socket.end();
    await expect.poll(() => upstream.connections).toBe(0);
    expect((await run(upstream, h2To(origin, post('once')))).body).toBe('ok');
  });
});

/** Field lines that are not HTTP/2. */
const INVALID_HEADS: readonly (readonly [string, readonly string[]])[] = [
  ['no status', ['x', '1']],
  ['two statuses', [':status', '200', ':status', '204']],
  ['another pseudo field', [':status', '200', ':path', '/']],
  ['a pseudo field after a field', [':status', '200', 'x', '1', ':status', '200']],
  ['an upper case name', [':status', '200', 'X-A', '1']],
  ['connection', [':status', '200', 'connection', 'close']],
  ['transfer-encoding', [':status', '200', 'transfer-encoding', 'chunked']],
  ['upgrade', [':status', '200', 'upgrade', 'websocket']],
  ['101', [':status', '101']],
  ['two lengths', [':status', '200', 'content-length', '1', 'content-length', '2']],
];

describe('an origin that is not HTTP/2, or means harm', () => {
  test.each(INVALID_HEADS)('I6: a head with %s is refused', async (_, fields) => {
    const origin = await framesWith((connection, id) => connection.send(encodeHeaders(id, fields)));
    const recorder = await run(upstreamWith({ trust }), h2To(origin));
    expect(recorder.calls).toEqual(['headWritten', 'failure']);
    expect(recorder.failure?.code).toBe('upstream_protocol_error');
  });

  test.each([
    ['short', 'o'],
    ['long', 'okok'],
  ])('I6: a body that is too %s for its length is not complete', async (_, text) => {
    const origin = await framesWith((connection, id) => {
      connection.send(
        encodeHeaders(id, [':status', '200', 'content-length', '2'], FrameFlag.endHeaders),
        encodeFrame(FrameType.data, FrameFlag.endStream, id, Buffer.from(text)),
      );
    });
    const recorder = await run(upstreamWith({ trust }), h2To(origin));
    expect(recorder.calls).not.toContain('end');
    expect(recorder.failure?.code).toBe('upstream_protocol_error');
  });

  test('trailers with a pseudo field, or without the end, are refused', async () => {
    const trailers = [
      [[':status', '200'], FrameFlag.endHeaders | FrameFlag.endStream],
      [['x', '1'], FrameFlag.endHeaders],
    ] as const;
    for (const [fields, flags] of trailers) {
      const origin = await framesWith((connection, id) => {
        connection.send(
          encodeHeaders(id, [':status', '200'], FrameFlag.endHeaders),
          encodeHeaders(id, fields, flags),
        );
      });
      const recorder = await run(upstreamWith({ trust }), h2To(origin));
      expect(recorder.calls).not.toContain('end');
      expect(recorder.failure?.code).toBe('upstream_protocol_error');
    }
  });

  test('bytes that are no frames', async () => {
    const origin = await framesWith((connection) => {
      connection.send(Buffer.from('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));
    });
    const recorder = await run(upstreamWith({ trust }), h2To(origin));
    expect(recorder.failure?.code).toBe('upstream_protocol_error');
  });

  test('a push, which we switched off, ends the connection', async () => {
    const origin = await framesWith((connection, id) => {
      const promised = Buffer.concat([
        encodeUint32(2),
        encodeFields([':method', 'GET', ':path', '/']),
      ]);
      connection.send(
        encodeFrame(FrameType.pushPromise, FrameFlag.endHeaders, id, promised),
        ok(id),
      );
    });
    const recorder = await run(upstreamWith({ trust }), h2To(origin));
    expect(recorder.failure?.code).toBe('upstream_protocol_error');
    const settings = origin.connections[0]?.frames.find(({ type }) => type === FrameType.settings);
    expect(settings?.payload.toString('hex')).toContain('000200000000');
  });

  test('I7: a head that is too large, plain or by compression, and too many informational ones', async () => {
    const large = 'x'.repeat(9_000);
    const bomb = (id: number): Buffer => {
      const block = Buffer.concat([
        encodeFields([':status', '200']),
        encodeFields(['x', 'y'.repeat(4_000)], true),
        encodeIndexed(62, 10_000),
      ]);
      return encodeFrame(FrameType.headers, FrameFlag.endHeaders | FrameFlag.endStream, id, block);
    };
    const heads: ((id: number) => Buffer)[] = [
      (id) => encodeHeaders(id, [':status', '200', 'x', large]),
      (id) => encodeHeaders(id, [':status', '200', ...Array.from({ length: 1_000 }, () => 'x')]),
      bomb,
      (id) =>
        Buffer.concat(
          Array.from({ length: 100 }, () =>
            encodeHeaders(id, [':status', '103'], FrameFlag.endHeaders),
          ),
        ),
    ];
    for (const head of heads) {
      const origin = await framesWith((connection, id) => connection.send(head(id)));
      const upstream = upstreamWith({ trust, limits: { headBytesMax: 8_192 } });
      const recorder = await run(upstream, h2To(origin));
      expect(recorder.failure?.code).toMatch(/^upstream_(protocol_error|unreachable)$/);
      expect(recorder.calls).not.toContain('response');
      expect(recorder.informational.length).toBeLessThanOrEqual(32);
    }
  });

  test.each([
    [
      'CONTINUATION',
      (id: number) => [
        encodeFrame(FrameType.headers, 0, id, encodeFields([':status', '200'])),
        ...Array.from({ length: 5_000 }, () =>
          encodeFrame(FrameType.continuation, 0, id, encodeFields(['x', 'y'])),
        ),
      ],
    ],
    ['SETTINGS', () => Array.from({ length: 5_000 }, () => encodeSettings(4, 65_535))],
    [
      'PING',
      () => Array.from({ length: 5_000 }, () => encodeFrame(FrameType.ping, 0, 0, Buffer.alloc(8))),
    ],
  ])("I7: a flood of %s ends the connection and is the origin's fault", async (_, flood) => {
    const origin = await framesWith((connection, id) => connection.send(...flood(id)));
    const upstream = upstreamWith({ trust });
    const recorder = await run(upstream, h2To(origin));
    expect(recorder.failure?.code).toBe('upstream_protocol_error');
    await expect.poll(() => upstream.connections).toBe(0);
    const fine = closeLater(await startHttp2Origin({ onStream: (stream) => answerOk(stream) }));
    expect((await run(upstream, h2To(fine))).body).toBe('ok');
  });

  test.each([
    ['SETTINGS', encodeSettings(4, 65_535)],
    ['PING', encodeFrame(FrameType.ping, 0, 0, Buffer.alloc(8))],
  ])('I7: %s in a steady stream, each of them answered, end the connection', async (_, frame) => {
    const timers: NodeJS.Timeout[] = [];
    const origin = await framesWith((connection) => {
      timers.push(setInterval(() => connection.send(frame, frame, frame, frame), 2));
    });
    const upstream = upstreamWith({ trust });
    const recorder = await run(upstream, h2To(origin));
    for (const timer of timers) clearInterval(timer);
    expect(recorder.failure?.code).toBe('upstream_protocol_error');
    expect(recorder.failure?.auditDetail).toContain('flood');
    await expect.poll(() => upstream.connections).toBe(0);
  });

  test('an origin that measures every round trip of an upload with a PING is no flood', async () => {
    const pieces = 400;
    const origin = closeLater(
      await startFrameOrigin((connection, { type, flags, streamId, payload }) => {
        if (type !== FrameType.data) return;
        connection.send(encodeFrame(FrameType.ping, 0, 0, Buffer.alloc(8)));
        const window = encodeUint32(Math.max(1, payload.length));
        connection.send(encodeFrame(FrameType.windowUpdate, 0, 0, window));
        if (flags === FrameFlag.endStream) connection.send(ok(streamId));
        else connection.send(encodeFrame(FrameType.windowUpdate, 0, streamId, window));
      }),
    );
    const body = new PassThrough();
    const recorder = start(upstreamWith({ trust }), h2To(origin, { method: 'POST', body }));
    const [connection] = await vi.waitUntil(
      () => origin.connections.length > 0 && origin.connections,
    );
    for (let sent = 1; sent <= pieces; sent += 1) {
      body.write('x');
      await vi.waitUntil(() => (connection?.frames.length ?? 0) >= 2 * sent, { interval: 1 });
    }
    body.end();
    await recorder.done;
    expect(recorder.body).toBe('ok');
  });

  test('an origin that chose HTTP/2 and never speaks: one request is answered for it, the others in time', async () => {
    const origin = closeLater(await startFrameOrigin(() => undefined));
    const upstream = upstreamWith({ trust, limits: { responseHeadTimeoutMs: 100 } });
    const recorders = await Promise.all([1, 2, 3].map(() => run(upstream, h2To(origin))));
    expect(recorders.map(({ failure }) => failure?.code)).toEqual(
      Array(3).fill('upstream_timeout'),
    );
    expect(origin.connections).toHaveLength(1);
  });
});
