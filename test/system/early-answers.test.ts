/**
 * Origins that answer before they were asked to the end, or more than they were asked: the client gets the
 * answer, and what it sends next on the same connection is served.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';
import { RawOrigin } from '../support/raw-origin.ts';
import type { Step } from '../support/raw-origin.ts';
import { TestAuthority } from '../support/test-authority.ts';

const authority = new TestAuthority();
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly';
const scripts: Readonly<Record<string, readonly (readonly Step[])[]>> = {
  'early.example.test': [
    [{ await: 'begin' }, { send: ANSWER }],
    [{ await: '\r\n\r\n' }, { send: ANSWER }],
  ],
  'challenge.example.test': [
    [{ await: 'begin' }, { send: ANSWER.replace('200 OK', '407 Proxy') }],
    [{ await: '\r\n\r\n' }, { send: ANSWER }],
  ],
  'cut.example.test': [
    [{ await: 'begin' }, { end: 'close' }],
    [{ await: '\r\n\r\n' }, { send: ANSWER }],
  ],
  'head.example.test': [
    [{ await: '\r\n\r\n' }, { send: ANSWER }],
    [{ await: '\r\n\r\n' }, { send: ANSWER }],
  ],
};
const origins: RawOrigin[] = [];
let product: Product;
let sandbox: TestSandbox;

beforeAll(async () => {
  const names = Object.keys(scripts);
  const leaf = authority.mintLeaf(names);
  const hosts: Record<string, string> = {};
  for (const name of names) {
    const origin = await RawOrigin.start({ leaf, scripts: scripts[name] ?? [] });
    origins.push(origin);
    hosts[name] = origin.address;
  }
  product = await startProduct({ originCa: authority.caPem, hosts });
  await product.createSecret('api', mintCanary(), { auth: { type: 'bearer' }, hosts: names });
  sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
});

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  await Promise.all(origins.map((origin) => origin.close()));
});

test.each([
  ['an answer', 'early.example.test', 200],
  ['a refusal of the answer', 'challenge.example.test', 502],
  ['a failure', 'cut.example.test', 502],
])(
  '%s in the middle of an upload: the rest is read, the next request served',
  async (_what, host, status) => {
    using tunnel = await product.openTunnel(sandbox, `${host}:443`);
    const length = 400_000;
    tunnel.send(`POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${length}\r\n\r\nbegin`);
    expect((await tunnel.readResponse()).status).toBe(status);
    tunnel.send('x'.repeat(length - 'begin'.length));
    expect((await tunnel.request({ path: '/next' })).text()).toBe('early');
  },
);

test('HEAD answered with a body: the head stands, the body does not pass', async () => {
  const host = 'head.example.test';
  using tunnel = await product.openTunnel(sandbox, `${host}:443`);
  const answer = await tunnel.request({ method: 'HEAD', path: '/' });
  expect([answer.status, answer.field('content-length')]).toEqual([200, '5']);
  expect((await tunnel.request({ path: '/next' })).text()).toBe('early');
});
