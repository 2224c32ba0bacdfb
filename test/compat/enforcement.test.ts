/**
 * One store, one proxy: what another system's client wrote is what the sandbox's next request carries, and
 * what it took away is refused, inside a tunnel that is open already (I2).
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { valuesOf } from '../support/origin.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { GROUPS, IB } from './facade-call.ts';

const HOST = 'api.example.test';
const PLACEMENT = { auth: { type: 'bearer' }, hosts: [HOST] };
let scene: Scene;

beforeAll(async () => {
  scene = await startScene({ names: [HOST] });
});

afterEach(() => {
  scene.origin.clear();
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

const sent = (): readonly string[] => valuesOf(scene.origin.last.rawHeaders, 'authorization');

test('a secret of Instabase is injected; NONE ends it on the next request', async () => {
  const { product } = scene;
  const value = mintCanary();
  const alias = 'ib_key';
  const created = { alias, value, allowed_workspaces_type: 'ALL', ...PLACEMENT };
  await product.admin.must('POST', IB, created);
  const sandbox = await product.createSandbox({ secrets: { API_KEY: alias } });
  const tunnel = await product.openTunnel(sandbox, `${HOST}:443`);
  expect((await tunnel.request({ path: '/one' })).status).toBe(200);
  expect(sent()).toEqual([`Bearer ${value}`]);
  const rotated = mintCanary();
  await product.admin.must('PATCH', IB, { alias, value: rotated });
  expect((await tunnel.request({ path: '/two' })).status).toBe(200);
  expect(sent()).toEqual([`Bearer ${rotated}`]);
  scene.origin.clear();
  await product.admin.must('PATCH', IB, { alias, allowed_workspaces_type: 'NONE' });
  const refused = await tunnel.request({ path: '/three' });
  expect([refused.status, refused.text()]).toEqual([
    503,
    expect.stringContaining('credential_revoked'),
  ]);
  expect(scene.origin.requests).toEqual([]);
  await product.assertNoLeak([value, rotated]);
});

test('a key of a TrueFoundry group is injected by its reference; a pinned version stays', async () => {
  const { product } = scene;
  const [first, second] = [mintCanary(), mintCanary()];
  const write = (value: string): unknown => ({ secrets: [{ key: 'TOKEN', value }] });
  const group = { name: 'team', secrets: [{ key: 'TOKEN', value: first, ...PLACEMENT }] };
  const { data } = await product.admin.must('POST', GROUPS, group);
  const pinned = await product.createSandbox({ secrets: { API_KEY: 'default:team:TOKEN:1' } });
  const follows = await product.createSandbox({ secrets: { API_KEY: 'tfy-secret://team:TOKEN' } });
  const tunnels = [
    await product.openTunnel(pinned, `${HOST}:443`),
    await product.openTunnel(follows, `${HOST}:443`),
  ];
  await product.admin.must('PUT', `${GROUPS}/${data.id}`, write(second));
  const carried: (readonly string[])[] = [];
  for (const tunnel of tunnels) {
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
    carried.push(sent());
  }
  expect(carried).toEqual([[`Bearer ${first}`], [`Bearer ${second}`]]);
  scene.origin.clear();
  await product.admin.must('DELETE', `${GROUPS}/${data.id}`);
  for (const tunnel of tunnels) {
    expect((await tunnel.request({ path: '/' })).status).toBe(503);
  }
  expect(scene.origin.requests).toEqual([]);
  await product.assertNoLeak([first, second]);
});

test('explain says that a stored secret without auth is not usable yet', async () => {
  const { product } = scene;
  await product.admin.must('POST', GROUPS, {
    name: 'unplaced',
    secrets: [{ key: 'K', value: mintCanary() }],
  });
  const sandbox = await product.createSandbox({ secrets: { API_KEY: 'unplaced:K' } });
  const explained = await product.admin.must('POST', '/explain', {
    sandbox: sandbox.id,
    method: 'GET',
    url: `https://${HOST}/`,
  });
  expect(explained).toMatchObject({ decision: 'tunnel' });
  expect(explained.considered).toMatchObject([
    { secret_name: 'unplaced:K', reason: 'It has no auth and hosts yet.' },
  ]);
});
