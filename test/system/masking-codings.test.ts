/**
 * Origins that compress although they were asked not to: decoded, masked, sent decoded; nothing waits for
 * the end of the stream, nothing grows with what comes out, nothing broken passes as whole.
 */
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import zlib from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readResidentBytes } from '../../bench/process-cpu.ts';
import { mintCanary } from '../support/canary.ts';
import type { HttpConnection } from '../support/client.ts';
import type { OriginHandler } from '../support/origin.ts';
import { valuesOf } from '../support/origin.ts';
import { eventually } from '../support/eventually.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const value = mintCanary();
const stars = '*'.repeat(value.length);
const TEXT = `${randomBytes(2_000).toString('hex')} ${value} ${randomBytes(50_000).toString('hex')}`;
const SHOWN = TEXT.replace(value, stars);
const MIB = 2 ** 20;
const BOMB_BYTES = 256 * MIB;

const { BROTLI_OPERATION_FLUSH, BROTLI_PARAM_QUALITY, ZSTD_e_flush, Z_SYNC_FLUSH } = zlib.constants;

interface Coding {
  readonly name: string;
  readonly encode: (text: string | Buffer) => Buffer;
  readonly open: () => zlib.Gzip | zlib.BrotliCompress | zlib.ZstdCompress;
  readonly flush: number;
}

const CODINGS: readonly Coding[] = [
  { name: 'gzip', encode: zlib.gzipSync, open: zlib.createGzip, flush: Z_SYNC_FLUSH },
  { name: 'X-GZIP', encode: zlib.gzipSync, open: zlib.createGzip, flush: Z_SYNC_FLUSH },
  { name: 'deflate', encode: zlib.deflateSync, open: zlib.createDeflate, flush: Z_SYNC_FLUSH },
  {
    name: 'br',
    encode: zlib.brotliCompressSync,
    open: zlib.createBrotliCompress,
    flush: BROTLI_OPERATION_FLUSH,
  },
  {
    name: 'zstd',
    encode: zlib.zstdCompressSync,
    open: zlib.createZstdCompress,
    flush: ZSTD_e_flush,
  },
];

const coded = (coding: string, body: Buffer, fields: readonly string[] = []): OriginHandler => {
  const head = ['Content-Encoding', coding, 'Content-Length', String(body.length), ...fields];
  return (_request, response) => {
    response.writeHead(200, head);
    response.end(body);
  };
};

const ABOUT = [
  'ETag', '"strong"', 'Content-Digest', 'sha-256=:x:', 'Repr-Digest', 'sha-256=:x:',
  'Digest', 'sha-256=x', 'Content-MD5', 'x', 'X-Kept', 'y',
]; // prettier-ignore

const CONNECTION = ['Date', 'Connection', 'Keep-Alive', 'Transfer-Encoding'];

const bomb = (): Buffer =>
  zlib.brotliCompressSync(Buffer.alloc(BOMB_BYTES), { params: { [BROTLI_PARAM_QUALITY]: 1 } });

const live: ((response: ServerResponse) => void)[] = [];
let scene: Scene;
let sandbox: TestSandbox;

beforeAll(async () => {
  const whole = zlib.gzipSync(TEXT);
  scene = await startScene({
    names: [HOST],
    handlers: {
      ...Object.fromEntries(
        CODINGS.map(({ name, encode }) => [`/${name}`, coded(name, encode(TEXT), ABOUT)]),
      ),
      '/raw-deflate': coded('deflate', zlib.deflateRawSync(TEXT)),
      '/members': coded('gzip', Buffer.concat([zlib.gzipSync('one '), zlib.gzipSync(TEXT)])),
      '/trailing': coded('gzip', Buffer.concat([whole, Buffer.alloc(20)])),
      '/weak': coded('gzip', whole, ['ETag', 'W/"weak"']),
      '/empty': coded('gzip', Buffer.alloc(0)),
      '/identity': coded('identity', Buffer.from(TEXT)),
      '/twice': coded('gzip, br', zlib.brotliCompressSync(whole)),
      '/cut': coded('gzip', whole.subarray(0, whole.length - 20)),
      '/rubbish': coded('gzip', Buffer.from('this is no gzip')),
      '/not-modified': (_request, response) => {
        response.writeHead(304, ['Content-Encoding', 'gzip', 'ETag', '"x"']);
        response.end();
      },
      '/part': (_request, response) => {
        response.writeHead(206, ['Content-Encoding', 'gzip', 'Content-Range', 'bytes 0-9/10']);
        response.end(whole.subarray(0, 10));
      },
      '/trailers': (_request, response) => {
        response.writeHead(200, ['Content-Encoding', 'gzip', 'Trailer', 'X-Echo, Repr-Digest']);
        response.write(whole);
        response.addTrailers([
          ['X-Echo', value],
          ['Repr-Digest', 'sha-256=:x:'],
        ]);
        response.end();
      },
      '/bomb': coded('br', bomb()),
      '/live': (_request, response) => live.shift()?.(response),
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

async function openLive(tunnel: HttpConnection): Promise<ServerResponse> {
  const { promise, resolve } = Promise.withResolvers<ServerResponse>();
  live.push(resolve);
  tunnel.sendRequest({ path: '/live' });
  return promise;
}

describe('I3: a compressed body', () => {
  test.each(CODINGS.map(({ name }) => name))('%s: decoded, masked, sent decoded', async (name) => {
    using tunnel = await open();
    const response = await tunnel.request({ path: `/${name}` });
    expect(response.text()).toBe(SHOWN);
    const names = response.fields.filter((_text, i) => i % 2 === 0);
    expect(names.filter((name) => !CONNECTION.includes(name))).toEqual([
      'ETag', 'X-Kept', 'Sallyport-Masking',
    ]); // prettier-ignore
    expect(response.field('etag')).toBe('W/"strong"');
    expect(response.field('sallyport-masking')).toBe('on');
    // The connection goes on.
    expect((await tunnel.request({ path: '/identity' })).text()).toBe(SHOWN);
  });

  test.each([
    ['/raw-deflate', SHOWN],
    ['/members', `one ${SHOWN}`],
    ['/trailing', SHOWN],
    ['/weak', SHOWN],
    ['/empty', ''],
    ['/identity', SHOWN],
  ])('%s', async (path, text) => {
    using tunnel = await open();
    const response = await tunnel.request({ path });
    expect(response.text()).toBe(text);
    expect(response.field('sallyport-masking')).toBe('on');
  });

  test('HEAD tells what GET would', async () => {
    using tunnel = await open();
    const response = await tunnel.request({ method: 'HEAD', path: '/gzip' });
    expect(response.field('content-encoding')).toBeUndefined();
    expect(response.field('content-length')).toBeUndefined();
    expect(response.field('etag')).toBe('W/"strong"');
    expect((await tunnel.request({ path: '/identity' })).text()).toBe(SHOWN);
  });

  test('its trailers come after it, masked, without digests of the coded bytes', async () => {
    using tunnel = await open();
    const response = await tunnel.request({ path: '/trailers', fields: ['TE', 'trailers'] });
    expect(response.text()).toBe(SHOWN);
    expect(response.trailers).toEqual(['X-Echo', stars]);
  });

  test.each([
    ['/twice', 200, 'off; reason=encoding', 'gzip, br'],
    ['/part', 206, 'off; reason=range', 'gzip'],
    ['/not-modified', 304, 'on', 'gzip'],
  ])('%s passes as it is', async (path, status, statement, coding) => {
    using tunnel = await open();
    const response = await tunnel.request({ path });
    expect([response.status, response.field('sallyport-masking')]).toEqual([status, statement]);
    expect(response.field('content-encoding')).toBe(coding);
  });
});

/** Bytes until the last chunk of a chunked body. */
function countUntilEnd({ socket }: HttpConnection): Promise<number> {
  return new Promise((resolve, reject) => {
    let count = 0;
    socket.on('data', (chunk: Buffer) => {
      count += chunk.length;
      if (chunk.subarray(-5).toString() === '0\r\n\r\n') resolve(count);
    });
    socket.once('close', () => reject(new Error(`closed after ${count} bytes`)));
    socket.resume();
  });
}

describe('as it comes', () => {
  test.each(CODINGS)('$name: an event is there before the next is sent', async (coding) => {
    using tunnel = await open();
    const response = await openLive(tunnel);
    response.writeHead(200, ['Content-Type', 'text/event-stream', 'Content-Encoding', coding.name]);
    response.flushHeaders();
    await tunnel.readHead();
    const encoder = coding.open();
    encoder.pipe(response);
    for (let i = 0; i < 10; i += 1) {
      encoder.write(`data: event ${i} ${value}\n\n`);
      encoder.flush(coding.flush, () => {});
      const event = (await tunnel.reader.readUntil('\n\n')).toString();
      expect(event).toContain(`data: event ${i} ${stars}`);
    }
    encoder.end();
    await tunnel.reader.readUntil('0\r\n\r\n');
  });

  test('I7: a body that grows a thousandfold takes no memory, and waits for a slow client', async () => {
    const { pid } = scene.product;
    using other = await open();
    await other.request({ path: '/gzip' });
    const before = readResidentBytes(pid);
    using tunnel = await open();
    tunnel.sendRequest({ path: '/bomb' });
    await tunnel.readHead();
    tunnel.socket.pause();
    // Time to decode all of it, were it not for the client that does not read.
    for (let i = 0; i < 50; i += 1) await other.request({ path: '/gzip' });
    expect(readResidentBytes(pid) - before).toBeLessThan(BOMB_BYTES / 4);
    // Counted, not kept.
    tunnel.socket.removeAllListeners('data');
    expect(await countUntilEnd(tunnel)).toBeGreaterThan(BOMB_BYTES - MIB);
    expect(readResidentBytes(pid) - before).toBeLessThan(BOMB_BYTES / 2);
  });
});

describe('what does not decode', () => {
  test.each(['/cut', '/rubbish'])('%s: the client sees that it is not whole', async (path) => {
    using tunnel = await open();
    tunnel.sendRequest({ path });
    await tunnel.readHead();
    const rest = await tunnel.reader.readToEnd();
    expect(rest.toString('latin1')).not.toMatch(/\r\n0\r\n\r\n$/);
    await eventually(async () => {
      const route = `/audit?sandbox=${sandbox.id}&limit=1000`;
      const { data } = (await scene.product.admin.must('GET', route)) as {
        data: { path: string; code: string | null }[];
      };
      expect(data.filter((row) => row.path === path).map(({ code }) => code)).toEqual([
        'upstream_aborted',
      ]);
    });
  });
});

test('the request asked for a body as it is', () => {
  expect(scene.origin.requests.length).toBeGreaterThan(20);
  for (const { rawHeaders } of scene.origin.requests) {
    expect(valuesOf(rawHeaders, 'accept-encoding')).toEqual(['identity']);
  }
});
