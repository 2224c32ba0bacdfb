/**
 * I6: the whole corpus through a real intercepted tunnel. For each row either nothing arrives, or exactly
 * the requests it may make, each strict, with exactly one injected credential, and the connection to the
 * origin stays usable by the next request.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { openTunnel } from '../support/client.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';
import { CORPUS } from './corpus/corpus.ts';
import { RecordingOrigin } from './recording-origin.ts';
import type { CorpusPlan } from './run-corpus.ts';
import { runRow } from './run-corpus.ts';

const HOST = 'api.example.test';
const value = mintCanary();
const injected = { authorization: `Bearer ${value}`, 'x-api-key': value };

let product: Product;
let origin: RecordingOrigin;
let sandbox: TestSandbox;
let plan: CorpusPlan;

beforeAll(async () => {
  const authority = new TestAuthority();
  origin = await RecordingOrigin.start(authority.mintLeaf([HOST]));
  product = await startProduct({
    hosts: { [HOST]: origin.address },
    originCa: authority.caPem,
  });
  await product.createSecret('api', value, {
    auth: {
      type: 'custom',
      headers: { Authorization: 'Bearer {{ value }}', 'X-Api-Key': '{{ value }}' },
    },
    hosts: [HOST],
  });
  sandbox = await product.createSandbox({ secrets: { API_KEY: 'api' } });
  const dial = async () => {
    const tunnel = await openTunnel({
      proxy: product.proxy,
      authority: `${HOST}:443`,
      token: sandbox.token,
      ca: product.caPem,
    });
    return tunnel.socket;
  };
  plan = { origin, host: HOST, injected, dial };
});

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  await origin[Symbol.asyncDispose]();
});

test.each(CORPUS.map((row) => [row.name, row] as const))('I6 %s', async (_name, row) => {
  expect(await runRow(plan, row)).toEqual([]);
});
