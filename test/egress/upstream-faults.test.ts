/** Origins that break, at each point of an exchange: which code, which type, retried or not. */
import { PassThrough, Readable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { originAt, requestTo, run, start } from './exchange-recorder.ts';
import { answering, OK } from './raw-origin.ts';
import type { OnBytes } from './raw-origin.ts';
import { closeAll, originWith, settle, upstreamWith } from './upstream-kit.ts';

afterEach(closeAll);

const VIA = [
  ['undici', {}],
  ['node', { method: 'OPTIONS', target: '*' }],
] as const;

describe.each(VIA)('through %s', (_, more) => {
  async function failureOf(onBytes: OnBytes, limits = {}) {
    const origin = await originWith(onBytes);
    const recorder = await run(upstreamWith({ limits }), requestTo(originAt(origin.port), more));
    return { recorder, origin, failure: recorder.failure };
  }

  test('a reset before any answer is tried once more on a new connection, then unreachable', async () => {
    const { recorder, origin, failure } = await failureOf((record) => {
      record.socket.resetAndDestroy();
    });
    expect(failure?.code).toBe('upstream_unreachable');
    expect(failure?.proxyError).toBe('connection_terminated');
    expect(origin.connections).toHaveLength(2);
    expect(recorder.calls).toEqual(['headWritten', 'headWritten', 'failure']);
  });

  test('a close in the middle of the head is an incomplete response and not retried', async () => {
    const { origin, failure } = await failureOf((record) => {
      record.socket.end('HTTP/1.1 200 OK\r\nContent-Le');
    });
    expect(failure?.code).toBe('upstream_protocol_error');
    expect(origin.connections).toHaveLength(1);
  });

  test.each([
    ['length', 'Content-Length: 10\r\n\r\nabc'],
    ['chunked', 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'],
  ])('a body cut short (%s) is incomplete', async (_name, rest) => {
    for (const isReset of [false, true]) {
      const { recorder, failure } = await failureOf((record) => {
        record.socket.write(`HTTP/1.1 200 OK\r\n${rest}`, () => {
          if (isReset) setTimeout(() => record.socket.resetAndDestroy(), 20);
          else record.socket.end();
        });
      });
      expect(failure?.code).toBe('upstream_protocol_error');
      expect(failure?.proxyError).toBe('http_response_incomplete');
      expect(recorder.calls).toEqual(['headWritten', 'response', 'data', 'failure']);
    }
  });

  test('a body that ends with the connection is complete', async () => {
    const { recorder } = await failureOf((record) => {
      record.socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end');
    });
    expect(recorder.body).toBe('until the end');
    expect(recorder.calls).toEqual(['headWritten', 'response', 'data', 'end']);
  });

  test.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['a bad status', 'HTTP/1.1 2x0 OK\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    [
      'length and chunked',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['gzip as transfer coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxx'],
    ['gzip, chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    ['a bad chunk size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    [
      '101 unasked',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
    ],
    ['obsolete folding', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n'],
  ])('%s is a protocol error', async (_name, answer) => {
    const { origin, failure } = await failureOf((record) => {
      record.socket.write(answer);
    });
    expect(failure?.code).toBe('upstream_protocol_error');
    expect(failure?.proxyError).toBe('http_protocol_error');
    expect(origin.connections).toHaveLength(1);
  });

  test('a head over the limit is a protocol error that says so', async () => {
    const { failure } = await failureOf(
      answering(`HTTP/1.1 200 OK\r\nX: ${'a'.repeat(5_000)}\r\n\r\n`),
      { headBytesMax: 4_096 },
    );
    expect(failure?.code).toBe('upstream_protocol_error');
    expect(failure?.message).toContain('too large');
  });

  test('no answer in time, and silence in the body, are timeouts', async () => {
    const limits = { responseHeadTimeoutMs: 150, bodySilenceTimeoutMs: 150 };
    const silent = await failureOf(() => undefined, limits);
    expect(silent.failure?.code).toBe('upstream_timeout');
    expect(silent.failure?.proxyError).toBe('http_response_timeout');
    expect(silent.origin.connections).toHaveLength(1);
    const stalled = await failureOf(
      answering('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'),
      limits,
    );
    expect(stalled.failure?.code).toBe('upstream_timeout');
    expect(stalled.recorder.calls).toEqual(['headWritten', 'response', 'data', 'failure']);
  });

  test('a pooled connection that died idle is no error of the client', async () => {
    const origin = await originWith(answering(OK));
    const upstream = upstreamWith();
    await run(upstream, requestTo(originAt(origin.port), more));
    await settle();
    origin.connections[0]?.socket.destroy();
    const recorder = await run(upstream, requestTo(originAt(origin.port), more));
    expect(recorder.body).toBe('ok');
    expect(origin.connections).toHaveLength(2);
  });

  test('an origin that closes the idle connection as we write is met with a second try', async () => {
    const origin = await originWith(
      answering((record, count) => {
        if (record.index === 0 && count === 2) {
          record.socket.resetAndDestroy();
          return null;
        }
        return OK;
      }),
    );
    const upstream = upstreamWith();
    await run(upstream, requestTo(originAt(origin.port), more));
    await settle();
    const recorder = await run(upstream, requestTo(originAt(origin.port), more));
    expect(recorder.body).toBe('ok');
    expect(recorder.calls).toEqual(['headWritten', 'headWritten', 'response', 'data', 'end']);
  });

  test('garbage on an idle connection does not become the next answer', async () => {
    const origin = await originWith(answering(OK));
    const upstream = upstreamWith();
    await run(upstream, requestTo(originAt(origin.port), more));
    await settle();
    origin.connections[0]?.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
    await settle();
    const recorder = await run(upstream, requestTo(originAt(origin.port), more));
    expect(recorder.body).toBe('ok');
    expect(origin.connections).toHaveLength(2);
  });

  test('nobody listening: refused, not retried', async () => {
    const origin = await originWith(() => undefined);
    await origin.close();
    const recorder = await run(upstreamWith(), requestTo(originAt(origin.port), more));
    expect(recorder.failure?.code).toBe('upstream_unreachable');
    expect(recorder.failure?.proxyError).toBe('connection_refused');
    expect(recorder.calls).toEqual(['failure']);
  });
});

describe('what may be sent twice', () => {
  /** The first connection breaks after the request came, the second answers. */
  const breakFirst: OnBytes = (record) => {
    if (record.index === 0) record.socket.resetAndDestroy();
    else if (record.received.endsWith('hello') || record.received.endsWith('\r\n\r\n')) {
      record.socket.write(OK);
    }
  };
  const post = { method: 'POST', contentLength: 5 };

  test('a POST is not', async () => {
    const origin = await originWith(breakFirst);
    const body = Readable.from([Buffer.from('hello')]);
    const recorder = await run(upstreamWith(), requestTo(originAt(origin.port), { ...post, body }));
    expect(recorder.failure?.code).toBe('upstream_unreachable');
    expect(origin.connections).toHaveLength(1);
  });

  test('a POST without a body is not either', async () => {
    const origin = await originWith(breakFirst);
    const recorder = await run(
      upstreamWith(),
      requestTo(originAt(origin.port), { method: 'POST' }),
    );
    expect(recorder.failure?.code).toBe('upstream_unreachable');
    expect(origin.connections).toHaveLength(1);
  });

  test('a POST with Idempotency-Key is, with its body', async () => {
    const origin = await originWith(breakFirst);
    const recorder = await run(
      upstreamWith(),
      requestTo(originAt(origin.port), {
        ...post,
        fields: ['Idempotency-Key', 'k1'],
        replayable: true,
        body: Readable.from([Buffer.from('hel'), Buffer.from('lo')]),
      }),
    );
    expect(recorder.body).toBe('ok');
    expect(origin.connections[1]?.received).toMatch(/hello$/);
  });

  test('but not once its body has outgrown what is kept', async () => {
    const size = 256 * 1024;
    const origin = await originWith((record) => {
      if (record.received.length > size) record.socket.resetAndDestroy();
    });
    const recorder = await run(
      upstreamWith(),
      requestTo(originAt(origin.port), {
        method: 'POST',
        fields: ['Idempotency-Key', 'k1'],
        replayable: true,
        body: Readable.from([Buffer.alloc(size)]),
        contentLength: size,
      }),
    );
    expect(recorder.failure?.code).toBe('upstream_unreachable');
    expect(origin.connections).toHaveLength(1);
  });

  test('a PUT whose body was read is not', async () => {
    const origin = await originWith(breakFirst);
    const body = Readable.from([Buffer.from('hello')]);
    const recorder = await run(
      upstreamWith(),
      requestTo(originAt(origin.port), { method: 'PUT', contentLength: 5, body }),
    );
    expect(recorder.failure?.code).toBe('upstream_unreachable');
  });

  test('a POST of which nothing was written is: the idle connection was gone', async () => {
    const origin = await originWith((record) => {
      if (record.received.endsWith('hello') || record.received.startsWith('GET')) {
        record.socket.write(OK);
      }
    });
    const upstream = upstreamWith();
    await run(upstream, requestTo(originAt(origin.port)));
    await settle();
    const body = new PassThrough();
    body.end('hello');
    origin.connections[0]?.socket.end();
    const recorder = start(upstream, requestTo(originAt(origin.port), { ...post, body }));
    await recorder.done;
    expect(recorder.body).toBe('ok');
    expect(origin.connections).toHaveLength(2);
  });
});
