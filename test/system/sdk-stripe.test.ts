/**
 * The unmodified `stripe` package in a sandbox, over `node:https` with a proxy agent and over fetch: calls,
 * pages, a streamed file, and what it makes of our refusals.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openHome, runClient } from '../sdk/client-program.ts';
import type { ClientHome } from '../sdk/client-program.ts';
import { holdStream } from '../sdk/held-stream.ts';
import { expectOneRefusal, expectUses } from '../sdk/use-record.ts';
import { mintCanary } from '../support/canary.ts';
import { valuesOf } from '../support/origin.ts';
import type { OriginHandler } from '../support/origin.ts';
import { reply } from '../support/origin-replies.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.stripe.com';
/** Where the SDK fetches files from. The frozen provider does not name it: a secret of its own does. */
const FILES = 'files.stripe.com';
const key = mintCanary('sk_test_');
const json = ['Content-Type', 'application/json', 'Request-Id', 'req_origin'];

const answerCustomers: OriginHandler = async (request, response, body) => {
  const isFirst = !(request.url ?? '').includes('starting_after');
  const id = request.method === 'POST' ? 'cus_new' : isFirst ? 'cus_1' : 'cus_2';
  const page = { object: 'list', data: [{ id }], has_more: isFirst, url: '/v1/customers' };
  const answer = request.method === 'POST' ? { id, object: 'customer' } : page;
  await reply(200, JSON.stringify(answer), json)(request, response, body);
};
const held = holdStream({
  contentType: 'application/pdf',
  first: 'one ',
  rest: 'two',
  answer: { object: 'balance' },
});

let scene: Scene;

beforeAll(async () => {
  scene = await startScene({
    names: [HOST, FILES],
    handlers: {
      '/v1/customers': answerCustomers,
      '/v1/quotes/qt_1/pdf': held.stream,
      '/v1/balance': held.release,
    },
  });
  await scene.product.createSecret('stripe', key, { provider: 'stripe' });
  const auth = { type: 'bearer' };
  await scene.product.createSecret('stripe_files', key, { auth, hosts: [HOST, FILES] });
});
afterAll(() => scene[Symbol.asyncDispose]());

async function openAgent(secret = 'stripe'): Promise<ClientHome> {
  scene.origin.clear();
  const sandbox = await scene.product.createSandbox({ secrets: { STRIPE_SECRET_KEY: secret } });
  return openHome(scene.product, sandbox);
}

async function expectInjected({ sandbox }: ClientHome, requests: readonly string[]): Promise<void> {
  const { origin, product } = scene;
  const placeholder = sandbox.placeholders['STRIPE_SECRET_KEY'] ?? '';
  expect(placeholder).toMatch(/^(sk_test_[A-Za-z0-9]{24}|sallyport_[\w-]{43})$/);
  expect(origin.requests.map(({ method, url }) => `${method} ${url}`)).toEqual(requests);
  for (const { rawHeaders } of origin.requests) {
    expect(valuesOf(rawHeaders, 'authorization')).toEqual([`Bearer ${key}`]);
    expect(rawHeaders.join('\n')).not.toContain(placeholder);
  }
  await product.assertNoLeak(key);
}

describe.each(['https', 'fetch'])('stripe in a sandbox, over %s', (client) => {
  test('an ordinary call', async () => {
    const home = await openAgent();
    const answer = { id: 'cus_new', request: 'req_origin' };
    expect(await runClient(home, 'stripe', 'ordinary', client)).toEqual(answer);
    await expectInjected(home, ['POST /v1/customers']);
    const { rawHeaders, body } = scene.origin.last;
    expect(body.toString()).toBe('email=agent%40example.test&metadata[order]=17%20%26%20more');
    expect(valuesOf(rawHeaders, 'idempotency-key')).toEqual(['order-17']);
    expect(valuesOf(rawHeaders, 'stripe-version')).toHaveLength(1);
    await expectUses(scene.product, 'stripe', home.sandbox, ['POST /v1/customers 200']);
  });

  test('every page of a list is called with the key', async () => {
    const home = await openAgent();
    expect(await runClient(home, 'stripe', 'pages', client)).toEqual({ ids: ['cus_1', 'cus_2'] });
    await expectInjected(home, [
      'GET /v1/customers?limit=1',
      'GET /v1/customers?limit=1&starting_after=cus_1',
    ]);
    const uses = ['GET /v1/customers 200', 'GET /v1/customers 200'];
    await expectUses(scene.product, 'stripe', home.sandbox, uses);
  });

  test('a file arrives piece by piece', async () => {
    const home = await openAgent('stripe_files');
    expect(await runClient(home, 'stripe', 'stream', client)).toEqual({ text: 'one two' });
    await expectInjected(home, ['GET /v1/quotes/qt_1/pdf', 'GET /v1/balance']);
  });

  test('a call the secret does not permit: our sentence and code, and no second try', async () => {
    const name = `read_${client}`;
    await scene.product.createSecret(name, key, { provider: 'stripe', methods: ['GET'] });
    const sandbox = await scene.product.createSandbox({ secrets: { STRIPE_SECRET_KEY: name } });
    const home = await openHome(scene.product, sandbox);
    scene.origin.clear();
    expect(await runClient(home, 'stripe', 'refused', client)).toMatchObject({
      statusCode: 403,
      message: expect.stringContaining('permits methods GET only'),
      code: 'credential_not_permitted',
    });
    expect(scene.origin.requests).toEqual([]);
    await expectOneRefusal(scene.product, name, sandbox, 'credential_not_permitted');
  });
});
