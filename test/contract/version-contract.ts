/** Versions that become active again, and retention: what every database must do. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Secret } from '../../src/secrets/secret.ts';
import type { Store } from '../../src/store/store.ts';
import {
  insertSampleSandbox,
  insertSampleSecret,
  insertTenant,
  sampleBinding,
  sampleVersion,
  type Tenant,
} from './samples.ts';
import type { MakeStore } from './store-contracts.ts';

interface Begun {
  readonly store: Store;
  readonly tenant: Tenant;
  /** As many versions as asked for; the last is active. */
  readonly secret: Secret;
  /** By number, from 1. */
  readonly ids: readonly string[];
}

export function describeVersionContract(makeStore: MakeStore): void {
  async function begin(versions: number): Promise<Begun> {
    const store = await makeStore();
    const tenant = await insertTenant(store, 'acme');
    let secret = await insertSampleSecret(store, tenant);
    const ids = ['', secret.activeVersionId];
    for (let version = 2; version <= versions; version += 1) {
      secret = {
        ...secret,
        version,
        highestVersion: version,
        activeVersionId: randomUUID(),
        rotation: secret.rotation + 1,
        revision: secret.revision + 1,
      };
      ids.push(secret.activeVersionId);
      await store.secrets.updateSecret(secret, sampleVersion(secret));
    }
    return { store, tenant, secret, ids };
  }

  function activated({ secret, ids }: Begun, version: number): Secret {
    const activeVersionId = ids[version] ?? '';
    return { ...secret, version, activeVersionId, revision: secret.revision + 1 };
  }

  async function living({ store, secret }: Begun): Promise<readonly number[]> {
    const rows = await store.secrets.listVersions(secret.organizationId, secret.id);
    return rows.filter((row) => !row.isDestroyed).map((row) => row.version);
  }

  async function destroy({ store, secret }: Begun, kept: number): Promise<number> {
    return store.secrets.destroyOldVersions(secret.organizationId, secret.id, kept);
  }

  describe('versions', () => {
    test('an earlier one becomes active again; highest number, rotation and overlap come back', async () => {
      const begun = await begin(3);
      const overlap = { versionId: begun.ids[2] ?? '', version: 2, endsAtMs: 99_000 };
      const after = { ...activated(begun, 1), rotation: 4, overlap };
      expect(await begun.store.secrets.updateSecret(after, null)).toBe(true);
      const { organizationId, id } = begun.secret;
      const row = await begun.store.secrets.readSecretById(organizationId, id);
      expect(row?.secret).toEqual(after);
      const rows = await begun.store.secrets.listVersions(organizationId, id);
      expect(rows.map((one) => [one.version, one.active])).toEqual([
        [3, false],
        [2, false],
        [1, true],
      ]);
    });

    test('retention keeps the newest; one whose value is destroyed cannot become active', async () => {
      const begun = await begin(5);
      expect(await destroy(begun, 3)).toBe(2);
      expect(await living(begun)).toEqual([5, 4, 3]);
      expect(await destroy(begun, 3)).toBe(0);
      expect(await begun.store.secrets.updateSecret(activated(begun, 2), null)).toBe(false);
      expect(await begun.store.secrets.updateSecret(activated(begun, 3), null)).toBe(true);
      const { organizationId, id } = begun.secret;
      expect(await begun.store.secrets.readVersion(organizationId, id, 2)).toBeUndefined();
    });

    test('retention keeps what is active, what overlaps and what a binding stays with', async () => {
      const begun = await begin(6);
      const { store, tenant, ids } = begun;
      const sandbox = await insertSampleSandbox(store, tenant, {}, (made) => [
        sampleBinding(made, begun.secret, { envKey: 'A', pinnedVersion: 3 }),
      ]);
      const overlap = { versionId: ids[2] ?? '', version: 2, endsAtMs: 1 };
      await store.secrets.updateSecret({ ...activated(begun, 1), overlap }, null);
      expect(await destroy(begun, 1)).toBe(2);
      expect(await living(begun)).toEqual([6, 3, 2, 1]);
      const { organizationId, id } = begun.secret;
      const rows = await store.secrets.listVersions(organizationId, id);
      expect(rows.find((row) => row.version === 3)?.pins).toBe(1);
      await store.sandboxes.detachBinding(organizationId, sandbox.id, 'A', 9_000);
      expect(await destroy(begun, 1)).toBe(1);
      expect(await living(begun)).toEqual([6, 2, 1]);
    });

    test('nothing can be pinned to a version whose value is destroyed', async () => {
      const begun = await begin(2);
      await destroy(begun, 1);
      const pinned = insertSampleSandbox(begun.store, begun.tenant, {}, (made) => [
        sampleBinding(made, begun.secret, { pinnedVersion: 1 }),
      ]);
      await expect(pinned).rejects.toMatchObject({ code: 'secret_not_found' });
    });

    test('the policy carries the version of an overlap, but not to a pinned binding', async () => {
      const begun = await begin(2);
      const { store, tenant, ids, secret } = begun;
      const overlap = { versionId: ids[1] ?? '', version: 1, endsAtMs: 99_000 };
      await store.secrets.updateSecret({ ...activated(begun, 2), overlap }, null);
      const sandbox = await insertSampleSandbox(store, tenant, {}, (made) => [
        sampleBinding(made, secret, { envKey: 'A' }),
        sampleBinding(made, secret, { envKey: 'B', pinnedVersion: 2 }),
      ]);
      const source = await store.policy.readPolicySource(sandbox.id);
      const carried = source?.bound.map((bound) => bound.overlapVersion?.version);
      expect(carried).toEqual([1, undefined]);
    });
  });
}
