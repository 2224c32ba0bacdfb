import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { StartError } from '../../src/kernel/errors.ts';
import { hashToken, mintId } from '../../src/kernel/ids.ts';
import { bootstrapOrganization } from '../../src/organizations/bootstrap.ts';
import { startStore } from '../../src/store/start-store.ts';
import type { Store } from '../../src/store/store.ts';

const clock = systemClock;
const silent = () => {};
const logger = { debug: silent, info: silent, warn: silent, error: silent, child: () => logger };
const folders: string[] = [];
const stores: Store[] = [];

async function freshStore(): Promise<Store> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'sallyport-bootstrap-'));
  folders.push(dataDir);
  const store = await startStore({ url: null, dataDir, logger, clock });
  stores.push(store);
  return store;
}

afterAll(async () => {
  for (const store of stores) await store.close();
  for (const folder of folders) await rm(folder, { recursive: true });
});

test('the first start mints an admin key, the second changes nothing', async () => {
  const { organizations } = await freshStore();
  const first = await bootstrapOrganization({ organizations, clock, bootstrapKey: null });
  expect(first.adminKey).toMatch(/^sp_live_[\w-]{43}$/);
  const stored = await organizations.readApiKeyByHash(hashToken(first.adminKey ?? ''));
  expect(stored).toMatchObject({ role: 'admin' });
  const second = await bootstrapOrganization({ organizations, clock, bootstrapKey: null });
  expect(second.adminKey).toBeNull();
  const [organization] = await organizations.listOrganizations();
  expect(organization?.name).toBe('default');
  expect(await organizations.listWorkspaces(organization?.id ?? '')).toMatchObject([
    { name: 'default' },
  ]);
  expect(await organizations.listApiKeys(organization?.id ?? '')).toHaveLength(1);
});

test('a given key is taken and not printed; a later one is not', async () => {
  const { organizations } = await freshStore();
  const bootstrapKey = 'sp_live_not-a-real-key-0001';
  const { adminKey } = await bootstrapOrganization({ organizations, clock, bootstrapKey });
  expect(adminKey).toBeNull();
  expect(await organizations.readApiKeyByHash(hashToken(bootstrapKey))).toBeDefined();
  const later = 'sp_live_not-a-real-key-0002';
  await bootstrapOrganization({ organizations, clock, bootstrapKey: later });
  expect(await organizations.readApiKeyByHash(hashToken(later))).toBeUndefined();
});

test('a start that died before the key was stored is made up for', async () => {
  const { organizations } = await freshStore();
  const organization = { id: mintId(), name: 'default', createdAtMs: 1 };
  const workspace = { ...organization, id: mintId(), organizationId: organization.id };
  await organizations.insertOrganization(organization, workspace);
  const { adminKey } = await bootstrapOrganization({ organizations, clock, bootstrapKey: null });
  expect(adminKey).not.toBeNull();
  expect(await organizations.listOrganizations()).toHaveLength(1);
});

test.each(['short', 'with a space in it', 'line\nend-of-line'])(
  'no start with the key %j',
  async (bootstrapKey) => {
    const { organizations } = await freshStore();
    const start = bootstrapOrganization({ organizations, clock, bootstrapKey });
    await expect(start).rejects.toThrow(StartError);
  },
);
