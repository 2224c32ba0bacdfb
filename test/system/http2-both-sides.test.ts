/**
 * HTTP/2 on both sides of the proxy: what only it can carry (trailers unannounced, reset codes, both
 * directions at once), that credentials arrive never-indexed, and that HTTP/1.1 clients of the same host
 * stay where they are.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants, sensitiveHeaders } from 'node:http2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { eventually } from '../support/eventually.ts';
import { openHttp2, readResponse, resetCodeOf } from '../support/http2-client.ts';
import type { Http2Tunnel } from '../support/http2-client.ts';
import { Http2Origin } from '../support/http2-origin.ts';
import type { StreamHandler } from '../support/http2-origin.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';

const HOST = 'api.example.test';
const value = mintCanary();
let origin: Http2Origin;
let product: Product;
let sandbox: TestSandbox;
const resets: number[] = [];

const withTrailers: StreamHandler = (stream) => {
  stream.resume();
  stream.respond({ ':status': 200 }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': 'abc' }));
  stream.end('body');
};

const keepTrailers: StreamHandler = (stream) => {
  let seen: string[] = [];
  const on = stream.on.bind(stream) as unknown as (
    event: 'trailers',
    listener: (object: unknown, flags: number, lines: string[]) => void,
  ) => void;
  on('trailers', (_object, _flags, lines) => {
    seen = lines;
  });
  stream.on('end', () => {
    stream.respond({ ':status': 200 });
    stream.end(JSON.stringify(seen));
  });
  stream.resume();
};

const pingPong: StreamHandler = (stream) => {
  stream.respond({ ':status': 200 });
  stream.on('data', (chunk: Buffer) => stream.write(`pong ${chunk.toString()}`));
  stream.on('end', () => stream.end());
};

const holdOpen: StreamHandler = (stream) => {
  stream.resume();
  stream.respond({ ':status': 200 });
  stream.write('begin');
  stream.on('close', () => resets.push(stream.rstCode));
};

/** Answers when the request is complete, and notes how the stream ends. */
const answerWhole: StreamHandler = (stream) => {
  stream.resume();
  stream.on('close', () => resets.push(stream.rstCode));
  stream.on('end', () => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-status': '0' }));
    stream.end('done');
  });
};

const resetWith =
  (code: number, head: boolean): StreamHandler =>
  (stream) => {
    stream.resume();
    if (head) {
      // Otherwise Node ends the stream well before it resets it.
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.write('begin');
    }
    setTimeout(() => stream.close(code), 50);
  };

beforeAll(async () => {
  const authority = new TestAuthority();
  origin = await Http2Origin.start({
    leaf: authority.mintLeaf([HOST]),
    handlers: {
      '/trailers': withTrailers,
      '/keep-trailers': keepTrailers,
      '/ping-pong': pingPong,
      '/hold': holdOpen,
      '/done': answerWhole,
      '/status-only': (stream) => {
        stream.resume();
        const fields = { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5' };
        stream.respond(fields, { endStream: true });
      },
      '/private': (stream) => {
        stream.resume();
        const fields = { ':status': 200, 'x-session': 'p', 'x-public': 'q' };
        stream.respond(Object.assign(fields, { [sensitiveHeaders]: ['x-session'] }));
        stream.end('done');
      },
      '/reset': resetWith(constants.NGHTTP2_ENHANCE_YOUR_CALM, true),
      '/reset-early': resetWith(constants.NGHTTP2_ENHANCE_YOUR_CALM, false),
    },
  });
  product = await startProduct({ hosts: { [HOST]: origin.address }, originCa: authority.caPem });
  await product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST] });
  sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
});

afterAll(async () => {
  await product.assertNoLeak(value);
  await product[Symbol.asyncDispose]();
  await origin.close();
});

const open = (who = sandbox): Promise<Http2Tunnel> => openHttp2(product, who, `${HOST}:443`);

async function codesOf(who: TestSandbox, path: string): Promise<unknown[]> {
  const { data } = (await product.admin.must('GET', `/audit?sandbox=${who.id}&limit=100`)) as {
    data: { path?: string; code?: string | null }[];
  };
  return data.filter((row) => row.path === path).map((row) => row.code ?? null);
}

test('the value goes out never-indexed, under the host of the tunnel', async () => {
  using tunnel = await open();
  const fields = ['authorization', 'Bearer mine', 'cookie', 'a=1', 'cookie', 'b=2', 'x-a', '1'];
  expect((await tunnel.request({ path: '/x?y=1', fields })).status).toBe(200);
  const { last } = origin;
  expect(last.field('authorization')).toBe(`Bearer ${value}`);
  expect(last.fields.filter((text) => text === 'authorization')).toHaveLength(1);
  expect(last.neverIndexed).toContain('authorization');
  expect([last.field(':authority'), last.field(':path')]).toEqual([HOST, '/x?y=1']);
  expect(last.field('host')).toBe(last.field('no-such-field'));
});

test('what the client sent never-indexed goes on so, and nothing else', async () => {
  using tunnel = await open();
  const lines = [':method', 'GET', ':scheme', 'https', ':path', '/', ':authority', HOST];
  lines.push('x-private', 'p', 'x-public', 'q');
  const stream = tunnel.session.request(
    Object.assign(lines, { [sensitiveHeaders]: ['x-private'] }),
  );
  expect((await readResponse(stream)).status).toBe(200);
  expect(origin.last.neverIndexed).toContain('x-private');
  expect(origin.last.neverIndexed).not.toContain('x-public');
});

test.each(['masked', 'unmasked'])(
  'what the origin sends never-indexed goes on so, %s',
  async (how) => {
    const who =
      how === 'masked' ? sandbox : await product.createSandbox({ more: { intercept: 'all' } });
    using tunnel = await open(who);
    const stream = tunnel.open({ path: '/private' });
    stream.resume();
    const [object] = (await once(stream, 'response')) as [{ [sensitiveHeaders]?: string[] }];
    expect(object).toMatchObject({ 'x-session': 'p', 'x-public': 'q' });
    expect(object[sensitiveHeaders]).toEqual(['x-session']);
  },
);

test('HTTP/1.1 clients of an origin without HTTP/1.1 are told so, HTTP/2 clients served', async () => {
  using serial = await product.openTunnel(sandbox, `${HOST}:443`);
  expect((await serial.request({ path: '/' })).status).toBe(502);
  using tunnel = await open();
  expect((await tunnel.request({ path: '/' })).status).toBe(200);
});

test('many streams share few connections to the origin', async () => {
  using tunnel = await open();
  const before = new Set(origin.requests.map(({ session }) => session)).size;
  const answers = await Promise.all(
    Array.from({ length: 60 }, () => tunnel.request({ method: 'POST', path: '/', body: 'same' })),
  );
  expect(answers.every((answer) => answer.text() === 'same')).toBe(true);
  const after = new Set(origin.requests.map(({ session }) => session)).size;
  expect(after - before).toBeLessThanOrEqual(4);
});

describe('trailers', () => {
  test('of the response, unannounced', async () => {
    using tunnel = await open();
    const { body, trailers } = await tunnel.request({ path: '/trailers' });
    expect({ body: body.toString(), trailers }).toEqual({
      body: 'body',
      trailers: ['x-sum', 'abc'],
    });
  });

  test('alone: the end of the stream is in the frame of the status', async () => {
    using tunnel = await open();
    for (let i = 0; i < 50; i += 1) {
      const stream = tunnel.open({ method: 'POST', path: '/status-only' }, { endStream: false });
      stream.end('x');
      stream.resume();
      const [fields, flags] = (await once(stream, 'response')) as [Record<string, string>, number];
      expect(fields['grpc-status']).toBe('5');
      expect(flags & constants.NGHTTP2_FLAG_END_STREAM).toBe(constants.NGHTTP2_FLAG_END_STREAM);
    }
  });

  test('of the request, unannounced, without what is claimed', async () => {
    using tunnel = await open();
    const trailers = ['x-sum', 'abc', 'authorization', 'Bearer mine'];
    const plan = { method: 'POST', path: '/keep-trailers', body: 'x', trailers };
    expect((await tunnel.request(plan)).json()).toEqual(['x-sum', 'abc']);
  });
});

test('both directions at once: each message is answered before the next is sent', async () => {
  using tunnel = await open();
  const stream = tunnel.open({ method: 'POST', path: '/ping-pong' }, { endStream: false });
  const answer = readResponse(stream);
  for (let i = 0; i < 10; i += 1) {
    const next = once(stream, 'data') as Promise<[Buffer]>;
    stream.write(`${i}`);
    expect((await next)[0].toString()).toBe(`pong ${i}`);
  }
  stream.end();
  expect((await answer).status).toBe(200);
});

test('32 MiB up and down at once arrive whole', async () => {
  using tunnel = await open();
  const body = randomBytes(32 * 1024 * 1024);
  const answer = await tunnel.request({ method: 'POST', path: '/', body });
  const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
  expect(digest(answer.body)).toBe(digest(body));
});

describe('resets', () => {
  test('none where everything was said', async () => {
    using tunnel = await open();
    resets.length = 0;
    for (let i = 0; i < 5; i += 1) {
      const answer = await tunnel.request({ method: 'POST', path: '/done', body: 'all of it' });
      expect([answer.text(), answer.trailers]).toEqual(['done', ['x-status', '0']]);
    }
    await eventually(() => expect(resets).toEqual([0, 0, 0, 0, 0]));
  });

  test("the origin's code reaches the client", async () => {
    const own = await product.createSandbox({ secrets: { KEY: 'api' } });
    using tunnel = await open(own);
    const stream = tunnel.open({ path: '/reset' });
    expect(await resetCodeOf(stream)).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
    await eventually(async () => {
      expect(await codesOf(own, '/reset')).toEqual(['upstream_aborted']);
    });
  });

  test('before the head it is a refusal', async () => {
    using tunnel = await open();
    const answer = await tunnel.request({ method: 'POST', path: '/reset-early', body: 'x' });
    expect(answer.status).toBe(502);
  });

  test.each([constants.NGHTTP2_CANCEL, constants.NGHTTP2_INTERNAL_ERROR])(
    "the client's code %i reaches the origin",
    async (code) => {
      const own = await product.createSandbox({ secrets: { KEY: 'api' } });
      using tunnel = await open(own);
      resets.length = 0;
      const stream = tunnel.open({ path: '/hold' });
      await once(stream, 'data');
      stream.close(code);
      await eventually(async () => {
        expect(resets).toEqual([code]);
        expect(await codesOf(own, '/hold')).toEqual(['client_aborted']);
      });
      expect((await tunnel.request({ path: '/' })).status).toBe(200);
    },
  );
});
