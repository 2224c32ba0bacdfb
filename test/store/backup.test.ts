import { copyFileSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import SqliteFile from 'better-sqlite3';
import { expect, test } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import { backupStore } from '../../src/store/backup-store.ts';
import { insertSampleSecret, insertTenant, sampleExchange } from '../contract/samples.ts';
import type { Tenant } from '../contract/samples.ts';
import { openStore, temporaryDirectory } from './temporary-store.ts';

/** A store with some megabytes, so that a backup takes many steps. */
async function filledStore(dataDir: string): Promise<{ store: Store; tenant: Tenant }> {
  const store = await openStore(dataDir);
  const tenant = await insertTenant(store, 'acme');
  const ids = { organizationId: tenant.organization.id, sandboxId: 'box' };
  for (let batch = 0; batch < 10; batch += 1) {
    await store.audit.appendEvents(Array.from({ length: 500 }, () => sampleExchange(ids)));
  }
  return { store, tenant };
}

/** Restores as docs/guides/backup.md says and opens the result. */
async function restored(file: string): Promise<Store> {
  const dataDir = path.join(temporaryDirectory(), 'data');
  mkdirSync(dataDir, { mode: 0o700 });
  copyFileSync(file, path.join(dataDir, 'sallyport.db'));
  return openStore(dataDir);
}

/** Writes secrets while `backup` runs; returns the ids acknowledged before it began. */
async function whileWriting(
  store: Store,
  tenant: Tenant,
  backup: () => Promise<void>,
): Promise<readonly string[]> {
  const before = (await insertSampleSecret(store, tenant)).id;
  const done = new AbortController();
  const writing = (async () => {
    let count = 0;
    while (!done.signal.aborted) {
      await insertSampleSecret(store, tenant);
      count += 1;
    }
    return count;
  })();
  await backup();
  done.abort();
  expect(await writing).toBeGreaterThan(0);
  return [before];
}

async function expectSound(file: string): Promise<void> {
  const copy = new SqliteFile(file, { readonly: true });
  expect(copy.pragma('integrity_check', { simple: true })).toBe('ok');
  copy.close();
  expect(statSync(file).mode & 0o777).toBe(0o600);
}

test('a backup of the running store is whole, private, and restores', async () => {
  const { store, tenant } = await filledStore(temporaryDirectory());
  const directory = temporaryDirectory();
  const file = path.join(directory, 'backup.db');
  const ids = await whileWriting(store, tenant, () => store.backup(file));
  await expectSound(file);
  const again = await restored(file);
  for (const id of ids) {
    expect(await again.secrets.readSecretById(tenant.organization.id, id)).toBeDefined();
  }
  expect(readdirSync(directory).filter((name) => name.includes('partial'))).toEqual([]);
});

test('a backup by another program while the store writes is whole and restores', async () => {
  const dataDir = temporaryDirectory();
  const { store, tenant } = await filledStore(dataDir);
  const file = path.join(temporaryDirectory(), 'backup.db');
  const ids = await whileWriting(store, tenant, () => backupStore({ url: null, dataDir, file }));
  await expectSound(file);
  const again = await restored(file);
  for (const id of ids) {
    expect(await again.secrets.readSecretById(tenant.organization.id, id)).toBeDefined();
  }
});

test('a backup works while nothing runs', async () => {
  const dataDir = temporaryDirectory();
  const { store } = await filledStore(dataDir);
  await store.close();
  const file = path.join(temporaryDirectory(), 'backup.db');
  await backupStore({ url: null, dataDir, file });
  const again = await restored(file);
  expect(await again.organizations.readOrganization('acme')).toBeDefined();
});

test('a backup overwrites nothing', async () => {
  const dataDir = temporaryDirectory();
  const store = await openStore(dataDir);
  const file = path.join(temporaryDirectory(), 'precious.txt');
  writeFileSync(file, 'precious');
  await expect(store.backup(file)).rejects.toMatchObject({ code: 'conflict' });
  await expect(backupStore({ url: null, dataDir, file })).rejects.toMatchObject({
    code: 'conflict',
  });
  expect(statSync(file).size).toBe('precious'.length);
});

test('a backup that cannot be written says where and why', async () => {
  const store = await openStore(temporaryDirectory());
  const file = path.join(temporaryDirectory(), 'missing', 'backup.db');
  await expect(store.backup(file)).rejects.toMatchObject({
    code: 'bad_request',
    message: expect.stringContaining(`${file}.partial: ENOENT`) as unknown,
  });
});
