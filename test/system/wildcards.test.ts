/**
 * Host patterns of a secret, from outside: a wildcard stands for exactly one label, never the apex; names
 * are compared label by label in one canonical spelling; ports count.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { sendConnect, startTls } from '../support/client.ts';
import { valuesOf } from '../support/origin.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const MATCHING = ['one.wild.example.com', 'exact.example.com', 'xn--bcher-kva.example.com'];
const NOT_MATCHING = [
  'wild.example.com',
  'two.labels.wild.example.com',
  'onewild.example.com',
  'one.wild.example.com.evil.example.net',
  'sub.exact.example.com',
  'notexact.example.com',
];
const value = mintCanary();
let scene: Scene;

beforeAll(async () => {
  scene = await startScene({ names: [...MATCHING, ...NOT_MATCHING] });
  await scene.product.createSecret('wild', value, {
    auth: { type: 'bearer' },
    hosts: ['*.wild.example.com', 'exact.example.com', 'bücher.example.com'],
  });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

/** What the origin got in `Authorization` when this authority was asked for. */
async function arrivedAt(authority: string): Promise<string[]> {
  const { product, origin, authority: ca } = scene;
  const sandbox = await product.createSandbox({ secrets: { KEY: 'wild' } });
  using answer = await sendConnect({ proxy: product.proxy, authority, token: sandbox.token });
  expect(answer.response).toMatchObject({ status: 200 });
  const name = authority.toLowerCase().replace(/\.?:443$/, '');
  const trust = { ca: `${product.caPem}\n${ca.caPem}`, serverName: name };
  using tunnel = await startTls(answer.connection, `${name}:443`, trust);
  expect((await tunnel.request({ path: '/' })).status).toBe(200);
  return valuesOf(origin.last.rawHeaders, 'authorization');
}

describe('gets the secret', () => {
  test.each([
    ...MATCHING,
    'ONE.Wild.Example.COM',
    'one.wild.example.com.',
    'EXACT.example.com.',
    'XN--BCHER-KVA.example.com',
  ])('%s', async (name) => {
    expect(await arrivedAt(`${name}:443`)).toEqual([`Bearer ${value}`]);
  });
});

describe('gets nothing', () => {
  test.each(NOT_MATCHING)('%s', async (name) => {
    expect(await arrivedAt(`${name}:443`)).toEqual([]);
  });

  test('a bound host on another port is looked into, and its placeholder refused', async () => {
    const { product, origin } = scene;
    const sandbox = await product.createSandbox({ secrets: { KEY: 'wild' } });
    origin.clear();
    using tunnel = await product.openTunnel(sandbox, 'exact.example.com:8443');
    const fields = [
      'Host',
      'exact.example.com:8443',
      'Authorization',
      `Bearer ${sandbox.placeholders['KEY'] ?? ''}`,
    ];
    const refused = await tunnel.request({ path: '/', fields });
    expect(refused.json()).toMatchObject({ error: { code: 'credential_host_mismatch' } });
    expect(origin.requests).toEqual([]);
  });
});
