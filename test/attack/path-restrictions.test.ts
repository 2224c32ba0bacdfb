/**
 * Method and path restrictions by every encoding trick: what a front might read as permitted and an
 * origin as something else is refused, and what is permitted arrives byte for byte as it was sent.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import type { RawResponse, RequestPlan } from '../support/client.ts';
import { valuesOf } from '../support/origin.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const API = 'api.example.test';
const value = mintCanary();
let scene: Scene;
let sandbox: TestSandbox;

beforeAll(async () => {
  scene = await startScene({ names: [API] });
  await scene.product.createSecret('api', value, {
    auth: { type: 'bearer' },
    hosts: [API],
    methods: ['GET'],
    paths: ['/v1/open/**', '/v1/one/*/item', '/exact'],
  });
  sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

beforeEach(() => {
  scene.origin.clear();
});

async function send(plan: RequestPlan): Promise<RawResponse> {
  using tunnel = await scene.product.openTunnel(sandbox, `${API}:443`);
  return await tunnel.request(plan);
}

const PERMITTED = [
  '/exact',
  '/exact?/../admin',
  '/v1/open/a',
  '/v1/open/a/b/c',
  '/v1/open/a%20b',
  '/v1/open/caf%C3%A9',
  '/v1/open/%7euser',
  '/v1/open/a%2Fb',
  '/v1/open/x/../y',
  '/v1/open/100%25',
  '/v1/one/x/item',
];

test.each(PERMITTED)('%s is permitted and arrives as it was sent', async (path) => {
  expect((await send({ path })).status).toBe(200);
  expect(scene.origin.last.url).toBe(path);
  expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${value}`]);
});

const REFUSED = [
  '/',
  '/admin',
  '/exac',
  '/exactly',
  '/exact/',
  '/exact/..',
  '/EXACT',
  '/v1/open',
  '/v1/openness/a',
  '/v1/one/x/y/item',
  '/v1/one//item',
  '/v1/one/x/items',
  '/v1/open/../admin',
  '/v1/open/../../admin',
  '/v1/open/./../admin',
  '/v1/open/%2e%2e/admin',
  '/v1/open/%2E%2E/admin',
  '/v1/open/.%2e/admin',
  '/v1/open/%2e./admin',
  '/v1/open/..%2fadmin',
  '/v1/open/..%2Fadmin',
  '/v1/open/%2e%2e%2fadmin',
  '/v1/open/%252e%252e/admin',
  '/v1/open/%252e%252e%252fadmin',
  '/v1/open/%25252e%25252e/admin',
  '/v1/open/%2525252e%2525252e/admin',
  '/v1/open/..\\admin',
  '/v1/open\\..\\admin',
  '/v1/open/..%5cadmin',
  '/v1/open/..%255cadmin',
  '/v1/open/..;/admin',
  '/v1/open/..;a=b/admin',
  '/v1/open/..%3b/admin',
  '/v1/open/..%253b/admin',
  '/v1/open/%c0%ae%c0%ae/admin',
  '/v1/open/%c0%af../admin',
  '/v1/open/%e0%80%af../admin',
  '/v1/open/%00',
  '/v1/open/a%00.html',
  '/v1/open/%0d%0aX-Injected:y',
  '/v1/open/%ff',
  '/v1/open//../../admin',
  '//v1/open/a',
  '/%76%31/open/a',
  '/v1%2fopen/a',
  '/v1/./open/a',
  '/x/../v1/open/a',
  '/v1;x/open/a',
  '/v1/one/%2e%2e/item',
  '/v1/one/x%2fy/item',
];

test.each(REFUSED)('I2 I6 %s is refused', async (path) => {
  const refused = await send({ path });
  expect([refused.status, refused.text()]).toEqual([
    403,
    expect.stringContaining('credential_not_permitted'),
  ]);
  expect(scene.origin.requests).toEqual([]);
});

test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND'])(
  'I2 the method %s is refused',
  async (method) => {
    const refused = await send({
      method,
      path: '/exact',
      ...(method === 'OPTIONS' ? {} : { body: '' }),
    });
    expect(refused.text()).toContain('credential_not_permitted');
    expect(scene.origin.requests).toEqual([]);
  },
);

test('GET includes HEAD', async () => {
  expect((await send({ method: 'HEAD', path: '/exact' })).status).toBe(200);
});

test.each([
  'X-HTTP-Method-Override',
  'x-http-method-override',
  'X_HTTP_Method_Override',
  'X-HTTP-Method',
  'X-Method-Override',
  'X-Original-URL',
  'X-Rewrite-URL',
  'x_original_url',
])('the override field %s does not travel', async (name) => {
  await send({ path: '/exact', fields: [name, 'DELETE-or-/admin'] });
  expect(scene.origin.last.rawHeaders.join('\n')).not.toContain('DELETE-or-/admin');
});
