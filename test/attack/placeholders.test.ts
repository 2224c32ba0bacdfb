/**
 * Placeholders in wrong hands and wrong places: on another host, of another sandbox, two in one field, in
 * every encoding. A value is opened for this sandbox, host, method and path, or not at all.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import type { RawResponse, RequestPlan } from '../support/client.ts';
import { valuesOf } from '../support/origin.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const API = 'api.example.test';
const OTHER = 'other.example.test';
const EVIL = 'evil.example.test';
const apiValue = mintCanary();
const otherValue = mintCanary();

let scene: Scene;
let sandbox: TestSandbox;
let api: string;
let other: string;

beforeAll(async () => {
  scene = await startScene({ names: [API, OTHER, EVIL] });
  const { product } = scene;
  await product.createSecret('api', apiValue, { auth: { type: 'bearer' }, hosts: [API] });
  await product.createSecret('other', otherValue, {
    auth: { type: 'api-key', header: 'X-Api-Key' },
    hosts: [OTHER],
  });
  sandbox = await product.createSandbox({ secrets: { API: 'api', OTHER: 'other' } });
  api = sandbox.placeholders['API'] ?? '';
  other = sandbox.placeholders['OTHER'] ?? '';
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

beforeEach(() => {
  scene.origin.clear();
});

async function send(host: string, plan: RequestPlan, by = sandbox): Promise<RawResponse> {
  using tunnel = await scene.product.openTunnel(by, `${host}:443`, scene.authority.caPem);
  return await tunnel.request(plan);
}

function codeOf(response: RawResponse): string {
  return /details="([a-z_]+)"/.exec(response.field('proxy-status') ?? '')?.[1] ?? 'none';
}

/** Everything that arrived, as one text, with base64 parts decoded beside it. */
function arrived(): string {
  const text = scene.origin.requests
    .map((one) => [one.url, ...one.rawHeaders, one.body.toString('latin1')].join('\n'))
    .join('\n');
  const decoded = (text.match(/[A-Za-z0-9+/]{16,}=*/g) ?? []).map((one) =>
    atob(one.slice(0, one.length - (one.length % 4))),
  );
  return [text, ...decoded].join('\n');
}

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

const PLACES: readonly (readonly [name: string, plan: (placeholder: string) => RequestPlan])[] = [
  ['as a bearer token', (p) => ({ path: '/', fields: ['Authorization', `Bearer ${p}`] })],
  ['with another scheme', (p) => ({ path: '/', fields: ['Authorization', `token ${p}`] })],
  ['as the password of Basic', (p) => ({ path: '/', fields: ['Authorization', basic(`me:${p}`)] })],
  ['as the user of Basic', (p) => ({ path: '/', fields: ['Authorization', basic(`${p}:x`)] })],
  [
    'in lower-case basic',
    (p) => ({ path: '/', fields: ['authorization', basic(`me:${p}`).replace('Basic', 'basic')] }),
  ],
  ['in a field of its own', (p) => ({ path: '/', fields: ['X-Anything', p] })],
  ['inside a longer value', (p) => ({ path: '/', fields: ['X-Anything', `a=${p}; b=c`] })],
  ['in a cookie', (p) => ({ path: '/', fields: ['Cookie', `session=${p}`] })],
  ['in the user agent', (p) => ({ path: '/', fields: ['User-Agent', `curl ${p}`] })],
  ['in the query', (p) => ({ path: `/?key=${p}` })],
  ['as a key of the query', (p) => ({ path: `/?${p}` })],
  [
    'percent-encoded in the query',
    (p) => ({ path: `/?key=%${p.charCodeAt(0).toString(16)}${p.slice(1)}` }),
  ],
  ['after a semicolon in the query', (p) => ({ path: `/?a=b;key=${p}` })],
  [
    'twice',
    (p) => ({
      path: '/',
      fields: ['Authorization', `Bearer ${p}`, 'authorization', `Bearer ${p}`],
    }),
  ],
];

describe('I2 on a host that is not its own, a placeholder is refused', () => {
  test.each(PLACES)('%s', async (_name, plan) => {
    const refused = await send(OTHER, plan(api));
    expect([refused.status, codeOf(refused)]).toEqual([403, 'credential_host_mismatch']);
    expect(scene.origin.requests).toEqual([]);
  });
});

describe('I2 on its own host a placeholder becomes the value in its one place', () => {
  test.each(PLACES)('%s', async (_name, plan) => {
    const answered = await send(API, plan(api));
    expect(answered.status).toBe(200);
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${apiValue}`]);
    expect(arrived().split(apiValue)).toHaveLength(2);
    expect(arrived()).not.toContain(api);
  });
});

test('in a body a placeholder is ordinary text', async () => {
  expect((await send(API, { method: 'POST', path: '/', body: `{"said":"${other}"}` })).status).toBe(
    200,
  );
  expect(scene.origin.last.body.toString()).toBe(`{"said":"${other}"}`);
});

test('I6 two placeholders of different secrets in one field are refused', async () => {
  const refused = await send(API, {
    path: '/',
    fields: ['Authorization', `Bearer ${api}${other}`],
  });
  expect(codeOf(refused)).toBe('bad_request');
  expect(scene.origin.requests).toEqual([]);
});

test('a placeholder of another secret beside the right one is refused', async () => {
  const fields = ['Authorization', `Bearer ${api}`, 'X-Api-Key', other];
  expect(codeOf(await send(API, { path: '/', fields }))).toBe('credential_host_mismatch');
  expect(scene.origin.requests).toEqual([]);
});

describe("I2 someone else's placeholder", () => {
  test('opens nothing: it is ordinary text and is not looked up', async () => {
    const thief = await scene.product.createSandbox({ secrets: { OTHER: 'other' } });
    const answered = await send(OTHER, { path: '/', fields: ['X-Stolen', api] }, thief);
    expect(answered.status).toBe(200);
    expect(valuesOf(scene.origin.last.rawHeaders, 'x-stolen')).toEqual([api]);
    expect(arrived()).not.toContain(apiValue);
  });

  test('on a host the thief has no binding for it leaves as it came', async () => {
    const thief = await scene.product.createSandbox({ secrets: { OTHER: 'other' } });
    await send(API, { path: '/', fields: ['Authorization', `Bearer ${api}`] }, thief);
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${api}`]);
  });

  test('is replaced where the own secret is injected', async () => {
    const peer = await scene.product.createSandbox({ secrets: { API: 'api' } });
    await send(API, { path: '/', fields: ['Authorization', `Bearer ${api}`] }, peer);
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${apiValue}`]);
    expect(arrived()).not.toContain(api);
  });
});

test("the sandbox's own key on a bound host does not go out", async () => {
  const fields = [
    'Authorization',
    'Bearer own-key-of-the-attacker',
    'AUTHORIZATION',
    'own-key-of-the-attacker',
  ];
  await send(API, { path: '/', fields });
  expect(arrived()).not.toContain('own-key-of-the-attacker');
  expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${apiValue}`]);
});

test('I2 hosts pointed at another server without the value are refused and change nothing', async () => {
  const { admin } = scene.product;
  for (const hosts of [[EVIL], [API, EVIL], ['*.example.test']]) {
    const refused = await admin.patch('/secrets/api', { hosts });
    expect(refused.status).toBe(400);
    expect(refused.text).toContain('value_required');
  }
  await send(EVIL, { path: '/' });
  expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([]);
  expect(arrived()).not.toContain(apiValue);
});

test('a redirect to another host is handed over, and following it carries nothing', async () => {
  await send(EVIL, { path: '/after-redirect' });
  expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([]);
  expect(valuesOf(scene.origin.last.rawHeaders, 'x-api-key')).toEqual([]);
});

test('I3 after all of this the values are nowhere', async () => {
  await expect(scene.product.assertNoLeak([apiValue, otherValue])).resolves.toBeUndefined();
});
