/**
 * curl, which speaks HTTP/2 wherever it is offered: downloads, uploads, `Expect`, cookies and refusals, to
 * an origin of each version; and told to speak HTTP/1.1 it does.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { clientEnvironment } from '../support/client-environment.ts';
import { Http2Origin } from '../support/http2-origin.ts';
import { lacks } from '../support/missing-tools.ts';
import { Origin } from '../support/origin.ts';
import { big, reply } from '../support/origin-replies.ts';
import { startProduct } from '../support/product.ts';
import type { Product } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';
import { runTool } from '../support/tool.ts';

const OLD = 'old.example.test';
const NEW = 'new.example.test';
const key = mintCanary();
let old: Origin;
let modern: Http2Origin;
let product: Product;
let env: Record<string, string>;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'sallyport-curl-'));
  const authority = new TestAuthority();
  old = await Origin.start({
    leaf: authority.mintLeaf([OLD]),
    handlers: {
      '/big': big(8 * 1024 * 1024),
      '/hello': reply(200, 'hello\n'),
      '/upload': async (_request, response, body) => {
        response.end(await body());
      },
    },
  });
  modern = await Http2Origin.start({
    leaf: authority.mintLeaf([NEW]),
    handlers: {
      '/hello': (stream) => {
        stream.respond({ ':status': 200 });
        stream.end('hello\n');
      },
    },
  });
  product = await startProduct({
    hosts: { [OLD]: old.address, [NEW]: modern.address },
    originCa: authority.caPem,
  });
  await product.createSecret('api', key, { auth: { type: 'bearer' }, hosts: [OLD, NEW] });
  const sandbox = await product.createSandbox({ secrets: { API_KEY: 'api' } });
  env = await clientEnvironment(product, sandbox, { home: directory });
});

afterAll(async () => {
  await product.assertNoLeak(key);
  await product[Symbol.asyncDispose]();
  await old.close();
  await modern.close();
  await rm(directory, { recursive: true, force: true });
});

const curl = (...args: readonly string[]) =>
  runTool('curl', ['-sS', '-w', '\n%{http_version} %{http_code}', ...args], { env });

describe.skipIf(lacks('curl'))('curl', () => {
  test.each([OLD, NEW])('GET, with what it is told and by itself: %s', async (host) => {
    for (const version of [[], ['--http2']]) {
      const { code, stdout } = await curl(...version, `https://${host}/hello`);
      expect({ code, stdout }).toEqual({ code: 0, stdout: 'hello\n\n2 200' });
    }
  });

  test('--http1.1 stays with it', async () => {
    const { stdout } = await curl('--http1.1', `https://${OLD}/hello`);
    expect(stdout).toBe('hello\n\n1.1 200');
  });

  test.each([OLD, NEW])('an upload of a file, with and without its length: %s', async (host) => {
    const file = path.join(directory, 'upload');
    const back = path.join(directory, 'back');
    const bytes = randomBytes(3 * 1024 * 1024);
    await writeFile(file, bytes);
    const unsized = ['-H', 'Transfer-Encoding: chunked', '-H', 'Expect: 100-continue'];
    for (const more of [[], unsized]) {
      const result = await curl('-o', back, '-T', file, ...more, `https://${host}/upload`);
      expect(result).toMatchObject({ code: 0, stdout: '\n2 200' });
      expect((await readFile(back)).equals(bytes)).toBe(true);
    }
  });

  test('a large download, ten requests on one connection', async () => {
    const large = await curl('-o', '/dev/null', `https://${OLD}/big`);
    expect(large).toMatchObject({ code: 0, stdout: '\n2 200' });
    const urls = Array.from({ length: 10 }, () => `https://${OLD}/hello`);
    const { code, stdout } = await curl('--parallel', ...urls);
    expect(code).toBe(0);
    expect(stdout.match(/2 200/g)).toHaveLength(10);
  });

  test('a refusal says why', async () => {
    const { code, stdout } = await curl('-H', `Host: ${NEW}`, `https://${OLD}/hello`);
    expect(code).toBe(0);
    expect(stdout).toContain('"code":"misdirected_request"');
    expect(stdout).toMatch(/2 421$/);
  });
});
