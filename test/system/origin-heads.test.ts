/**
 * Heads of origins that are odd but legal: they reach the client as they are, and no fault of the origin
 * is told to the client as its own.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { eventually } from '../support/eventually.ts';
import { openHttp2 } from '../support/http2-client.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';
import { RawOrigin } from '../support/raw-origin.ts';
import { TestAuthority } from '../support/test-authority.ts';

const authority = new TestAuthority();
const names = ['utf8', 'latin1', 'empty', 'nocontent', 'low'].map((name) => `${name}.example.test`);
const [utf8 = '', latin1 = '', empty = '', noContent = '', low = ''] = names;
const reasons = { [utf8]: 'caf\xc3\xa9 \xe2\x9c\x93', [latin1]: 'caf\xe9', [empty]: '' };
let product: Product;
let sandbox: TestSandbox;
const origins: RawOrigin[] = [];

beforeAll(async () => {
  const leaf = authority.mintLeaf(names);
  const hosts: Record<string, string> = {};
  for (const [name, reason] of Object.entries(reasons)) {
    const head = `HTTP/1.1 200 ${reason}\r\nX-Sign: \xe2\x9c\x93\r\nContent-Length: 2\r\n\r\n`;
    const scripts = [[{ await: '\r\n\r\n' }, { send: `${head}hi` }]];
    const origin = await RawOrigin.start({ leaf, scripts });
    origins.push(origin);
    hosts[name] = origin.address;
  }
  const head = 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nX-Sign: there\r\n\r\n';
  const scripts = [[{ await: '\r\n\r\n' }, { send: head }]];
  const bodiless = await RawOrigin.start({ leaf, scripts });
  origins.push(bodiless);
  hosts[noContent] = bodiless.address;
  const tooLow = 'HTTP/1.1 099 Low\r\nContent-Length: 2\r\n\r\nok';
  const lowScripts = [0, 1].map(() => [{ await: '\r\n\r\n' }, { send: tooLow }]);
  const lowOrigin = await RawOrigin.start({ leaf, scripts: lowScripts });
  origins.push(lowOrigin);
  hosts[low] = lowOrigin.address;
  product = await startProduct({ originCa: authority.caPem, hosts });
  await product.createSecret('api', mintCanary(), { auth: { type: 'bearer' }, hosts: names });
  sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
});

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  await Promise.all(origins.map((origin) => origin.close()));
});

test.each([
  ['UTF-8', utf8, reasons[utf8]],
  // undici hands over what is no UTF-8 as U+FFFD; the exchange must not fail for it.
  ['Latin-1', latin1, 'caf\xef\xbf\xbd'],
  ['nothing', empty, ''],
])('a reason phrase of %s does not fail the exchange', async (_what, host, reason) => {
  using tunnel = await product.openTunnel(sandbox, `${host}:443`);
  const answer = await tunnel.request({ path: '/' });
  expect({ status: answer.status, reason: answer.reason }).toEqual({ status: 200, reason });
  expect(answer.field('x-sign')).toBe('\xe2\x9c\x93');
  expect(answer.text()).toBe('hi');
});

test('a 204 has no length, whatever the origin says', async () => {
  using tunnel = await product.openTunnel(sandbox, `${noContent}:443`);
  const answer = await tunnel.request({ path: '/' });
  expect([answer.status, answer.field('x-sign')]).toEqual([204, 'there']);
  expect(answer.field('content-length')).toBeUndefined();
});

test('I4 a status below 100 is a fault of the origin, whichever HTTP the client speaks', async () => {
  using one = await product.openTunnel(sandbox, `${low}:443`);
  using two = await openHttp2(product, sandbox, `${low}:443`);
  const answers = [await one.request({ path: '/' }), await two.request({ path: '/' })];
  for (const answer of answers) {
    expect([answer.status, answer.field('proxy-status')]).toEqual([
      502,
      expect.stringContaining('upstream_protocol_error'),
    ]);
  }
  await eventually(async () => {
    const rows = (await product.admin.must('GET', `/audit?sandbox=${sandbox.id}`)) as {
      readonly data: readonly { readonly host: string; readonly code: string | null }[];
    };
    const codes = rows.data.filter(({ host }) => host === low).map(({ code }) => code);
    expect(codes).toEqual(['upstream_protocol_error', 'upstream_protocol_error']);
  });
});
