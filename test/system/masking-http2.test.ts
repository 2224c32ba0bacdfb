/**
 * Masking where both sides speak HTTP/2: heads, trailers, bodies in frames of one byte, messages of calls
 * that run both ways, and what a reset leaves behind.
 */
import { once } from 'node:events';
import { constants } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { openHttp2, readResponse } from '../support/http2-client.ts';
import type { Http2Tunnel } from '../support/http2-client.ts';
import { Http2Origin } from '../support/http2-origin.ts';
import type { StreamHandler } from '../support/http2-origin.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';

const HOST = 'api.example.test';
const value = mintCanary();
const stars = '*'.repeat(value.length);
const half = value.length / 2;
let origin: Http2Origin;
let product: Product;
let sandbox: TestSandbox;
/** What the origin was asked to encode bodies as. */
const asked: unknown[] = [];

/** The credential in a head, in trailers, and byte by byte in the body. */
const echo: StreamHandler = (stream, record) => {
  asked.push(record.field('accept-encoding'));
  const credential = String(record.field('authorization'));
  stream.resume();
  stream.additionalHeaders({ ':status': 103, 'x-early': credential });
  stream.respond({ ':status': 200, 'x-echo': credential }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-message': `bad ${credential}` }));
  for (const char of `you sent ${credential}.`) stream.write(char);
  stream.end();
};

const compressed: StreamHandler = (stream, record) => {
  stream.resume();
  stream.respond({ ':status': 200, 'content-encoding': 'gzip' });
  stream.end(gzipSync(`you sent ${String(record.field('authorization'))}`));
};

/** Sends back what it gets; `VALUE` becomes the credential, `HALF` more than half of it. */
const repeat: StreamHandler = (stream, record) => {
  const credential = String(record.field('authorization')).slice('Bearer '.length);
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
  stream.on('data', (chunk: Buffer) => {
    const text = chunk.toString().replace('VALUE', credential);
    stream.write(text.replace('HALF', credential.slice(0, half + 4)));
  });
  stream.on('end', () => stream.end());
};

const resetInside: StreamHandler = (stream, record) => {
  const credential = String(record.field('authorization'));
  stream.resume();
  stream.respond({ ':status': 200 }, { waitForTrailers: true });
  stream.write(credential.slice(0, -2));
  setTimeout(() => stream.close(constants.NGHTTP2_INTERNAL_ERROR), 50);
};

beforeAll(async () => {
  const authority = new TestAuthority();
  origin = await Http2Origin.start({
    leaf: authority.mintLeaf([HOST]),
    handlers: {
      '/echo': echo,
      '/compressed': compressed,
      '/repeat': repeat,
      '/reset': resetInside,
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

const open = (): Promise<Http2Tunnel> => openHttp2(product, sandbox, `${HOST}:443`);

describe('I3: over HTTP/2', () => {
  test('heads, trailers, 103 and a body in frames of one byte', async () => {
    using tunnel = await open();
    const response = await tunnel.request({
      path: '/echo',
      fields: ['accept-encoding', 'gzip', 'te', 'trailers'],
    });
    expect(response.text()).toBe(`you sent Bearer ${stars}.`);
    expect(response.field('x-echo')).toBe(`Bearer ${stars}`);
    expect(response.field('sallyport-masking')).toBe('on');
    expect(response.trailers).toEqual(['grpc-message', `bad Bearer ${stars}`]);
    expect(response.interim[0]?.fields).toEqual(['x-early', `Bearer ${stars}`]);
    expect(asked).toEqual(['identity']);
  });

  test('a compressed body', async () => {
    using tunnel = await open();
    const response = await tunnel.request({ path: '/compressed' });
    expect(response.text()).toBe(`you sent Bearer ${stars}`);
    expect(response.fields).not.toContain('content-encoding');
  });

  test('every message of a call is answered before the next is sent', async () => {
    using tunnel = await open();
    const stream = tunnel.open(
      { method: 'POST', path: '/repeat', fields: ['content-type', 'application/grpc'] },
      { endStream: false },
    );
    let seen = '';
    stream.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    const answered = async (text: string): Promise<void> => {
      while (seen.length < text.length) await once(stream, 'data');
      expect(seen).toBe(text);
      seen = '';
    };
    for (let i = 0; i < 10; i += 1) {
      stream.write(`message ${i};`);
      await answered(`message ${i};`);
    }
    stream.write('it is VALUE;');
    await answered(`it is ${stars};`);
    // More than half waits; what it turns out to be decides.
    stream.write('and HALF');
    await answered('and ');
    stream.write('!;');
    await answered(`${value.slice(0, half + 4)}!;`);
    stream.write('end HALF');
    await answered('end ');
    stream.end();
    await answered('*'.repeat(half + 4));
  });

  test('what was held back is not sent when the origin resets', async () => {
    using tunnel = await open();
    const stream = tunnel.open({ path: '/reset' });
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    await expect(readResponse(stream)).rejects.toMatchObject({
      code: constants.NGHTTP2_INTERNAL_ERROR,
    });
    expect(Buffer.concat(chunks).toString()).toBe('Bearer ');
  });
});
