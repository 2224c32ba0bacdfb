/** What goes to an HTTP/2 origin and what comes back: fields, bodies, trailers, 1xx, resets. */
import { PassThrough, Readable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import type { UpstreamRequest } from '../../src/egress/upstream.ts';
import {
  encodeFrame,
  encodeHeaders,
  encodeReset,
  FrameFlag,
  FrameType,
} from '../support/http2-frames.ts';
import type { Frame } from '../support/http2-frames.ts';
import { requestTo, run, start } from './exchange-recorder.ts';
import type { ExchangeRecorder } from './exchange-recorder.ts';
import {
  answerOk,
  Code,
  onHead,
  secureOriginAt,
  startFrameOrigin,
  startHttp2Origin,
  trust,
} from './http2-origin.ts';
import type { FrameOrigin, Http2Origin } from './http2-origin.ts';
import { valuesOf } from '../support/origin.ts';
import { closeAll, closeLater, settle, upstreamWith } from './upstream-kit.ts';

afterEach(closeAll);

type OnStream = Parameters<typeof startHttp2Origin>[0]['onStream'];

async function originWith(onStream: OnStream): Promise<Http2Origin> {
  return closeLater(await startHttp2Origin({ onStream }));
}

async function framesWith(act: Parameters<typeof onHead>[0]): Promise<FrameOrigin> {
  return closeLater(await startFrameOrigin(onHead(act)));
}

function h2To(
  origin: { readonly port: number },
  more: Partial<UpstreamRequest> = {},
): UpstreamRequest {
  return requestTo(secureOriginAt(origin.port), { protocol: 'h2', ...more });
}

function ask(
  origin: { readonly port: number },
  more: Partial<UpstreamRequest> = {},
): Promise<ExchangeRecorder> {
  return run(upstreamWith({ trust }), h2To(origin, more));
}

describe('the request', () => {
  test('pseudo fields, then every field in order with duplicates; nothing of a connection', async () => {
    const origin = await originWith((stream) => answerOk(stream));
    const fields = [
      'x-b',
      '1',
      'X-A',
      '2',
      'x-b',
      '3',
      'cookie',
      'a=1',
      'cookie',
      'b=2',
      'x',
      'caf\u00e9',
    ];
    const recorder = await ask(origin, { target: '/p?q=%2F', fields, acceptsTrailers: true });
    expect(recorder.calls).toEqual(['headWritten', 'response', 'data', 'end']);
    expect(recorder.body).toBe('ok');
    expect(origin.streams[0]?.fields).toEqual([
      ':method',
      'GET',
      ':scheme',
      'https',
      ':authority',
      'api.example.com',
      ':path',
      '/p?q=%2F',
      'x-b',
      '1',
      'x-a',
      '2',
      'x-b',
      '3',
      'cookie',
      'a=1',
      'cookie',
      'b=2',
      'x',
      'caf\u00e9',
      'te',
      'trailers',
    ]);
  });

  test('I3: what carries a secret is sent as a literal that no hop may index', async () => {
    const origin = await originWith((stream) => answerOk(stream));
    await ask(origin, {
      target: '/?key=v',
      fields: ['x-other', 'o', 'x-api-key', 'v', 'authorization', 'Bearer v'],
      neverIndexed: ['x-api-key', ':path'],
    });
    const neverIndexed = origin.streams[0]?.neverIndexed;
    expect(neverIndexed).toEqual(expect.arrayContaining(['x-api-key', ':path']));
    expect(neverIndexed).not.toContain('x-other');
  });

  test('a body with a length, one without, and request trailers nobody announced', async () => {
    const bodies: string[] = [];
    const trailers: unknown[] = [];
    const origin = await originWith((stream) => {
      let body = '';
      stream.setEncoding('latin1').on('data', (text: string) => (body += text));
      stream.on('trailers', (_fields, _flags, raw: unknown) => trailers.push(raw));
      stream.on('end', () => {
        bodies.push(body);
        answerOk(stream);
      });
    });
    const upstream = upstreamWith({ trust });
    const text = Readable.from([Buffer.from('hel'), Buffer.from('lo')]);
    await run(upstream, h2To(origin, { method: 'POST', body: text, contentLength: 5 }));
    const body = Readable.from([Buffer.from('more')]);
    const requestTrailers = (): string[] => ['X-Sum', '1', 'x-sum', '2'];
    const last = await run(upstream, h2To(origin, { method: 'POST', body, requestTrailers }));
    expect(last.body).toBe('ok');
    expect(bodies).toEqual(['hello', 'more']);
    expect(valuesOf(origin.streams[0]?.fields ?? [], 'content-length')).toEqual(['5']);
    expect(valuesOf(origin.streams[1]?.fields ?? [], 'content-length')).toEqual([]);
    expect(trailers).toEqual([['x-sum', '1', 'x-sum', '2']]);
  });

  test.each([
    ['short', 'hell'],
    ['long', 'hello!'],
  ])("I6: a body that is too %s resets the stream and is the client's fault", async (_, text) => {
    const origin = await originWith((stream) => stream.resume());
    const body = Readable.from([Buffer.from(text)]);
    const recorder = await ask(origin, { method: 'POST', body, contentLength: 5 });
    expect(recorder.failure?.code).toBe('bad_request');
    await expect.poll(() => origin.streams[0]?.stream.rstCode).toBe(Code.cancel);
  });

  test('I6: fields and trailers that HTTP/2 cannot carry end the exchange, not the process', async () => {
    const origin = await originWith((stream) => stream.resume());
    const upstream = upstreamWith({ trust });
    const bad = ['connection', 'close'];
    const head = await run(upstream, h2To(origin, { fields: bad }));
    expect(head.calls).toEqual(['failure']);
    expect(head.failure?.code).toBe('bad_request');
    const body = Readable.from([Buffer.from('text')]);
    const more = { method: 'POST', body, requestTrailers: () => bad };
    expect((await run(upstream, h2To(origin, more))).failure?.code).toBe('bad_request');
    expect(upstream.connections).toBe(1);
  });

  test('a head of the largest size goes out, and the connection stays', async () => {
    const origin = await originWith((stream, { fields }) =>
      answerOk(stream, String(fields.length)),
    );
    const upstream = upstreamWith({ trust });
    const fields = Array.from({ length: 40 }, (_, n) => [`x-${n}`, 'v'.repeat(1_500)]).flat();
    expect((await run(upstream, h2To(origin, { fields }))).body).toBe('88');
    await run(upstream, h2To(origin));
    expect(origin.sockets).toHaveLength(1);
  });

  test('Expect travels; 100 comes back before the body is asked for', async () => {
    const origin = await originWith((stream) => {
      stream.additionalHeaders({ ':status': 100 });
      stream.on('data', () => undefined).on('end', () => answerOk(stream));
    });
    const body = new PassThrough();
    const recorder = start(
      upstreamWith({ trust }),
      h2To(origin, { method: 'POST', body, contentLength: 2, expectContinue: true }),
    );
    await expect.poll(() => recorder.calls).toEqual(['headWritten', 'information 100']);
    expect(valuesOf(origin.streams[0]?.fields ?? [], 'expect')).toEqual(['100-continue']);
    body.end('hi');
    await recorder.done;
    expect(recorder.body).toBe('ok');
  });
});

describe('the response', () => {
  test('informational heads, duplicate fields and trailers arrive raw and in order', async () => {
    const origin = await originWith((stream) => {
      stream.additionalHeaders({ ':status': 103, link: '</a>; rel=preload' });
      stream.respond(
        [':status', '200', 'set-cookie', 'a', 'x', '1', 'set-cookie', 'b', 'date', 'd'] as never,
        {
          waitForTrailers: true,
        },
      );
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', x: ['1', '2'] }));
      stream.end('ok');
    });
    const recorder = await ask(origin);
    expect(recorder.calls).toEqual(['headWritten', 'information 103', 'response', 'data', 'end']);
    expect(recorder.informational[0]?.fields).toEqual(['link', '</a>; rel=preload']);
    expect(recorder.head).toEqual({
      status: 200,
      statusText: '',
      isHttp2: true,
      fields: ['set-cookie', 'a', 'x', '1', 'set-cookie', 'b', 'date', 'd'],
    });
    expect(recorder.trailers).toEqual(['grpc-status', '0', 'x', '1', 'x', '2']);
  });

  test.each([
    ['GET', 204],
    ['GET', 304],
    ['HEAD', 200],
  ])('%s with %i has no body', async (method, status) => {
    const origin = await originWith((stream) =>
      stream.respond({ ':status': status }, { endStream: true }),
    );
    const recorder = await ask(origin, { method });
    expect(recorder.calls).toEqual(['headWritten', 'response', 'end']);
    expect(recorder.head?.status).toBe(status);
  });

  test('trailers only, as gRPC refuses', async () => {
    const origin = await originWith((stream) => {
      stream.respond({ ':status': 200, 'grpc-status': '7' }, { endStream: true });
    });
    const recorder = await ask(origin, {
      method: 'POST',
      body: new PassThrough(),
      requestTrailers: () => [],
    });
    expect(recorder.calls).toEqual(['headWritten', 'response', 'end']);
    await expect.poll(() => origin.streams[0]?.stream.closed).toBe(true);
  });

  test('both directions at once, a message at a time', async () => {
    const origin = await originWith((stream) => {
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    });
    const body = new PassThrough();
    const recorder = start(upstreamWith({ trust }), h2To(origin, { method: 'POST', body }));
    for (const text of ['one ', 'two ', 'three']) {
      const before = recorder.body;
      body.write(text);
      await expect.poll(() => recorder.body).toBe(before + text);
    }
    body.end();
    await recorder.done;
    expect(recorder.calls).toEqual(['headWritten', 'response', 'data', 'end']);
  });

  test('bytes of a value come back as they are, not decoded', async () => {
    const origin = await framesWith((connection, id) => {
      connection.send(encodeHeaders(id, [':status', '200', 'x', 'caf\u00c3\u00a9']));
    });
    expect((await ask(origin)).head?.fields).toEqual(['x', 'caf\u00c3\u00a9']);
  });
});

describe('backpressure', () => {
  const BIG = Buffer.alloc(24 * 1024 * 1024, 'x');

  test('I7: a reader that stops is not flooded, and gets everything when it goes on', async () => {
    let sent = 0;
    const origin = await originWith((stream) => {
      stream.respond({ ':status': 200 });
      const more = (): void => {
        while (sent < BIG.length) {
          const isRoom = stream.write(BIG.subarray(sent, sent + 65_536));
          sent += 65_536;
          if (!isRoom) return;
        }
        stream.end();
      };
      stream.on('drain', more);
      more();
    });
    const recorder = start(upstreamWith({ trust }), h2To(origin));
    recorder.isPausing = true;
    await recorder.responded;
    await settle();
    const stalledAt = sent;
    await settle();
    expect(sent).toBe(stalledAt);
    expect(sent).toBeLessThan(4 * 1024 * 1024);
    recorder.isPausing = false;
    recorder.exchange?.resume();
    await recorder.done;
    expect(recorder.body.length).toBe(BIG.length);
  });

  test('I7: an origin that does not read stops the upload, and gets everything when it does', async () => {
    let received = 0;
    const origin = await originWith(() => undefined);
    let given = 0;
    const body = new Readable({
      read() {
        const piece = BIG.subarray(given, given + 65_536);
        given += piece.length;
        this.push(piece.length === 0 ? null : piece);
      },
    });
    const recorder = start(upstreamWith({ trust }), h2To(origin, { method: 'POST', body }));
    await expect.poll(() => origin.streams.length).toBe(1);
    await settle();
    const stalledAt = given;
    await settle();
    expect(given).toBe(stalledAt);
    expect(given).toBeLessThan(2 * 1024 * 1024);
    const { stream } = origin.streams[0] ?? {};
    stream?.on('data', (chunk: Buffer) => (received += chunk.length));
    stream?.on('end', () => stream.respond({ ':status': 200 }, { endStream: true }));
    await recorder.done;
    expect(received).toBe(BIG.length);
    expect(recorder.head?.status).toBe(200);
  });

  test('as many stalled uploads as there may be streams do not disturb an answer', async () => {
    const origin = closeLater(
      await startHttp2Origin({
        maxConcurrentStreams: 200,
        onStream: (stream, { fields }) => {
          if (fields.includes('GET')) answerOk(stream);
        },
      }),
    );
    const upstream = upstreamWith({ trust, poolScope: 'sandbox' });
    await run(upstream, h2To(origin));
    const piece = Buffer.alloc(65_536);
    const uploads = Array.from({ length: 127 }, () => {
      const body = new Readable({
        read() {
          this.push(piece);
        },
      });
      return start(upstream, h2To(origin, { method: 'POST', body }));
    });
    await expect.poll(() => origin.streams.length).toBe(128);
    await settle();
    expect((await run(upstream, h2To(origin))).body).toBe('ok');
    expect(uploads.flatMap(({ calls }) => calls)).not.toContain('failure');
    expect(origin.sockets).toHaveLength(1);
    for (const { exchange } of uploads) exchange?.abort();
  });

  test('one stalled stream does not stall its neighbours', async () => {
    const origin = await originWith((stream, { fields }) => {
      stream.respond({ ':status': 200 });
      stream.end(fields.includes('/big') ? BIG.subarray(0, 5_000_000) : 'ok');
    });
    const upstream = upstreamWith({ trust });
    const stalled = start(upstream, h2To(origin, { target: '/big' }));
    stalled.isPausing = true;
    await stalled.responded;
    for (let i = 0; i < 5; i += 1) expect((await run(upstream, h2To(origin))).body).toBe('ok');
    expect(origin.sockets).toHaveLength(1);
    stalled.exchange?.abort();
  });

  test('a complete response is delivered although the origin closed while the reader paused', async () => {
    const origin = await originWith((stream) => {
      stream.respond({ ':status': 200 });
      stream.end(BIG.subarray(0, 600_000), () => stream.session?.close());
    });
    const recorder = start(upstreamWith({ trust }), h2To(origin));
    recorder.isPausing = true;
    await recorder.responded;
    await settle();
    for (const socket of origin.sockets) socket.end();
    await settle();
    recorder.isPausing = false;
    recorder.exchange?.resume();
    await recorder.done;
    expect(recorder.failure).toBeUndefined();
    expect(recorder.body.length).toBe(600_000);
  });
});

describe('resets', () => {
  test('abort passes the code on; without one it is CANCEL; the connection stays', async () => {
    const origin = await originWith(() => undefined);
    const upstream = upstreamWith({ trust });
    for (const [given, expected] of [
      [undefined, Code.cancel],
      [Code.internalError, Code.internalError],
      [Code.noError, Code.cancel],
    ] as const) {
      const count = origin.streams.length;
      const recorder = start(upstream, h2To(origin));
      await expect.poll(() => origin.streams.length).toBe(count + 1);
      recorder.exchange?.abort(given);
      await expect.poll(() => origin.streams[count]?.stream.rstCode).toBe(expected);
      expect(recorder.calls).toEqual(['headWritten']);
    }
    expect(origin.sockets).toHaveLength(1);
    expect(upstream.connections).toBe(1);
  });

  test.each([
    ['CANCEL', Code.cancel, 'upstream_unreachable'],
    ['INTERNAL_ERROR', Code.internalError, 'upstream_unreachable'],
    ['ENHANCE_YOUR_CALM', Code.enhanceYourCalm, 'upstream_unreachable'],
    ['PROTOCOL_ERROR', 1, 'upstream_protocol_error'],
  ])('%s before the head is told with its code, and not retried', async (name, code, expected) => {
    const origin = await framesWith((connection, id) => connection.send(encodeReset(id, code)));
    const recorder = await ask(origin);
    expect(recorder.failure?.code).toBe(expected);
    expect(recorder.failure?.auditDetail).toContain(name);
    expect(recorder.http2ErrorCode).toBe(code);
    expect(
      origin.connections[0]?.frames.filter(({ type }) => type === FrameType.headers),
    ).toHaveLength(1);
  });

  test.each([Code.noError, Code.cancel, Code.internalError])(
    'code %i inside the body: what came is not taken for complete',
    async (code) => {
      const origin = await framesWith((connection, id) => {
        connection.send(
          encodeHeaders(id, [':status', '200'], FrameFlag.endHeaders),
          encodeFrame(FrameType.data, 0, id, Buffer.from('half')),
        );
        setTimeout(() => connection.send(encodeReset(id, code)), 20);
      });
      const recorder = await ask(origin);
      expect(recorder.calls).toEqual(['headWritten', 'response', 'data', 'failure']);
      expect(recorder.failure?.code).toBe('upstream_protocol_error');
      expect(recorder.failure?.proxyError).toBe('http_response_incomplete');
      expect(recorder.http2ErrorCode).toBe(code);
    },
  );

  test('a connection that ends inside a body: not complete either', async () => {
    const origin = await framesWith((connection, id) => {
      connection.send(
        encodeHeaders(id, [':status', '200'], FrameFlag.endHeaders),
        encodeFrame(FrameType.data, 0, id, Buffer.from('half')),
      );
      setTimeout(() => connection.socket.end(), 20);
    });
    const recorder = await ask(origin);
    expect(recorder.failure?.proxyError).toBe('http_response_incomplete');
    expect(recorder.http2ErrorCode).toBeUndefined();
  });

  test('NO_ERROR after a complete answer ends the upload and nothing else', async () => {
    const origin = await framesWith((connection, id) => {
      connection.send(encodeHeaders(id, [':status', '413']), encodeReset(id, Code.noError));
    });
    const body = new PassThrough();
    body.write('begun');
    const recorder = await ask(origin, { method: 'POST', body });
    expect(recorder.calls).toEqual(['headWritten', 'response', 'end']);
    expect(recorder.head?.status).toBe(413);
    expect(body.destroyed).toBe(false);
    expect(body.isPaused()).toBe(true);
  });

  test.each([
    ['gone', (body: PassThrough) => body.destroy()],
    ['aborted', (_: PassThrough, recorder: ExchangeRecorder) => recorder.exchange?.abort()],
  ])('I6: a body whose client is %s is reset without being ended first', async (_, stop) => {
    const origin = closeLater(await startFrameOrigin(() => undefined));
    const body = new PassThrough();
    body.write('transfer 1');
    const recorder = start(upstreamWith({ trust }), h2To(origin, { method: 'POST', body }));
    const frames = (type: number): readonly Frame[] =>
      origin.connections[0]?.frames.filter((frame) => frame.type === type) ?? [];
    await expect.poll(() => frames(FrameType.data).length).toBe(1);
    stop(body, recorder);
    await expect.poll(() => frames(FrameType.rstStream).length).toBe(1);
    expect(frames(FrameType.data).map(({ flags }) => flags)).toEqual([FrameFlag.none]);
  });

  test('a client that goes away in the middle of its body resets the stream', async () => {
    const origin = await originWith((stream) => stream.resume());
    const body = new PassThrough();
    body.write('begun');
    const recorder = start(upstreamWith({ trust }), h2To(origin, { method: 'POST', body }));
    await expect.poll(() => origin.streams.length).toBe(1);
    body.destroy();
    await recorder.done;
    expect(recorder.failure?.code).toBe('bad_request');
    await expect.poll(() => origin.streams[0]?.stream.rstCode).toBe(Code.cancel);
  });
});

describe('time', () => {
  test('no head in time: a connection on which nothing came is left', async () => {
    const origin = await originWith(() => undefined);
    const upstream = upstreamWith({ trust, limits: { responseHeadTimeoutMs: 100 } });
    const recorder = await run(upstream, h2To(origin));
    expect(recorder.failure?.code).toBe('upstream_timeout');
    await expect.poll(() => origin.streams[0]?.stream.rstCode).toBe(Code.cancel);
    await expect.poll(() => upstream.connections).toBe(0);
  });

  test('no head in time: a connection on which others are served stays', async () => {
    const origin = await originWith((stream, { fields }) => {
      if (!fields.includes('/ticking')) return;
      stream.respond({ ':status': 200 });
      const ticking = setInterval(() => stream.write('tick'), 5);
      stream.on('close', () => clearInterval(ticking));
    });
    const upstream = upstreamWith({ trust, limits: { responseHeadTimeoutMs: 100 } });
    const other = start(upstream, h2To(origin, { target: '/ticking' }));
    const recorder = await run(upstream, h2To(origin));
    expect(recorder.failure?.code).toBe('upstream_timeout');
    await settle();
    expect([upstream.connections, other.failure]).toEqual([1, undefined]);
    other.exchange?.abort();
  });

  test('silence inside the response body; one that is paused by its reader is not silent', async () => {
    const origin = await originWith((stream) => {
      stream.respond({ ':status': 200 });
      stream.write('half');
    });
    const upstream = upstreamWith({ trust, limits: { bodySilenceTimeoutMs: 60 } });
    const paused = start(upstream, h2To(origin));
    paused.isPausing = true;
    const silent = await run(upstream, h2To(origin));
    expect(silent.failure?.code).toBe('upstream_timeout');
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(paused.calls.at(-1)).toBe('data');
    paused.exchange?.abort();
  });

  test('an origin that does not take the body; a client that does not give it is not its fault', async () => {
    const origin = await originWith(() => undefined);
    const upstream = upstreamWith({ trust, limits: { bodySilenceTimeoutMs: 80 } });
    const waiting = start(upstream, h2To(origin, { method: 'POST', body: new PassThrough() }));
    const body = Readable.from([Buffer.alloc(1_000_000)]);
    const blocked = await run(upstream, h2To(origin, { method: 'POST', body }));
    expect(blocked.failure?.code).toBe('upstream_timeout');
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(waiting.calls).toEqual(['headWritten']);
    waiting.exchange?.abort();
  });
});
