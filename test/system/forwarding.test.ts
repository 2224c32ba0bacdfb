/**
 * One exchange through an intercepted tunnel: what is carried as it was (order, case, duplicates, bodies,
 * 1xx, trailers, statuses), what the connection owns, and what must not be changed into something else.
 */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import type { HttpConnection } from '../support/client.ts';
import { valuesOf } from '../support/origin.ts';
import {
  big,
  cutMidBody,
  earlyHints,
  endless,
  events,
  redirect,
  reply,
  withTrailers,
} from '../support/origin-replies.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const value = mintCanary();
let scene: Scene;
let sandbox: TestSandbox;

beforeAll(async () => {
  scene = await startScene({
    names: [HOST],
    handlers: {
      '/trailers': withTrailers(['one ', 'two'], ['X-Checksum', 'abc', 'grpc-status', '0']),
      '/hints': earlyHints('</style.css>; rel=preload; as=style'),
      '/events': events(50, 20),
      '/endless': endless(),
      '/big': big(32 * 1024 * 1024),
      '/redirect': redirect('https://cdn.example.test/file'),
      '/no-content': reply(204),
      '/not-modified': reply(304, '', ['ETag', '"x"']),
      '/teapot': reply(418, 'short', ['X-One', '1', 'x-two', '2', 'X-One', '3', 'Alt-Svc', 'h3']),
      '/cookies': reply(200, '', ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']),
      '/challenge': reply(407, 'no', ['Proxy-Authenticate', 'Basic']),
      '/broken': cutMidBody(1_000, 'only this'),
    },
  });
  await scene.product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST] });
  sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
});

afterAll(async () => {
  await scene.product.assertNoLeak(value);
  await scene[Symbol.asyncDispose]();
});

const open = (): Promise<HttpConnection> => scene.product.openTunnel(sandbox, `${HOST}:443`);

describe('the request', () => {
  test('keeps order, case and duplicates of what it does not own', async () => {
    using tunnel = await open();
    const fields = ['X-B', '1', 'x-a', '2', 'X-B', '3', 'Accept', '*/*', 'X-Empty', ''];
    await tunnel.request({ path: '/a//b/../c?x=1;y=%2F&&z', fields });
    const { rawHeaders, url } = scene.origin.last;
    expect(url).toBe('/a//b/../c?x=1;y=%2F&&z');
    const kept = rawHeaders.filter((_text, i) => {
      const name = rawHeaders[i - (i % 2)]?.toLowerCase() ?? '';
      return ['x-a', 'x-b', 'accept', 'x-empty'].includes(name);
    });
    expect(kept).toEqual(fields);
    for (const added of ['via', 'x-forwarded-for', 'forwarded', 'x-request-id']) {
      expect(valuesOf(rawHeaders, added)).toEqual([]);
    }
  });

  test('loses hop-by-hop fields, Proxy-* and what Connection names', async () => {
    using tunnel = await open();
    const hop = ['Connection', 'X-Drop', 'X-Drop', 'gone', 'Keep-Alive', 'timeout=5', 'TE', 'gzip'];
    const proxy = ['Proxy-Authorization', 'Bearer t', 'Proxy-Connection', 'close', 'Proxy-X', '1'];
    await tunnel.request({ path: '/', fields: [...hop, ...proxy, 'X-Stay', 'here'] });
    const { rawHeaders } = scene.origin.last;
    expect(valuesOf(rawHeaders, 'x-stay')).toEqual(['here']);
    const gone = ['x-drop', 'te', 'proxy-authorization', 'proxy-connection', 'proxy-x'];
    for (const name of gone) expect(valuesOf(rawHeaders, name)).toEqual([]);
  });

  test.each([
    ['with a length', false],
    ['chunked', true],
  ])('carries a body %s, byte for byte', async (_how, chunked) => {
    using tunnel = await open();
    const body = randomBytes(300_000);
    await tunnel.request({ method: 'POST', path: '/upload', body, chunked });
    expect(createHash('sha256').update(scene.origin.last.body).digest('hex')).toBe(
      createHash('sha256').update(body).digest('hex'),
    );
    const { rawHeaders } = scene.origin.last;
    expect(valuesOf(rawHeaders, 'content-length')).toEqual(chunked ? [] : ['300000']);
    expect(valuesOf(rawHeaders, 'transfer-encoding')).toEqual(chunked ? ['chunked'] : []);
  });

  test('carries request trailers', async () => {
    using tunnel = await open();
    const plan = { method: 'POST', path: '/upload', body: 'hello', chunked: true };
    await tunnel.request({ ...plan, fields: ['Trailer', 'X-Sum'], trailers: ['X-Sum', '99'] });
    expect(scene.origin.last.rawTrailers).toEqual(['X-Sum', '99']);
  });

  test('waits for 100 Continue when asked to', async () => {
    using tunnel = await open();
    const fields = ['Expect', '100-continue', 'Content-Length', '5'];
    tunnel.sendRequest({ method: 'PUT', path: '/upload', fields });
    expect((await tunnel.readHead()).status).toBe(100);
    tunnel.send('hello');
    expect((await tunnel.readResponse()).status).toBe(200);
    expect(scene.origin.last.body.toString()).toBe('hello');
  });

  test('OPTIONS * stays OPTIONS *', async () => {
    using tunnel = await open();
    const answer = await tunnel.request({ method: 'OPTIONS', path: '*' });
    expect(answer.status).toBe(200);
    expect(scene.origin.last.url).toBe('*');
  });

  test('h2c is dropped and the request, with its body, goes on', async () => {
    using tunnel = await open();
    const fields = [
      'Connection',
      'Upgrade, HTTP2-Settings',
      'Upgrade',
      'h2c',
      'HTTP2-Settings',
      'AA',
    ];
    const answer = await tunnel.request({ method: 'POST', path: '/', fields, body: 'kept' });
    expect(answer.status).toBe(200);
    expect(scene.origin.last.body.toString()).toBe('kept');
    for (const name of ['upgrade', 'http2-settings']) {
      expect(valuesOf(scene.origin.last.rawHeaders, name)).toEqual([]);
    }
    expect(scene.origin.last.upgrade).toBe(false);
  });

  test('pipelined requests are answered in order', async () => {
    using tunnel = await open();
    const one = `GET /one HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
    tunnel.send(one + one.replace('/one', '/teapot') + one.replace('/one', '/three'));
    const statuses = [];
    for (let i = 0; i < 3; i += 1) statuses.push((await tunnel.readResponse()).status);
    expect(statuses).toEqual([200, 418, 200]);
  });
});

describe('the response', () => {
  test('keeps status, fields, order, case and duplicates; Alt-Svc is removed', async () => {
    using tunnel = await open();
    const answer = await tunnel.request({ path: '/teapot' });
    expect(answer.status).toBe(418);
    expect(answer.text()).toBe('short');
    const own = answer.fields.filter((_text, i) =>
      answer.fields[i - (i % 2)]?.toLowerCase().startsWith('x-'),
    );
    expect(own).toEqual(['X-One', '1', 'x-two', '2', 'X-One', '3']);
    expect(answer.field('alt-svc')).toBeUndefined();
  });

  test('keeps each Set-Cookie on its own', async () => {
    using tunnel = await open();
    const { fields } = await tunnel.request({ path: '/cookies' });
    const cookies = fields.filter((_text, i) => fields[i - 1]?.toLowerCase() === 'set-cookie');
    expect(cookies).toEqual(['a=1', 'b=2']);
  });

  test('HEAD, 204 and 304 have no body and the tunnel goes on', async () => {
    using tunnel = await open();
    expect((await tunnel.request({ method: 'HEAD', path: '/teapot' })).status).toBe(418);
    expect((await tunnel.request({ path: '/no-content' })).status).toBe(204);
    expect((await tunnel.request({ path: '/not-modified' })).status).toBe(304);
    expect((await tunnel.request({ path: '/last' })).status).toBe(200);
  });

  test('passes 103 and trailers', async () => {
    using tunnel = await open();
    const hinted = await tunnel.request({ path: '/hints' });
    expect(hinted.interim).toMatchObject([{ status: 103 }]);
    expect(hinted.interim[0]?.fields).toContain('</style.css>; rel=preload; as=style');
    const trailed = await tunnel.request({ path: '/trailers' });
    expect(trailed.text()).toBe('one two');
    expect(trailed.trailers).toEqual(['X-Checksum', 'abc', 'grpc-status', '0']);
  });

  test('server-sent events arrive while the stream is open', async () => {
    using tunnel = await open();
    tunnel.sendRequest({ path: '/events' });
    expect((await tunnel.readHead()).status).toBe(200);
    await tunnel.reader.readUntil('data: event 0\n');
    await tunnel.reader.readUntil('data: event 1\n');
    expect(tunnel.reader.ended).toBe(false);
  });

  test('a large body arrives whole', async () => {
    using tunnel = await open();
    const answer = await tunnel.request({ path: '/big', timeoutMs: 25_000 });
    expect(answer.body.length).toBe(32 * 1024 * 1024);
    expect(answer.body.subarray(0, 9).toString()).toBe('sallyport');
  });

  test('a redirect is handed to the client, never followed', async () => {
    using tunnel = await open();
    scene.origin.clear();
    const answer = await tunnel.request({ path: '/redirect' });
    expect(answer.status).toBe(302);
    expect(answer.field('location')).toBe('https://cdn.example.test/file');
    expect(scene.origin.requests).toHaveLength(1);
  });

  test("the origin's 407 is not passed on", async () => {
    using tunnel = await open();
    const answer = await tunnel.request({ path: '/challenge' });
    expect(answer.status).toBe(502);
    expect(answer.json()).toMatchObject({ error: { code: 'upstream_protocol_error' } });
    expect(answer.field('proxy-authenticate')).toBeUndefined();
  });

  test('a body that breaks off breaks the connection, it does not end it well', async () => {
    using tunnel = await open();
    tunnel.sendRequest({ path: '/broken' });
    expect((await tunnel.readHead()).status).toBe(200);
    const body = await tunnel.reader.readToEnd();
    expect(body.toString()).toBe('only this');
  });

  test('a client that half-closes still gets its response', async () => {
    using tunnel = await open();
    tunnel.sendRequest({ path: '/hints' });
    tunnel.socket.end();
    const answer = await tunnel.readResponse();
    expect(answer.text()).toBe('after hints');
  });
});
