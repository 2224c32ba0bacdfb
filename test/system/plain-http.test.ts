/**
 * Plain `http://` through the proxy (proxy section 5.9), and the proxy's own paths: every step of an
 * exchange holds, authentication is per request, a secret goes out only where an admin allowed plaintext.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { dialProxy, proxyAuthorization } from '../support/client.ts';
import type { HttpConnection } from '../support/client.ts';
import { Origin, valuesOf } from '../support/origin.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';

const value = mintCanary();
let origin: Origin;
let product: Product;
let sandbox: TestSandbox;

beforeAll(async () => {
  origin = await Origin.start();
  product = await startProduct({
    hosts: { 'plain.example.test': origin.address, 'open.example.test': origin.address },
  });
  await product.createSecret('secure', mintCanary(), {
    auth: { type: 'bearer' },
    hosts: ['plain.example.test'],
  });
  await product.createSecret('open', value, {
    auth: { type: 'bearer' },
    hosts: ['open.example.test'],
    ports: [443, 80],
    allow_plaintext: true,
  });
  sandbox = await product.createSandbox({ secrets: { SECURE: 'secure', OPEN: 'open' } });
});

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  await origin.close();
});

function ask(connection: HttpConnection, host: string, fields: readonly string[] = []) {
  const credentials = ['Proxy-Authorization', proxyAuthorization(sandbox.token)];
  const path = `http://${host}/path?q=1`;
  return connection.request({ path, fields: ['Host', host, ...credentials, ...fields] });
}

describe('absolute-form requests', () => {
  test('are forwarded in origin-form, with the Host they named and no proxy fields', async () => {
    using connection = await dialProxy(product.proxy);
    expect((await ask(connection, 'plain.example.test')).status).toBe(200);
    expect(origin.last.url).toBe('/path?q=1');
    expect(valuesOf(origin.last.rawHeaders, 'host')).toEqual(['plain.example.test']);
    expect(valuesOf(origin.last.rawHeaders, 'proxy-authorization')).toEqual([]);
    expect(valuesOf(origin.last.rawHeaders, 'authorization')).toEqual([]);
  });

  test('carry a secret only with allow_plaintext', async () => {
    using connection = await dialProxy(product.proxy);
    expect((await ask(connection, 'open.example.test')).status).toBe(200);
    expect(valuesOf(origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${value}`]);
    origin.clear();
    const placeholder = sandbox.placeholders['SECURE'] ?? '';
    const fields = ['Authorization', `Bearer ${placeholder}`];
    const refused = await ask(connection, 'plain.example.test', fields);
    expect(refused.json()).toMatchObject({ error: { code: 'plaintext_refused' } });
    expect(origin.requests).toEqual([]);
    await product.assertNoLeak(value);
  });

  test('each one authenticates', async () => {
    using connection = await dialProxy(product.proxy);
    expect((await ask(connection, 'plain.example.test')).status).toBe(200);
    origin.clear();
    const path = 'http://plain.example.test/';
    const bare = await connection.request({ path, fields: ['Host', 'plain.example.test'] });
    expect(bare.status).toBe(407);
    expect(origin.requests).toEqual([]);
    expect((await ask(connection, 'plain.example.test')).status).toBe(200);
  });

  test('whose Host disagrees are misdirected', async () => {
    using connection = await dialProxy(product.proxy);
    const credentials = ['Proxy-Authorization', proxyAuthorization(sandbox.token)];
    const path = 'http://plain.example.test/';
    const fields = ['Host', 'open.example.test', ...credentials];
    const answer = await connection.request({ path, fields });
    expect(answer.status).toBe(421);
  });

  test('https:// in absolute-form on the listener is no request', async () => {
    using connection = await dialProxy(product.proxy);
    const credentials = ['Proxy-Authorization', proxyAuthorization(sandbox.token)];
    const path = 'https://plain.example.test/';
    const fields = ['Host', 'plain.example.test', ...credentials];
    expect((await connection.request({ path, fields })).status).toBe(400);
  });
});

describe('own paths', () => {
  test.each(['/healthz', '/ca.pem', 'http://sallyport.internal/healthz'])('%s', async (path) => {
    using connection = await dialProxy(product.proxy);
    const host = path.startsWith('http:') ? ['Host', 'sallyport.internal'] : [];
    const answer = await connection.request({ path, fields: host });
    expect(answer.status).toBe(200);
    expect(answer.text().includes('BEGIN CERTIFICATE')).toBe(path === '/ca.pem');
  });

  test('/.well-known/sallyport tells the sandbox what it may use, without values', async () => {
    using connection = await dialProxy(product.proxy);
    const path = '/.well-known/sallyport';
    for (const field of ['Authorization', 'Proxy-Authorization']) {
      const answer = await connection.request({ path, fields: [field, `Bearer ${sandbox.token}`] });
      expect(answer.status).toBe(200);
      const text = answer.text();
      expect(text).toContain('OPEN');
      expect(text).toContain('open.example.test');
      expect(text).not.toContain(value);
    }
  });

  test('anything else in origin-form is bad_request', async () => {
    using connection = await dialProxy(product.proxy);
    const answer = await connection.request({ path: '/somewhere' });
    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({ error: { code: 'bad_request' } });
  });

  test.each(['POST /v1/chat/completions', 'OPTIONS *'])(
    '%s to the proxy itself is bad_request: it is no API',
    async (line) => {
      using connection = await dialProxy(product.proxy);
      const answer = await connection.request(`${line} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      expect(answer.reason).toBe('bad_request');
    },
  );
});
