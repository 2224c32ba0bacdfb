/** `/ca` over HTTP: who may rotate, what is recorded, what does not follow. No key leaves. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hashToken } from '../../src/kernel/ids.ts';
import { sampleKey } from '../contract/samples.ts';
import { startAdminFixture, type AdminFixture } from './admin-fixture.ts';

let admin: AdminFixture;

beforeAll(async () => {
  admin = await startAdminFixture();
});

afterAll(() => admin[Symbol.asyncDispose]());

async function keyOf(body: Record<string, unknown>): Promise<string> {
  const { json, status } = await admin.call('POST', '/api-keys', { name: 'other', ...body });
  expect(status).toBe(201);
  return (json as { key: string }).key;
}

/** A key of another organization. */
async function foreignKey(): Promise<string> {
  const organization = { id: randomUUID(), name: 'other', createdAtMs: 1 };
  const workspace = { ...organization, id: randomUUID(), organizationId: organization.id };
  await admin.store.organizations.insertOrganization(organization, workspace);
  const key = 'not-a-real-foreign-key';
  const tenant = { organization, workspace };
  await admin.store.organizations.insertApiKey(sampleKey(tenant, { keyHash: hashToken(key) }));
  return key;
}

const STEPS = ['/ca/rotate', '/ca/switch', '/ca/finish', '/ca/cancel'];

test('admins of the first organization rotate; others read, and change nothing', async () => {
  const workspace = (await admin.call('POST', '/workspaces', { name: 'narrow' })).json;
  const { id } = workspace as { id: string };
  const keys = [
    await keyOf({ role: 'viewer' }),
    await keyOf({ role: 'operator' }),
    await keyOf({ role: 'admin', workspaces: [id] }),
    await foreignKey(),
  ];
  for (const key of keys) {
    expect((await admin.call('GET', '/ca', undefined, key)).status).toBe(200);
    for (const path of STEPS) {
      expect((await admin.call('POST', path, undefined, key)).status).toBe(403);
    }
  }
  for (const path of STEPS)
    expect((await admin.call('POST', path, undefined, null)).status).toBe(401);
  expect((await admin.call('GET', '/ca')).json).toMatchObject({ phase: 'steady' });
});

test('each step is recorded with the fingerprints, and what does not follow is a conflict', async () => {
  expect((await admin.call('POST', '/ca/switch')).status).toBe(409);
  const startedMs = admin.clock.nowMs();
  const begun = await admin.call('POST', '/ca/rotate', { switch_after_seconds: 86_400 });
  const view = begun.json as { active: Root; next: Root; switch_at: string };
  const switchAtMs = Date.parse(view.switch_at) - 86_400_000;
  expect(switchAtMs).toBeGreaterThanOrEqual(startedMs);
  expect(switchAtMs).toBeLessThanOrEqual(admin.clock.nowMs());
  expect((await admin.call('POST', '/ca/rotate')).status).toBe(409);
  expect((await admin.call('POST', '/ca/finish')).status).toBe(409);
  expect((await admin.call('POST', '/ca/switch')).json).toMatchObject({
    phase: 'switched',
    active: view.next,
    retired: view.active,
    next: null,
    switch_at: null,
  });
  expect((await admin.call('POST', '/ca/switch')).status).toBe(409);
  expect((await admin.call('POST', '/ca/finish')).json).toMatchObject({
    phase: 'steady',
    active: view.next,
    retired: null,
  });
  const { json } = await admin.call('GET', '/activity?limit=3');
  const { data } = json as { data: { action: string; before: Shown; after: Shown }[] };
  expect(data.map((row) => row.action)).toEqual(['ca.finish', 'ca.switch', 'ca.rotate']);
  expect(data[1]?.after).toMatchObject({
    phase: 'switched',
    active: view.next.fingerprint_sha256,
    retired: view.active.fingerprint_sha256,
  });
});

interface Root {
  readonly fingerprint_sha256: string;
}

interface Shown {
  readonly phase: string;
}

test.each([{ switch_after_seconds: -1 }, { switch_after_seconds: 1e9 }, { other: 1 }])(
  '%j is refused',
  async (body) => {
    expect((await admin.call('POST', '/ca/rotate', body)).status).toBe(400);
  },
);

test('I3 no answer and no file of the database carries a private key', async () => {
  expect(admin.answers.join('\n')).not.toContain('PRIVATE KEY');
  expect((await admin.readDatabase()).includes('PRIVATE KEY')).toBe(false);
});
