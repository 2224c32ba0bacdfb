/**
 * Clients that speak HTTP/2 to hosts whose origin speaks HTTP/1.1: what is carried, what the two versions
 * say differently, what one stream may and may not do to the others of its connection.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants } from 'node:http2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { eventually } from '../support/eventually.ts';
import { openHttp2, readResponse, resetCodeOf } from '../support/http2-client.ts';
import type { Http2Tunnel } from '../support/http2-client.ts';
import { valuesOf } from '../support/origin.ts';
import {
  big,
  cutMidBody,
  earlyHints,
  endless,
  events,
  redirect,
  reply,
  slow,
  withTrailers,
} from '../support/origin-replies.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const value = mintCanary();
let scene: Scene;
let sandbox: TestSandbox;
let watchedCloses = 0;

beforeAll(async () => {
  scene = await startScene({
    names: [HOST],
    handlers: {
      '/trailers': withTrailers(['one ', 'two'], ['X-Checksum', 'abc', 'grpc-status', '0']),
      '/hints': earlyHints('</style.css>; rel=preload; as=style'),
      '/events': events(20, 20),
      '/endless': endless(),
      '/slow': slow(400),
      '/big': big(16 * 1024 * 1024),
      '/redirect': redirect('https://cdn.example.test/file'),
      '/no-content': reply(204),
      '/reset-content': reply(205, '', ['Content-Length', '0']),
      '/not-modified': reply(304, '', ['ETag', '"x"']),
      '/teapot': reply(418, 'short', ['X-One', '1', 'x-two', '2', 'X-One', '3', 'Alt-Svc', 'h3']),
      '/twice': reply(200, '', ['Content-Type', 'text/plain', 'content-type', 'text/html']),
      '/latin': reply(200, '', ['X-Name', 'caf\u00e9']),
      '/cookies': reply(200, '', ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']),
      '/challenge': reply(407, 'no', ['Proxy-Authenticate', 'Basic']),
      '/beyond': reply(799, 'odd'),
      '/hop': reply(200, 'x', ['Keep-Alive', 'timeout=5', 'Connection', 'X-Drop', 'X-Drop', '1']),
      '/broken': cutMidBody(1_000, 'only this'),
      '/watched': (_request, response) => {
        response.writeHead(200);
        response.write('begin');
        response.on('close', () => {
          watchedCloses += 1;
        });
      },
      '/early': (request, response) => {
        // It reads on: closing over unread bytes would reset the connection, and the answer with it.
        request.resume();
        response.writeHead(413, ['Content-Length', '5']);
        response.end('large');
      },
    },
  });
  await scene.product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST] });
  sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
});

afterAll(async () => {
  await scene.product.assertNoLeak(value);
  await scene[Symbol.asyncDispose]();
});

const open = (): Promise<Http2Tunnel> => openHttp2(scene.product, sandbox, `${HOST}:443`);

interface Row {
  readonly path?: string;
  readonly http_version?: string;
  readonly upstream_http_version?: string | null;
  readonly code?: string | null;
}

async function rowsOf(who: TestSandbox, path: string): Promise<Row[]> {
  const route = `/audit?sandbox=${who.id}&limit=1000`;
  const { data } = (await scene.product.admin.must('GET', route)) as { data: Row[] };
  return data.filter((row) => row.path === path);
}

describe('the request', () => {
  test('keeps order and duplicates; the host is the one of the tunnel', async () => {
    using tunnel = await open();
    const fields = ['x-b', '1', 'x-a', '2', 'x-b', '3', 'accept', '*/*', 'x-empty', ''];
    await tunnel.request({ path: '/a//b/../c?x=1;y=%2F&&z', fields });
    const { rawHeaders, url, httpVersion } = scene.origin.last;
    expect({ url, httpVersion }).toEqual({ url: '/a//b/../c?x=1;y=%2F&&z', httpVersion: '1.1' });
    const kept = rawHeaders.filter((_text, i) => fields.includes(rawHeaders[i - (i % 2)] ?? ''));
    expect(kept).toEqual(fields);
    expect(valuesOf(rawHeaders, 'host')).toEqual([HOST]);
    expect(valuesOf(rawHeaders, 'authorization')).toEqual([`Bearer ${value}`]);
    for (const added of ['via', 'x-forwarded-for', 'forwarded', 'http2-settings']) {
      expect(valuesOf(rawHeaders, added)).toEqual([]);
    }
  });

  test('cookie crumbs become one Cookie', async () => {
    using tunnel = await open();
    await tunnel.request({ path: '/', fields: ['cookie', 'a=1', 'x-a', '1', 'cookie', 'b=2'] });
    expect(valuesOf(scene.origin.last.rawHeaders, 'cookie')).toEqual(['a=1; b=2']);
  });

  test('a body with its length, and one without', async () => {
    using tunnel = await open();
    const body = 'a body';
    await tunnel.request({ method: 'POST', path: '/', body, fields: ['content-length', '6'] });
    expect(scene.origin.last.body.toString()).toBe(body);
    expect(valuesOf(scene.origin.last.rawHeaders, 'content-length')).toEqual(['6']);
    await tunnel.request({ method: 'POST', path: '/', body });
    expect(scene.origin.last.body.toString()).toBe(body);
    expect(valuesOf(scene.origin.last.rawHeaders, 'transfer-encoding')).toEqual(['chunked']);
  });

  test('a POST without a body, and one with an empty one', async () => {
    using tunnel = await open();
    expect((await tunnel.request({ method: 'POST', path: '/' })).status).toBe(200);
    const empty = { method: 'POST', path: '/', body: '', fields: ['content-length', '0'] };
    expect((await tunnel.request(empty)).status).toBe(200);
    expect(scene.origin.last.body).toHaveLength(0);
  });

  test('announced trailers reach the origin, without what is claimed', async () => {
    using tunnel = await open();
    const trailers = ['x-checksum', 'abc', 'authorization', 'Bearer mine'];
    const fields = ['trailer', 'x-checksum'];
    await tunnel.request({ method: 'POST', path: '/', body: 'x', fields, trailers });
    expect(scene.origin.last.rawTrailers).toEqual(['x-checksum', 'abc']);
  });

  test('TE: trailers goes on, other fields of a connection do not exist', async () => {
    using tunnel = await open();
    await tunnel.request({ path: '/', fields: ['te', 'trailers'] });
    expect(valuesOf(scene.origin.last.rawHeaders, 'te')).toEqual(['trailers']);
  });

  test('a large upload arrives whole', async () => {
    using tunnel = await open();
    const body = randomBytes(8 * 1024 * 1024);
    const response = await tunnel.request({ method: 'PUT', path: '/upload', body });
    expect(response.status).toBe(200);
    const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
    expect(digest(scene.origin.last.body)).toBe(digest(body));
  });
});

describe('the response', () => {
  test('names in lower case, order and duplicates kept, Alt-Svc gone', async () => {
    using tunnel = await open();
    const { status, fields, body } = await tunnel.request({ path: '/teapot' });
    expect(status).toBe(418);
    expect(fields.slice(0, 6)).toEqual(['x-one', '1', 'x-two', '2', 'x-one', '3']);
    expect(fields).not.toContain('alt-svc');
    expect(body.toString()).toBe('short');
  });

  test('fields of the connection are gone, with those it names', async () => {
    using tunnel = await open();
    const { fields } = await tunnel.request({ path: '/hop' });
    for (const name of ['connection', 'keep-alive', 'transfer-encoding', 'x-drop']) {
      expect(fields).not.toContain(name);
    }
  });

  test('what HTTP/2 libraries like to merge passes as it came', async () => {
    using tunnel = await open();
    const cookies = await tunnel.request({ path: '/cookies' });
    expect(valuesOf(cookies.fields, 'set-cookie')).toEqual(['a=1', 'b=2']);
    const twice = await tunnel.request({ path: '/twice' });
    expect(valuesOf(twice.fields, 'content-type')).toEqual(['text/plain', 'text/html']);
    expect((await tunnel.request({ path: '/latin' })).field('x-name')).toBe('caf\u00e9');
  });

  test('trailers', async () => {
    using tunnel = await open();
    const { body, trailers } = await tunnel.request({ path: '/trailers' });
    expect(body.toString()).toBe('one two');
    expect(trailers).toEqual(['x-checksum', 'abc', 'grpc-status', '0']);
  });

  test('103 before the response', async () => {
    using tunnel = await open();
    const { interim, body } = await tunnel.request({ path: '/hints' });
    expect(interim).toMatchObject([{ status: 103 }]);
    expect(valuesOf(interim[0]?.fields ?? [], 'link')).toEqual([
      '</style.css>; rel=preload; as=style',
    ]);
    expect(body.toString()).toBe('after hints');
  });

  test.each([
    ['GET', '/no-content', 204],
    ['GET', '/reset-content', 205],
    ['GET', '/not-modified', 304],
    ['HEAD', '/teapot', 418],
    ['HEAD', '/big', 200],
    ['OPTIONS', '/', 200],
    ['OPTIONS', '*', 200],
    ['GET', '/redirect', 302],
  ])('%s %s: %i, and the connection goes on', async (method, path, status) => {
    using tunnel = await open();
    const response = await tunnel.request({ method, path });
    expect(response.status).toBe(status);
    expect(method === 'HEAD' ? response.body.length : 0).toBe(0);
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
  });

  test('a large body arrives whole, and at once with others', async () => {
    using tunnel = await open();
    const [one, other, small] = await Promise.all([
      tunnel.request({ path: '/big' }),
      tunnel.request({ path: '/big' }),
      tunnel.request({ path: '/teapot' }),
    ]);
    expect([one.body.length, other.body.length]).toEqual([16 * 1024 * 1024, 16 * 1024 * 1024]);
    expect(one.body.equals(other.body)).toBe(true);
    expect(small.text()).toBe('short');
  });

  test('events arrive one by one', async () => {
    using tunnel = await open();
    const stream = tunnel.open({ path: '/events' });
    const [first] = (await once(stream, 'data')) as [Buffer];
    expect(first.toString()).toBe('id: 0\ndata: event 0\n\n');
    stream.close(constants.NGHTTP2_CANCEL);
  });

  test('an origin that answers 407, or a status HTTP/2 has not, is refused', async () => {
    using tunnel = await open();
    for (const path of ['/challenge', '/beyond']) {
      const answer = await tunnel.request({ path });
      expect(answer.status).toBe(502);
      expect(answer.text()).toContain('"upstream_protocol_error"');
    }
  });
});

describe('streams of one connection', () => {
  test('a hundred at once, each with its own event', async () => {
    const own = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
    using tunnel = await openHttp2(scene.product, own, `${HOST}:443`);
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        tunnel.request({ path: '/many', fields: ['x-i', `${i}`] }),
      ),
    );
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    await eventually(async () => {
      const rows = await rowsOf(own, '/many');
      expect(rows).toHaveLength(100);
      expect(rows.every((row) => row.http_version === '2' && !row.code)).toBe(true);
      expect(rows.every((row) => row.upstream_http_version === '1.1')).toBe(true);
    });
    const metrics = (await scene.product.admin.get('/metrics')).text;
    expect(metrics).toMatch(/sallyport_exchanges_total\{[^}]*protocol="h2"[^}]*\} [1-9]/);
  });

  test('an origin that breaks off resets its stream and leaves the others', async () => {
    const own = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
    using tunnel = await openHttp2(scene.product, own, `${HOST}:443`);
    const others = tunnel.request({ path: '/slow' });
    const broken = tunnel.open({ path: '/broken' });
    expect(await resetCodeOf(broken)).toBe(constants.NGHTTP2_INTERNAL_ERROR);
    expect((await others).text()).toBe('late');
    await eventually(async () => {
      expect(await rowsOf(own, '/broken')).toMatchObject([{ code: 'upstream_aborted' }]);
    });
  });

  test('a client that resets a stream ends the request at the origin, and no other', async () => {
    const own = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
    using tunnel = await openHttp2(scene.product, own, `${HOST}:443`);
    const others = tunnel.request({ path: '/slow' });
    const endlessly = tunnel.open({ path: '/watched' });
    await once(endlessly, 'data');
    const before = watchedCloses;
    endlessly.close(constants.NGHTTP2_CANCEL);
    await eventually(async () => {
      expect(watchedCloses).toBe(before + 1);
      expect(await rowsOf(own, '/watched')).toMatchObject([{ code: 'client_aborted' }]);
    });
    expect((await others).text()).toBe('late');
  });

  test('a client that hangs up ends all of them, each with its event', async () => {
    const own = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
    const tunnel = await openHttp2(scene.product, own, `${HOST}:443`);
    const streams = Array.from({ length: 5 }, () => tunnel.open({ path: '/endless' }));
    await Promise.all(streams.map((stream) => once(stream, 'data')));
    tunnel[Symbol.dispose]();
    await eventually(async () => {
      const codes = (await rowsOf(own, '/endless')).map((row) => row.code);
      expect(codes).toEqual(Array.from({ length: 5 }, () => 'client_aborted'));
    });
  });

  test('an early answer to an upload that goes on; the connection stays', async () => {
    using tunnel = await open();
    const stream = tunnel.open({ method: 'POST', path: '/early' }, { endStream: false });
    const answer = readResponse(stream);
    const timer = setInterval(() => {
      if (stream.writable) stream.write(Buffer.alloc(16 * 1024));
    }, 5);
    try {
      const { status, body } = await answer;
      expect({ status, body: body.toString() }).toEqual({ status: 413, body: 'large' });
    } finally {
      clearInterval(timer);
    }
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
  });

  test('a client that does not read holds back its stream, not the others', async () => {
    using tunnel = await open();
    const stuck = tunnel.open({ path: '/big' });
    const answer = readResponse(stuck);
    stuck.pause();
    await once(stuck, 'response');
    expect((await tunnel.request({ path: '/teapot' })).status).toBe(418);
    stuck.resume();
    expect((await answer).body).toHaveLength(16 * 1024 * 1024);
  });
});
