/** The master key replaced on a real store: everything opens at every moment, stopped anywhere and resumed. */
import { randomUUID } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ControlError, StartError } from '../../src/kernel/errors.ts';
import { Hidden } from '../../src/kernel/hidden.ts';
import type { SealedVersion } from '../../src/secrets/secret.ts';
import type { Store } from '../../src/store/store.ts';
import { KeyRotation, type RotationProgress } from '../../src/vault/key-rotation.ts';
import { openVault } from '../../src/vault/open-vault.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { insertTenant, sampleSecret, sampleVersion } from '../contract/samples.ts';
import { silentLogger } from '../store/silent-logger.ts';
import { openStore, temporaryDirectory } from '../store/temporary-store.ts';

interface Stage {
  readonly store: Store;
  readonly keyFile: string;
  readonly ids: readonly string[];
  readonly organizationId: string;
  vault: Vault;
  rotation: KeyRotation;
  /** As a start does, on the key file as it is now. */
  restart(): Promise<void>;
}

async function start(count: number): Promise<Stage> {
  const dataDir = temporaryDirectory();
  const store = await openStore(dataDir);
  const source = { masterKey: null, keyFile: null, dataDir };
  const open = () =>
    openVault({ ...source, instance: store.instance, limits: { openedValuesMax: 10 } });
  const makeRotation = (vault: Vault): KeyRotation =>
    new KeyRotation({ store: store.envelopes, vault, source, logger: silentLogger, batchRows: 3 });
  const vault = await open();
  const tenant = await insertTenant(store, 'acme');
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const secret = sampleSecret(tenant, { name: `S_${index}` });
    const context = {
      organizationId: secret.organizationId,
      secretId: secret.id,
      versionId: secret.activeVersionId,
    };
    const sealed = vault.sealValue(context, new Hidden(`value-${index}`));
    await store.secrets.insertSecret(secret, { ...sampleVersion(secret), sealed });
    ids.push(secret.id);
  }
  await store.instance.insertInstanceItem('ca', vault.sealItem('ca', Buffer.from('root key')));
  await store.instance.insertInstanceItem('plain', Buffer.from('not sealed'));
  const stage: Stage = {
    store,
    keyFile: join(dataDir, 'master.key'),
    ids,
    organizationId: tenant.organization.id,
    vault,
    rotation: makeRotation(vault),
    restart: async () => {
      stage.vault = await open();
      stage.rotation = makeRotation(stage.vault);
    },
  };
  return stage;
}

async function finish(progress: AsyncGenerator<RotationProgress>): Promise<RotationProgress> {
  let last: RotationProgress | undefined;
  for await (const one of progress) last = one;
  if (last === undefined) throw new Error('there was no progress');
  return last;
}

async function readVersions({ store, organizationId, ids }: Stage): Promise<SealedVersion[]> {
  const found: SealedVersion[] = [];
  for (const id of ids) {
    const version = await store.secrets.readVersion(organizationId, id, 1);
    if (version !== undefined) found.push(version);
  }
  return found;
}

async function expectAllOpen(stage: Stage): Promise<void> {
  const values = (await readVersions(stage)).map((version) =>
    stage.vault.openVersion(version).reveal(),
  );
  expect(values).toEqual(stage.ids.map((_, index) => `value-${index}`));
  const item = await stage.store.instance.readInstanceItem('ca');
  expect(Buffer.from(stage.vault.openItem('ca', item ?? Buffer.alloc(0))).toString()).toBe(
    'root key',
  );
}

const keyLines = (file: string): string[] => readFileSync(file, 'utf8').trim().split('\n');

describe('a new master key', () => {
  test('seals everything, and the old one can be taken away', async () => {
    const stage = await start(8);
    const [old] = await stage.rotation.listKeys();
    expect(old).toMatchObject({ envelopes: 10, isActive: true, isHeld: true });
    const before = await readVersions(stage);
    const done = await finish(stage.rotation.rotate({ mint: true }));
    expect(done).toMatchObject({ done: 10, total: 10, failed: 0, isComplete: true });
    expect(await stage.rotation.listKeys()).toEqual([
      { keyId: done.keyId, envelopes: 10, isActive: true, isHeld: true },
      { keyId: old?.keyId, envelopes: 0, isActive: false, isHeld: true },
    ]);
    // A snapshot in memory holds envelopes of before.
    expect(before.map((version) => stage.vault.openVersion(version).reveal())).toContain('value-7');
    await expectAllOpen(stage);
    expect(statSync(stage.keyFile).mode & 0o777).toBe(0o600);
    const [first = ''] = keyLines(stage.keyFile);
    writeFileSync(stage.keyFile, `${first}\n`);
    await stage.restart();
    await expectAllOpen(stage);
    const plain = await stage.store.instance.readInstanceItem('plain');
    expect(Buffer.from(plain ?? []).toString()).toBe('not sealed');
  });

  test('stopped after any batch: opens everything, needs both keys, goes on where it was', async () => {
    for (let batches = 1; batches <= 4; batches += 1) {
      const stage = await start(7);
      const progress = stage.rotation.rotate({ mint: true });
      for (let count = 0; count <= batches; count += 1) await progress.next();
      const lines = keyLines(stage.keyFile);
      expect(lines).toHaveLength(2);
      await stage.restart();
      await expectAllOpen(stage);
      const done = await finish(stage.rotation.rotate({ mint: false }));
      expect(done).toMatchObject({ isComplete: true, failed: 0 });
      const active = (await stage.rotation.listKeys()).filter(({ envelopes }) => envelopes > 0);
      expect(active).toMatchObject([{ keyId: done.keyId, envelopes: 9 }]);
      writeFileSync(stage.keyFile, `${lines[0]}\n`);
      await stage.restart();
      await expectAllOpen(stage);
    }
  });

  test('the key check comes last: without the old key there is no start before', async () => {
    const stage = await start(7);
    const progress = stage.rotation.rotate({ mint: true });
    await progress.next();
    await progress.next();
    const [first = ''] = keyLines(stage.keyFile);
    writeFileSync(stage.keyFile, `${first}\n`);
    await expect(stage.restart()).rejects.toThrow(StartError);
  });

  test('what was sealed with the old key while it ran is found too', async () => {
    const stage = await start(4);
    const progress = stage.rotation.rotate({ mint: true });
    const [version] = await readVersions(stage);
    await progress.next();
    await progress.next();
    await progress.next();
    // As a write does that began before: the envelope of the old key is stored late.
    const late = `aaa-${randomUUID()}`;
    if (version === undefined) throw new Error('there is a version');
    await stage.store.instance.insertInstanceItem(late, Buffer.from(version.sealed));
    const done = await finish(progress);
    expect(done).toMatchObject({ isComplete: true, failed: 1 });
  });
});

describe('what cannot be', () => {
  test('a second one at the same time', async () => {
    const stage = await start(2);
    const progress = stage.rotation.rotate({ mint: true });
    await progress.next();
    await expect(stage.rotation.rotate({ mint: false }).next()).rejects.toThrow(ControlError);
    await progress.return(undefined);
    await finish(stage.rotation.rotate({ mint: false }));
  });

  test('an old key taken out of the file too early: said, and nothing changed', async () => {
    const stage = await start(3);
    const lines = keyLines(stage.keyFile);
    writeFileSync(stage.keyFile, `${Buffer.alloc(32, 7).toString('base64')}\n`);
    await expect(finish(stage.rotation.rotate({ mint: false }))).rejects.toThrow(
      /does not hold [0-9a-f]{16}/,
    );
    await expectAllOpen(stage);
    writeFileSync(stage.keyFile, `${lines.join('\n')}\n`);
    await stage.restart();
  });

  test('a damaged envelope stays, is counted, and keeps the old key needed', async () => {
    const stage = await start(3);
    const [version] = await readVersions(stage);
    if (version === undefined) throw new Error('there is a version');
    const damaged = Buffer.from(version.sealed);
    damaged[90] = (damaged[90] ?? 0) ^ 1;
    const place = { kind: 'version', ...version, id: version.id } as const;
    await stage.store.envelopes.replaceEnvelopes([{ place, sealed: damaged }]);
    const done = await finish(stage.rotation.rotate({ mint: true }));
    expect(done).toMatchObject({ failed: 1, isComplete: true });
    const old = (await stage.rotation.listKeys()).find(({ isActive }) => !isActive);
    expect(old?.envelopes).toBe(2);
  });

  test('a new key where the key is not in a file', async () => {
    const stage = await start(1);
    const [masterKey = ''] = keyLines(stage.keyFile);
    const source = { masterKey, keyFile: null, dataDir: '/nonexistent' };
    const { vault, store } = stage;
    const deps = { store: store.envelopes, vault, source, logger: silentLogger };
    const rotation = new KeyRotation(deps);
    await expect(finish(rotation.rotate({ mint: true }))).rejects.toThrow(/SALLYPORT_MASTER_KEY/);
    const both = `${Buffer.alloc(32, 9).toString('base64')} ${masterKey}`;
    const withBoth = new KeyRotation({ ...deps, source: { ...source, masterKey: both } });
    expect(await finish(withBoth.rotate({ mint: false }))).toMatchObject({ failed: 0 });
    await expectAllOpen(stage);
  });
});
