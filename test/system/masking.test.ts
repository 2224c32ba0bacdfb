/**
 * Origins that send credentials back: what the sandbox sees of it, in every spelling and place, over
 * HTTP/1.1. A sandbox that talks to an origin which echoes learns nothing but stars.
 */
import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import type { HttpConnection, RawResponse } from '../support/client.ts';
import { valuesOf } from '../support/origin.ts';
import type { OriginHandler } from '../support/origin.ts';
import { reply } from '../support/origin-replies.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const BEARER = 'bearer.example.test';
const BASIC = 'basic.example.test';
const QUERY = 'query.example.test';
const SHORT = 'short.example.test';
const OFF = 'off.example.test';
const TWO = 'two.example.test';
const FREE = 'free.example.test';
const TURNING = 'turning.example.test';

const PREFIX = 'sk-ant-api03-';
const key = mintCanary(PREFIX);
const password = `${mintCanary()}>>>????`;
const odd = `${mintCanary()}/+="\\<&' ${mintCanary()}`;
const short = 'canary-15-bytes';
const open15 = mintCanary();
const second = mintCanary();
const hidden = [key, password, odd, second];

const stars = (text: string): string => '*'.repeat(text.length);
/** Characters up to the half of the secret part. */
const HALF = PREFIX.length + Math.ceil((key.length - PREFIX.length) / 2);

/** Responses that a test writes itself, piece by piece. */
const live: ((response: ServerResponse) => void)[] = [];

const echo: OriginHandler = async (request, response, body) => {
  const text = (await body()).toString();
  const headers = Object.fromEntries(
    request.rawHeaders.flatMap((name, i, all) => (i % 2 === 0 ? [[name, all[i + 1]]] : [])),
  );
  const json = JSON.stringify({ url: request.url, headers, body: text });
  response.writeHead(200, ['Content-Type', 'application/json', 'X-Length', String(json.length)]);
  response.end(json);
};

/** As PHP writes it: slashes escaped. */
const php: OriginHandler = (request, response) => {
  const json = JSON.stringify(request.headers).replaceAll('/', String.raw`\/`);
  response.writeHead(200, ['Content-Length', String(Buffer.byteLength(json))]);
  response.end(json);
};

const hints: OriginHandler = (_request, response) => {
  response.writeEarlyHints({ link: `</a?${key}>; rel=preload`, 'x-echo': key });
  response.end('after');
};

const trailers: OriginHandler = (_request, response) => {
  response.writeHead(200, ['Trailer', 'X-Echo, X-Other']);
  response.write('body');
  response.addTrailers([
    ['X-Echo', `key is ${key}`],
    ['X-Other', 'untouched'],
  ]);
  response.end();
};

let scene: Scene;
let sandbox: TestSandbox;

beforeAll(async () => {
  scene = await startScene({
    names: [BEARER, BASIC, QUERY, SHORT, OFF, TWO, FREE, TURNING],
    handlers: {
      '/echo': echo,
      '/php': php,
      '/hints': hints,
      '/trailers': trailers,
      '/redirect': reply(302, '', ['Location', `https://x.test/?k=${encodeURIComponent(odd)}`]),
      '/lower': reply(
        200,
        encodeURIComponent(odd).replaceAll(/%../g, (at) => at.toLowerCase()),
      ),
      '/fields': reply(401, 'no', ['X-One', `a ${key} b`, 'Set-Cookie', key, 'X-Two', 'b']),
      '/begun': reply(200, 'x', ['X-Begun', key.slice(0, HALF), 'X-Less', key.slice(0, HALF - 1)]),
      '/reason': (_request, response) => {
        response.writeHead(403, `no ${key}`, []);
        response.end();
      },
      '/part': reply(206, key, ['Content-Range', 'bytes 0-9/10', 'X-Echo', key]),
      '/forged': reply(200, 'x', ['Sallyport-Masking', 'on', 'sallyport-masking', 'off; reason=x']),
      '/named': reply(200, 'x', ['Connection', 'sallyport-masking', 'Sallyport-Masking', 'mine']),
      '/cut': reply(200, `the key: ${key.slice(0, HALF)}`),
      '/less': reply(200, `the key: ${key.slice(0, HALF - 1)}`),
      '/value-short': reply(200, short),
      '/value-open': reply(200, open15),
      '/two': reply(200, `${key} and ${second} and ${key}${second}`),
      '/length': reply(200, `<${key}>`, ['Content-Length', String(key.length + 2)]),
      '/unknown': reply(200, 'coded', ['Content-Encoding', 'compress']),
      '/live': (_request, response) => live.shift()?.(response),
    },
    onUpgrade: (request, socket) => {
      if (request.url === '/refused') {
        const body = gzipSync(`no ${key}`);
        socket.write(
          'HTTP/1.1 403 No\r\nContent-Encoding: gzip\r\n' +
            `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n`,
        );
        socket.end(body);
        return;
      }
      socket.write(
        `HTTP/1.1 101 Go ${key}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Echo: ${key}\r\n\r\n`,
      );
      socket.end(key);
    },
  });
  const { product } = scene;
  const bearer = { auth: { type: 'bearer' } };
  await product.createSecret('key', key, { ...bearer, hosts: [BEARER] });
  await product.createSecret('basic', password, {
    auth: { type: 'basic', username: 'me' },
    hosts: [BASIC],
  });
  await product.createSecret('odd', odd, { auth: { type: 'query', name: 'k' }, hosts: [QUERY] });
  await product.createSecret('short', short, { ...bearer, hosts: [SHORT] });
  await product.createSecret('open', open15, { ...bearer, hosts: [OFF], mask_responses: false });
  await product.createSecret('free', mintCanary(), { ...bearer, hosts: [FREE] });
  await product.createSecret('two-a', key, { ...bearer, hosts: [TWO] });
  await product.createSecret('two-b', second, {
    auth: { type: 'api-key', header: 'X-Api-Key' },
    hosts: [TWO],
  });
  sandbox = await product.createSandbox({
    secrets: {
      A_KEY: 'key',
      B_KEY: 'basic',
      C_KEY: 'odd',
      D_KEY: 'short',
      E_KEY: 'open',
      F_KEY: 'two-a',
      G_KEY: 'two-b',
    },
  });
});

afterAll(async () => {
  await scene.product.assertNoLeak(hidden.filter((value) => value !== key));
  await scene.product.assertNoLeak([short, open15, key], { client: false });
  await scene[Symbol.asyncDispose]();
});

const openTo = (host: string): Promise<HttpConnection> =>
  scene.product.openTunnel(sandbox, `${host}:443`);

async function get(host: string, path: string, fields: string[] = []): Promise<RawResponse> {
  using tunnel = await openTo(host);
  return await tunnel.request({ path, fields });
}

/** A request whose response the test writes. */
async function openLive(tunnel: HttpConnection): Promise<ServerResponse> {
  const { promise, resolve } = Promise.withResolvers<ServerResponse>();
  live.push(resolve);
  tunnel.sendRequest({ path: '/live' });
  return promise;
}

describe('I3: a value that is sent back is stars', () => {
  test('raw, in JSON, with a length that stays right', async () => {
    const response = await get(BEARER, '/echo');
    expect(response.field('sallyport-masking')).toBe('on');
    const { headers } = response.json() as { headers: Record<string, string> };
    expect(headers['Authorization']).toBe(`Bearer ${stars(key)}`);
    expect(response.body.length).toBe(Number(response.field('x-length')));
    const counted = await get(BEARER, '/length');
    expect(counted.field('content-length')).toBe(String(key.length + 2));
    expect(counted.text()).toBe(`<${stars(key)}>`);
  });

  test('base64 of Basic, as sent and with its slashes escaped', async () => {
    const sent = Buffer.from(`me:${password}`).toString('base64');
    expect(sent).toContain('/');
    const response = await get(BASIC, '/echo');
    const { headers } = response.json() as { headers: Record<string, string> };
    expect(headers['Authorization']).toBe(`Basic ${stars(sent)}`);
    const escaped = sent.replaceAll('/', String.raw`\/`);
    expect((await get(BASIC, '/php')).text()).toContain(`"Basic ${stars(escaped)}"`);
  });

  test('percent-encoded as sent, in either case, and JSON-escaped', async () => {
    const response = await get(QUERY, '/echo?a=1');
    const { url } = response.json() as { url: string };
    expect(url).toBe(`/echo?a=1&k=${stars(encodeURIComponent(odd))}`);
    expect((await get(QUERY, '/redirect')).field('location')).toBe(
      `https://x.test/?k=${stars(encodeURIComponent(odd))}`,
    );
    expect((await get(QUERY, '/lower')).text()).toBe(stars(encodeURIComponent(odd)));
    using tunnel = await openTo(QUERY);
    const told = await tunnel.request({ method: 'POST', path: '/echo', body: 'plain' });
    expect(told.text()).toContain('"body":"plain"');
  });

  test('field values and nothing beside them', async () => {
    const response = await get(BEARER, '/fields');
    expect(response.status).toBe(401);
    expect(response.fields.slice(0, 6)).toEqual([
      'X-One', `a ${stars(key)} b`, 'Set-Cookie', stars(key), 'X-Two', 'b',
    ]); // prettier-ignore
  });

  test('a field value that ends with half of it, and one that ends before', async () => {
    const response = await get(BEARER, '/begun');
    expect(response.field('x-begun')).toBe('*'.repeat(HALF));
    expect(response.field('x-less')).toBe(key.slice(0, HALF - 1));
  });

  test('the reason phrase', async () => {
    const response = await get(BEARER, '/reason');
    expect(response.reason).toBe(`no ${stars(key)}`);
  });

  test('a 103', async () => {
    const response = await get(BEARER, '/hints');
    const { interim } = response;
    expect(interim).toHaveLength(1);
    expect(valuesOf(interim[0]?.fields ?? [], 'link')).toEqual([`</a?${stars(key)}>; rel=preload`]);
    expect(valuesOf(interim[0]?.fields ?? [], 'x-echo')).toEqual([stars(key)]);
    expect(response.text()).toBe('after');
  });

  test('trailers', async () => {
    const response = await get(BEARER, '/trailers', ['TE', 'trailers']);
    expect(response.text()).toBe('body');
    expect(response.trailers).toEqual(['X-Echo', `key is ${stars(key)}`, 'X-Other', 'untouched']);
  });

  test('two secrets of one request', async () => {
    const response = await get(TWO, '/two');
    expect(response.text()).toBe(
      `${stars(key)} and ${stars(second)} and ${stars(key)}${stars(second)}`,
    );
  });

  test('every version: the one a rotation made is masked from the next request on', async () => {
    const { product } = scene;
    const before = mintCanary();
    const after = mintCanary();
    const host = { hosts: [TURNING], auth: { type: 'bearer' } };
    await product.createSecret('turning', before, host);
    const other = await product.createSandbox({ secrets: { KEY: 'turning' } });
    using tunnel = await product.openTunnel(other, `${TURNING}:443`);
    const seen = async (): Promise<string> => (await tunnel.request({ path: '/echo' })).text();
    expect(await seen()).toContain(`Bearer ${stars(before)}"`);
    await product.admin.must('PATCH', '/secrets/turning', { value: after });
    expect(await seen()).toContain(`Bearer ${stars(after)}"`);
    await product.assertNoLeak([before, after]);
  });
});

describe('half of the secret part', () => {
  test('less than half is not waited for; what follows is masked', async () => {
    using tunnel = await openTo(BEARER);
    const response = await openLive(tunnel);
    const begin = key.slice(0, HALF - 1);
    response.writeHead(200, ['Content-Length', String(key.length + 4)]);
    response.write(`<<${begin}`);
    await tunnel.readHead();
    expect((await tunnel.reader.readExactly(2 + begin.length)).toString()).toBe(`<<${begin}`);
    response.end(`${key.slice(HALF - 1)}>>`);
    const rest = await tunnel.reader.readExactly(key.length - begin.length + 2);
    expect(rest.toString()).toBe(`${'*'.repeat(key.length - begin.length)}>>`);
  });

  test('from half on it waits, and is masked when it completes', async () => {
    using tunnel = await openTo(BEARER);
    const response = await openLive(tunnel);
    response.writeHead(200, ['Content-Length', String(key.length + 4)]);
    response.write(`<<${key.slice(0, HALF)}`);
    await tunnel.readHead();
    // What stands before the match leaves.
    expect((await tunnel.reader.readExactly(2)).toString()).toBe('<<');
    for (const char of key.slice(HALF)) response.write(char);
    response.end('>>');
    expect((await tunnel.reader.readExactly(key.length + 2)).toString()).toBe(`${stars(key)}>>`);
  });

  test('or is sent when it fails', async () => {
    using tunnel = await openTo(BEARER);
    const response = await openLive(tunnel);
    const text = `${key.slice(0, -1)}!`;
    response.writeHead(200, ['Content-Length', String(text.length)]);
    response.write(text.slice(0, -1));
    response.end('!');
    await tunnel.readHead();
    expect((await tunnel.reader.readExactly(text.length)).toString()).toBe(text);
  });

  test('or is masked when the body ends with it; less than half is not', async () => {
    expect((await get(BEARER, '/cut')).text()).toBe(`the key: ${'*'.repeat(HALF)}`);
    expect((await get(BEARER, '/less')).text()).toBe(`the key: ${key.slice(0, HALF - 1)}`);
  });

  test('an event is there before the next one is sent, also one that begins like a value', async () => {
    using tunnel = await openTo(BEARER);
    const response = await openLive(tunnel);
    response.writeHead(200, ['Content-Type', 'text/event-stream']);
    response.flushHeaders();
    await tunnel.readHead();
    for (let i = 0; i < 20; i += 1) {
      const event = `data: ${i} ${key.slice(0, i * 2)}`;
      response.write(`${event}\n\n`);
      const seen = (await tunnel.reader.readUntil('\n\n')).toString();
      expect(seen).toContain(event);
    }
    response.write(`data: ${key}\n\n`);
    expect((await tunnel.reader.readUntil('\n\n')).toString()).toContain(`data: ${stars(key)}`);
    response.end();
  });
});

describe('what it says', () => {
  test.each([
    [SHORT, '/value-short', 'off; reason=short', short],
    [OFF, '/value-open', 'off; reason=disabled', open15],
    [BEARER, '/part', 'off; reason=range', key],
    [BEARER, '/unknown', 'off; reason=encoding', 'coded'],
  ])('%s%s: %s', async (host, path, statement, body) => {
    const response = await get(host, path);
    expect(valuesOf(response.fields, 'sallyport-masking')).toEqual([statement]);
    expect(response.text()).toBe(body);
  });

  test('fields of a part of a body are masked all the same', async () => {
    expect((await get(BEARER, '/part')).field('x-echo')).toBe(stars(key));
  });

  const WEBSOCKET = [
    'Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Version', '13',
    'Sec-WebSocket-Key', Buffer.alloc(16, 'k').toString('base64'),
  ]; // prettier-ignore

  test('of a 101: its head is masked, what follows is not', async () => {
    using tunnel = await openTo(BEARER);
    tunnel.sendRequest({ path: '/socket', fields: WEBSOCKET });
    const head = await tunnel.readHead();
    expect([head.status, head.reason]).toEqual([101, `Go ${stars(key)}`]);
    expect(valuesOf(head.fields, 'x-echo')).toEqual([stars(key)]);
    expect(valuesOf(head.fields, 'sallyport-masking')).toEqual(['off; reason=upgraded']);
    expect((await tunnel.reader.readExactly(key.length)).toString()).toBe(key);
  });

  test('of an upgrade that is declined: an answer like any other', async () => {
    const response = await get(BEARER, '/refused', WEBSOCKET);
    expect(response.status).toBe(403);
    expect(response.field('sallyport-masking')).toBe('on');
    expect(response.text()).toBe(`no ${stars(key)}`);
  });

  test('nothing where nothing was injected, whatever the origin claims', async () => {
    const { product } = scene;
    const asking = await product.createSandbox();
    const binding = { env_key: 'KEY', secret_name: 'free', inject: 'placeholder' };
    await product.admin.must('POST', `/sandboxes/${asking.id}/secrets`, binding);
    using tunnel = await product.openTunnel(asking, `${FREE}:443`);
    const response = await tunnel.request({ path: '/forged' });
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([]);
    expect(response.field('sallyport-masking')).toBeUndefined();
  });

  test('only what it does itself: fields of that name from the origin go', async () => {
    for (const path of ['/forged', '/named']) {
      const response = await get(BEARER, path);
      expect(valuesOf(response.fields, 'sallyport-masking')).toEqual(['on']);
    }
    const short = await get(SHORT, '/forged');
    expect(valuesOf(short.fields, 'sallyport-masking')).toEqual(['off; reason=short']);
  });

  test('HEAD, 204 and 304 have a statement and no body', async () => {
    using tunnel = await openTo(BEARER);
    const response = await tunnel.request({ method: 'HEAD', path: '/fields' });
    expect(response.field('sallyport-masking')).toBe('on');
    expect(response.field('x-one')).toBe(`a ${stars(key)} b`);
  });
});

describe('the request', () => {
  test('asks for a body as it is where the answer is masked', async () => {
    await get(BEARER, '/fields', ['accept-ENCODING', 'gzip, br', 'Accept', '*/*']);
    const { rawHeaders } = scene.origin.last;
    expect(valuesOf(rawHeaders, 'accept-encoding')).toEqual(['identity']);
    await get(BEARER, '/fields');
    expect(valuesOf(scene.origin.last.rawHeaders, 'accept-encoding')).toEqual(['identity']);
  });

  test.each([SHORT, OFF])('leaves Accept-Encoding alone for %s', async (host) => {
    await get(host, '/fields', ['Accept-Encoding', 'gzip, br']);
    expect(valuesOf(scene.origin.last.rawHeaders, 'accept-encoding')).toEqual(['gzip, br']);
    await get(host, '/fields');
    expect(valuesOf(scene.origin.last.rawHeaders, 'accept-encoding')).toEqual([]);
  });
});
