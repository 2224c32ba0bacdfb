/** What goes over the wire to an origin and what comes back, byte for byte, in which order of calls. */
import { PassThrough, Readable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { originAt, requestTo, run, start } from './exchange-recorder.ts';
import { answering, OK } from './raw-origin.ts';
import { closeAll, originWith, settle, upstreamWith } from './upstream-kit.ts';

afterEach(closeAll);

describe('the request', () => {
  test('field order, case, duplicates and octets survive; only host and connection are added', async () => {
    const origin = await originWith(answering(OK));
    const fields = [
      'X-b',
      '1',
      'x-A',
      '2',
      'X-B',
      '3',
      'x-a',
      'caf\u00e9',
      'Authorization',
      'Bearer v',
    ];
    const recorder = await run(
      upstreamWith(),
      requestTo(originAt(origin.port), { target: '/p?q=%2F', fields }),
    );
    expect(recorder.calls).toEqual(['headWritten', 'response', 'data', 'end']);
    expect(origin.connections[0]?.received).toBe(
      'GET /p?q=%2F HTTP/1.1\r\nhost: api.example.com\r\nconnection: keep-alive\r\n' +
        'X-b: 1\r\nx-A: 2\r\nX-B: 3\r\nx-a: caf\u00e9\r\nAuthorization: Bearer v\r\n\r\n',
    );
  });

  test('a body with a length goes out with it, one without goes out chunked', async () => {
    const origin = await originWith((record) => {
      if (record.received.endsWith('hello') || record.received.endsWith('0\r\n\r\n')) {
        record.socket.write(OK);
      }
    });
    const upstream = upstreamWith();
    const base = { method: 'POST', fields: ['Content-Type', 'text/plain'] };
    await run(
      upstream,
      requestTo(originAt(origin.port), {
        ...base,
        body: Readable.from([Buffer.from('hello')]),
        contentLength: 5,
      }),
    );
    const chunked = Readable.from([Buffer.from('hel'), Buffer.from('lo')]);
    await run(upstream, requestTo(originAt(origin.port), { ...base, body: chunked }));
    const [first = '', second = ''] = origin.connections.map((record) => record.received);
    expect(first).toContain('content-length: 5\r\n\r\nhello');
    const framed = first + second;
    expect(framed.toLowerCase()).toContain('transfer-encoding: chunked\r\n');
    expect(framed).toMatch(/\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n$/);
    expect(framed.toLowerCase().match(/content-length/g)).toHaveLength(1);
  });

  test('the head of a body that has not begun is not held back', async () => {
    const origin = await originWith(answering(OK));
    const body = new PassThrough();
    const recorder = await run(
      upstreamWith(),
      requestTo(originAt(origin.port), { method: 'POST', body }),
    );
    expect(recorder.head?.status).toBe(200);
    expect(body.destroyed).toBe(false);
  });

  test('a body shorter or longer than announced is refused, and the origin sees it cut', async () => {
    for (const text of ['abc', 'abcdefgh']) {
      const origin = await originWith(() => undefined);
      const body = Readable.from([Buffer.from(text)]);
      const recorder = await run(
        upstreamWith(),
        requestTo(originAt(origin.port), { method: 'POST', body, contentLength: 5 }),
      );
      expect(recorder.failure?.code).toBe('bad_request');
      expect(origin.connections[0]?.received ?? '').not.toContain('abcdef');
    }
  });

  test('Expect: 100-continue: the 100 passes, then the body, then the response', async () => {
    const origin = await originWith((record, chunk) => {
      if (chunk.endsWith('\r\n\r\n')) record.socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      if (chunk.endsWith('hello')) record.socket.write(OK);
    });
    const body = new PassThrough();
    const recorder = start(
      upstreamWith(),
      requestTo(originAt(origin.port), {
        method: 'PUT',
        body,
        contentLength: 5,
        expectContinue: true,
      }),
    );
    await expect.poll(() => recorder.calls).toEqual(['headWritten', 'information 100']);
    body.end('hello');
    await recorder.done;
    expect(recorder.calls).toEqual(['headWritten', 'information 100', 'response', 'data', 'end']);
    expect(origin.connections[0]?.received).toContain('Expect: 100-continue\r\n');
  });

  test('request trailers travel after the last chunk', async () => {
    const origin = await originWith((record) => {
      if (record.received.endsWith('X-Sum: 7\r\n\r\n')) record.socket.write(OK);
    });
    const recorder = await run(
      upstreamWith(),
      requestTo(originAt(origin.port), {
        method: 'POST',
        fields: ['Trailer', 'X-Sum'],
        body: Readable.from([Buffer.from('hello')]),
        requestTrailers: () => ['X-Sum', '7'],
      }),
    );
    expect(recorder.head?.status).toBe(200);
    expect(origin.connections[0]?.received).toMatch(/5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n$/);
  });

  test('OPTIONS * goes out as such', async () => {
    const origin = await originWith(answering(OK));
    const request = requestTo(originAt(origin.port), { method: 'OPTIONS', target: '*' });
    const recorder = await run(upstreamWith(), request);
    expect(recorder.head?.status).toBe(200);
    expect(origin.connections[0]?.received).toMatch(/^OPTIONS \* HTTP\/1\.1\r\n/);
  });

  test('a client that goes away in its body ends the exchange', async () => {
    const origin = await originWith(() => undefined);
    const body = new PassThrough();
    const recorder = start(
      upstreamWith(),
      requestTo(originAt(origin.port), { method: 'POST', body, contentLength: 10 }),
    );
    body.write('abc');
    await expect.poll(() => origin.connections[0]?.received ?? '').toContain('abc');
    body.destroy();
    await recorder.done;
    expect(recorder.failure?.code).toBe('bad_request');
    await expect.poll(() => origin.connections[0]?.isClosed).toBe(true);
  });
});

describe('the response', () => {
  test('head, body and trailers come raw, in order', async () => {
    const origin = await originWith(
      answering(
        'HTTP/1.1 201 Made It\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nTransfer-Encoding: chunked\r\n\r\n' +
          '5\r\nhello\r\n0\r\nX-T: 1\r\nx-t: 2\r\n\r\n',
      ),
    );
    const recorder = await run(upstreamWith(), requestTo(originAt(origin.port)));
    expect(recorder.head?.status).toBe(201);
    expect(recorder.head?.statusText).toBe('Made It');
    expect(recorder.head?.fields.slice(0, 4)).toEqual(['Set-Cookie', 'a=1', 'set-cookie', 'b=2']);
    expect(recorder.body).toBe('hello');
    expect(recorder.trailers).toEqual(['X-T', '1', 'x-t', '2']);
  });

  test('103 passes before the response', async () => {
    const origin = await originWith(
      answering('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' + OK),
    );
    const recorder = await run(upstreamWith(), requestTo(originAt(origin.port)));
    expect(recorder.calls).toEqual(['headWritten', 'information 103', 'response', 'data', 'end']);
    expect(recorder.informational[0]?.fields).toEqual(['Link', '</a>']);
  });

  test.each([1, 2])('a 100 that nobody asked for is passed over (in %i pieces)', async (pieces) => {
    const answers = ['HTTP/1.1 100 Continue\r\nX: y\r\n\r\n', OK];
    const origin = await originWith((record) => {
      if (!record.received.endsWith('hello')) return;
      if (pieces === 1) record.socket.write(answers.join(''));
      else {
        record.socket.write(answers[0] ?? '');
        setTimeout(() => record.socket.write(OK), 20);
      }
    });
    const upstream = upstreamWith();
    for (let i = 0; i < 2; i += 1) {
      const recorder = await run(
        upstream,
        requestTo(originAt(origin.port), {
          method: 'POST',
          body: Readable.from([Buffer.from('hello')]),
          contentLength: 5,
        }),
      );
      expect(recorder.calls).toEqual(['headWritten', 'response', 'data', 'end']);
      await settle();
    }
    expect(origin.connections).toHaveLength(1);
  });

  test('a 100 that nobody asked for is passed over also without a body', async () => {
    const origin = await originWith(answering(`HTTP/1.1 100 Continue\r\n\r\n${OK}`));
    const upstream = upstreamWith();
    for (let i = 0; i < 2; i += 1) {
      const recorder = await run(upstream, requestTo(originAt(origin.port)));
      expect(recorder.calls).toEqual(['headWritten', 'response', 'data', 'end']);
      await settle();
    }
    expect(origin.connections).toHaveLength(1);
  });

  test('HEAD, 204 and 304 end without a body and keep their connection', async () => {
    const origin = await originWith(
      answering((record) => {
        if (record.received.includes('HEAD')) return 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n';
        const status = record.received.split('GET').length === 2 ? '204 No' : '304 Not';
        return `HTTP/1.1 ${status}\r\n\r\n`;
      }),
    );
    const upstream = upstreamWith();
    for (const method of ['HEAD', 'HEAD', 'GET', 'GET']) {
      const recorder = await run(upstream, requestTo(originAt(origin.port), { method }));
      expect(recorder.calls).toEqual(['headWritten', 'response', 'end']);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(origin.connections).toHaveLength(2);
    expect(upstream.connections).toBe(2);
  });

  test('an early answer reaches the client although its body goes on', async () => {
    for (const more of [{ contentLength: 1_000_000 }, { contentLength: null }]) {
      const origin = await originWith((record, chunk) => {
        if (chunk.includes('abc')) {
          record.socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno');
        }
      });
      const body = new PassThrough();
      body.write('abc');
      const request = requestTo(originAt(origin.port), { method: 'POST', body, ...more });
      const recorder = await run(upstreamWith(), request);
      expect(recorder.head?.status).toBe(413);
      expect(recorder.body).toBe('no');
      expect(recorder.failure).toBeUndefined();
      expect(body.destroyed).toBe(false);
      await expect.poll(() => origin.connections[0]?.isClosed).toBe(true);
    }
  });

  test('a reader that stops is not flooded', async () => {
    const size = 32 * 1024 * 1024;
    let sent = 0;
    const origin = await originWith((record, chunk) => {
      if (!chunk.endsWith('\r\n\r\n')) return;
      record.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
      const block = Buffer.alloc(64 * 1024);
      const pump = (): void => {
        while (sent < size) {
          sent += block.length;
          if (!record.socket.write(block)) {
            record.socket.once('drain', pump);
            return;
          }
        }
      };
      pump();
    });
    for (const method of ['GET', 'OPTIONS']) {
      sent = 0;
      const target = method === 'OPTIONS' ? '*' : '/';
      const request = requestTo(originAt(origin.port), { method, target });
      const recorder = start(upstreamWith(), request);
      recorder.isPausing = true;
      await recorder.responded;
      let seen = -1;
      await expect
        .poll(
          () => {
            const isStill = seen === sent;
            seen = sent;
            return isStill;
          },
          { interval: 100 },
        )
        .toBe(true);
      expect(recorder.body.length).toBeLessThan(1024 * 1024);
      expect(sent).toBeLessThan(size);
      recorder.isPausing = false;
      recorder.exchange?.resume();
      await recorder.done;
      expect(recorder.body).toHaveLength(size);
    }
  });

  test('an abort closes the connection and is the end of all calls', async () => {
    const origin = await originWith(
      answering('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome'),
    );
    for (const more of [{}, { method: 'OPTIONS', target: '*' }]) {
      const recorder = start(upstreamWith(), requestTo(originAt(origin.port), more));
      await recorder.responded;
      recorder.exchange?.abort();
      const calls = [...recorder.calls];
      await expect.poll(() => origin.connections.at(-1)?.isClosed).toBe(true);
      expect(recorder.calls).toEqual(calls);
    }
  });
});
