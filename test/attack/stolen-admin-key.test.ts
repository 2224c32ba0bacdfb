/**
 * An admin key in the wrong hands: it may use, rotate and delete secrets, and must not be able to read one
 * by having it sent somewhere else. Every change that widens needs the value again.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { valuesOf } from '../support/origin.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const EVIL = 'collect.evil.example';
const value = mintCanary();
let scene: Scene;

beforeAll(async () => {
  scene = await startScene({ names: [HOST, EVIL] });
  await scene.product.createSecret('api', value, {
    auth: { type: 'api-key', header: 'X-Api-Key' },
    hosts: [HOST],
    methods: ['GET'],
    paths: ['/v1/**'],
  });
  await scene.product.createSecret('pair', value, {
    auth: { type: 'bearer' },
    hosts: [HOST, 'b.example.test'],
  });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

const WIDENINGS: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ["hosts PATCHed to the attacker's server", { hosts: [EVIL] }],
  ['hosts with one more', { hosts: [HOST, EVIL] }],
  ['hosts as a wildcard over its own', { hosts: ['*.example.test'] }],
  ['hosts and auth at once', { hosts: [EVIL], auth: { type: 'bearer' } }],
  ['another header', { auth: { type: 'api-key', header: 'X-Echo' } }],
  ['another prefix', { auth: { type: 'api-key', header: 'X-Api-Key', prefix: 'a' } }],
  ['a template', { auth: { type: 'custom', headers: { 'X-A': '{{ value }}{{ value }}' } } }],
  ['a rule per host', { auth: { per_host: [{ hosts: [HOST], type: 'bearer' }] } }],
  ['a provider', { provider: 'github' }],
  ['another port', { ports: [443, 8443] }],
  ['plaintext', { allow_plaintext: true }],
  ['plaintext on port 80', { allow_plaintext: true, ports: [443, 80] }],
  ['unmasked responses', { mask_responses: false }],
  ['more methods', { methods: ['GET', 'POST'] }],
  ['more paths', { paths: ['/v1/**', '/echo'] }],
  ['every path', { paths: ['/**'] }],
];

describe('I2 a PATCH that widens, without the value', () => {
  test.each(WIDENINGS)('%s: value_required, and nothing changed', async (_name, patch) => {
    const { admin } = scene.product;
    const before = (await admin.get('/secrets/api')).json;
    const refused = await admin.patch('/secrets/api', patch);
    expect([refused.status, refused.json?.error?.code]).toEqual([400, 'value_required']);
    expect((await admin.get('/secrets/api')).json).toEqual(before);
  });

  test('an empty or a wrong-typed value does not count as the value', async () => {
    const { admin } = scene.product;
    for (const given of ['', null, 7, {}, []]) {
      const refused = await admin.patch('/secrets/api', { hosts: [EVIL], value: given });
      expect(refused.status).toBe(400);
    }
    expect((await admin.get('/secrets/api')).json.hosts).toEqual([HOST]);
  });

  test('what was narrowed does not open again', async () => {
    const { admin } = scene.product;
    await admin.must('PATCH', '/secrets/pair', { hosts: [HOST] });
    const refused = await admin.patch('/secrets/pair', { hosts: [HOST, 'b.example.test'] });
    expect(refused.json?.error?.code).toBe('value_required');
  });

  test('nor does a detour over a rollback', async () => {
    const { admin } = scene.product;
    const refused = await admin.post('/secrets/api/rollback', { version: 1, hosts: [EVIL] });
    expect(refused.status).toBeGreaterThanOrEqual(400);
    expect((await admin.get('/secrets/api')).json.hosts).toEqual([HOST]);
  });
});

test('I2 with a value given, what goes to the new host is that value and not the old one', async () => {
  const { product, origin } = scene;
  const planted = mintCanary();
  await product.createSecret('victim', value, { auth: { type: 'bearer' }, hosts: [HOST] });
  const sandbox = await product.createSandbox({ secrets: { KEY: 'victim' } });
  await product.admin.must('PATCH', '/secrets/victim', { hosts: [EVIL], value: planted });
  using tunnel = await product.openTunnel(sandbox, `${EVIL}:443`);
  expect((await tunnel.request({ path: '/' })).status).toBe(200);
  expect(valuesOf(origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${planted}`]);
});

describe('I2 an older version, held fast by a binding or asked for by number', () => {
  test('does not travel to hosts that were opened with another value', async () => {
    const { product, origin } = scene;
    const old = mintCanary();
    const planted = mintCanary();
    await product.createSecret('pinned', old, { auth: { type: 'bearer' }, hosts: [HOST] });
    const fqn = 'default:default:pinned:1';
    const held = await product.createSandbox({ secrets: { KEY: fqn } });
    await product.admin.must('PATCH', '/secrets/pinned', { hosts: [EVIL], value: planted });

    const later = await product.admin.post('/sandboxes', { name: 'late', secrets: { KEY: fqn } });
    expect([later.status, later.json?.error?.code]).toEqual([400, 'bad_request']);
    const bare = await product.createSandbox();
    const path = `/sandboxes/${bare.id}/secrets`;
    const attached = await product.admin.post(path, { env_key: 'KEY', secret_name: fqn });
    expect([attached.status, attached.json?.error?.code]).toEqual([400, 'bad_request']);

    const before = origin.requests.length;
    using tunnel = await product.openTunnel(held, `${EVIL}:443`, scene.authority.caPem);
    await tunnel.request({ path: '/', fields: ['Authorization', 'Bearer mine'] });
    const seen = JSON.stringify(origin.requests.slice(before).map((one) => one.rawHeaders));
    expect(seen).not.toContain(old);
    await expect(product.assertNoLeak(old)).resolves.toBeUndefined();
  });

  test('does while the secret only goes where that version went', async () => {
    const { product, origin } = scene;
    const old = mintCanary();
    await product.createSecret('steady', old, { auth: { type: 'bearer' }, hosts: [HOST] });
    const held = await product.createSandbox({ secrets: { KEY: 'default:default:steady:1' } });
    await product.admin.must('PATCH', '/secrets/steady', { value: mintCanary() });
    using tunnel = await product.openTunnel(held, `${HOST}:443`);
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
    expect(valuesOf(origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${old}`]);
  });
});

test('I3 nothing answers with a value: reads, reveal, versions, explain, errors', async () => {
  const { product } = scene;
  const { admin } = product;
  const sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
  const explained = await admin.post('/explain', {
    sandbox: sandbox.id,
    method: 'GET',
    url: `https://${HOST}/v1/x`,
  });
  expect(explained.status).toBe(200);
  for (const path of ['/secrets', '/secrets/api', '/secrets/api/versions', '/secrets/api/audit']) {
    await admin.get(path);
  }
  const reveal = await admin.post('/secrets/api/reveal');
  expect([403, 404]).toContain(reveal.status);
  await admin.post('/secrets', { name: 'api', value, auth: { type: 'bearer' }, hosts: [HOST] });
  await admin.post('/secrets', { name: 'bad', value, auth: { type: value }, hosts: [value] });
  await admin.post('/secrets', { name: value, value, provider: value, nonsense: value });
  const answers = Buffer.concat(admin.transcript).toString('latin1');
  expect(answers).toContain('conflict');
  await expect(product.assertNoLeak(value)).resolves.toBeUndefined();
});

describe('keys of one kind open nothing of the other', () => {
  test('I2 a sandbox token is no admin key', async () => {
    const sandbox = await scene.product.createSandbox();
    for (const path of ['/secrets', '/sandboxes', '/api-keys', '/metrics']) {
      expect((await scene.product.admin.withKey(sandbox.token).get(path)).status).toBe(401);
    }
  });

  test('I2 an admin key is no sandbox token', async () => {
    const bare = { token: scene.product.bootstrapKey };
    await expect(scene.product.openTunnel(bare, `${HOST}:443`)).rejects.toThrow('407');
  });
});
