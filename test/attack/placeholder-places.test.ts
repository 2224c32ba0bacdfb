/**
 * One placeholder in every place and encoding a client may put it: on its own host it becomes the value in
 * the one place of its auth rule, on any other bound host the request is refused.
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
const apiValue = mintCanary();
const otherValue = mintCanary();

let scene: Scene;
let sandbox: TestSandbox;
let api: string;

beforeAll(async () => {
  scene = await startScene({ names: [API, OTHER] });
  const { product } = scene;
  await product.createSecret('api', apiValue, { auth: { type: 'bearer' }, hosts: [API] });
  await product.createSecret('other', otherValue, {
    auth: { type: 'api-key', header: 'X-Api-Key' },
    hosts: [OTHER],
  });
  sandbox = await product.createSandbox({ secrets: { API: 'api', OTHER: 'other' } });
  api = sandbox.placeholders['API'] ?? '';
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
  ['as the whole of Basic', (p) => ({ path: '/', fields: ['Authorization', basic(p)] })],
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

test('I3 after all of this the values are nowhere', async () => {
  await expect(scene.product.assertNoLeak([apiValue, otherValue])).resolves.toBeUndefined();
});
