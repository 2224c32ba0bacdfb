/** What the snapshot feed reads: what every database must do. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { FIXED } from '../../src/kernel/limits.ts';
import {
  insertSampleSandbox,
  insertSampleSecret,
  insertTenant,
  sampleBinding,
  sampleVersion,
} from './samples.ts';
import type { MakeStore } from './store-contracts.ts';

export function describePolicyContract(makeStore: MakeStore): void {
  describe('secrets_mode: all', () => {
    test('placed secrets of one organization, in pages by id, without bindings', async () => {
      const store = await makeStore();
      const tenant = await insertTenant(store, 'acme');
      const { id: organizationId } = tenant.organization;
      const made = [];
      for (let index = 0; index < 5; index += 1) {
        made.push(await insertSampleSecret(store, tenant, { name: `S_${index}` }));
      }
      const [gone, ...others] = made.toSorted((one, other) => (one.id < other.id ? -1 : 1));
      await store.secrets.deleteSecret(organizationId, gone?.id ?? '', 9_000);
      await insertSampleSecret(store, tenant, { name: 'UNPLACED', auth: null, hosts: [] });
      await insertSampleSecret(store, await insertTenant(store, 'other'));
      const first = await store.policy.listPlacedSecrets(organizationId, '', 3);
      expect(first.map(({ secret }) => secret)).toEqual(others.slice(0, 3));
      const rest = await store.policy.listPlacedSecrets(
        organizationId,
        first[2]?.secret.id ?? '',
        3,
      );
      expect(rest.map(({ secret }) => secret)).toEqual(others.slice(3));
      expect(first[0]).toMatchObject({
        binding: { envKey: '', placeholder: '', detachedAtMs: null },
        version: { id: first[0]?.secret.activeVersionId },
      });
      const ids = [gone?.id ?? '', others[1]?.id ?? '', 'unknown'];
      const some = await store.policy.readPlacedSecrets(organizationId, ids);
      expect(some.map(({ secret }) => secret)).toEqual(others.slice(1, 2));
    });

    test('such a sandbox depends on every secret of its organization', async () => {
      const store = await makeStore();
      const tenant = await insertTenant(store, 'acme');
      const { id: organizationId } = tenant.organization;
      const secret = await insertSampleSecret(store, tenant);
      const all = await insertSampleSandbox(store, tenant, { secretsMode: 'all' });
      const bound = await insertSampleSandbox(store, tenant, {}, (inserted) => [
        sampleBinding(inserted, secret),
      ]);
      await insertSampleSandbox(store, tenant);
      await insertSampleSandbox(store, await insertTenant(store, 'other'), { secretsMode: 'all' });
      const ids = await store.secrets.listSandboxIdsOfSecret(organizationId, secret.id);
      expect([...ids].sort()).toEqual([all.id, bound.id].sort());
      expect(await store.sandboxes.listAllModeWorkspaces(organizationId)).toEqual([
        tenant.workspace.id,
      ]);
    });
  });

  describe('policy source', () => {
    test('has the sandbox, each bound secret and its active version', async () => {
      const store = await makeStore();
      const tenant = await insertTenant(store, 'acme');
      const secret = await insertSampleSecret(store, tenant);
      const sandbox = await insertSampleSandbox(store, tenant, {}, (inserted) => [
        sampleBinding(inserted, secret),
      ]);
      const rotated = { ...secret, version: 2, activeVersionId: randomUUID(), revision: 2 };
      await store.secrets.updateSecret(rotated, sampleVersion(rotated));
      const source = await store.policy.readPolicySource(sandbox.id);
      expect(source?.sandbox).toEqual(sandbox);
      expect(source?.bound).toMatchObject([
        { secret: rotated, secretDeletedAtMs: null, version: sampleVersion(rotated) },
      ]);
      expect(await store.policy.readPolicySource('unknown')).toBeUndefined();
    });

    test('keeps what a deleted secret was, without its value', async () => {
      const store = await makeStore();
      const tenant = await insertTenant(store, 'acme');
      const secret = await insertSampleSecret(store, tenant);
      const sandbox = await insertSampleSandbox(store, tenant, {}, (inserted) => [
        sampleBinding(inserted, secret),
      ]);
      await store.secrets.deleteSecret(tenant.organization.id, secret.id, 8_000);
      const source = await store.policy.readPolicySource(sandbox.id);
      expect(source?.bound).toMatchObject([
        { secretDeletedAtMs: 8_000, version: null, secret: { hosts: ['api.example.com'] } },
      ]);
    });

    test('lists attached bindings in order, then the newest tombstones, bounded', async () => {
      const store = await makeStore();
      const tenant = await insertTenant(store, 'acme');
      const { id: organizationId } = tenant.organization;
      const secret = await insertSampleSecret(store, tenant);
      const dead = await insertSampleSecret(store, tenant);
      const sandbox = await insertSampleSandbox(store, tenant);
      const detachedCount = FIXED.tombstonesPerSandboxMax + 6;
      for (let index = 0; index < detachedCount; index += 1) {
        const binding = sampleBinding(sandbox, secret, { envKey: `OLD_${index}` });
        await store.sandboxes.insertBinding(binding);
        await store.sandboxes.detachBinding(organizationId, sandbox.id, `OLD_${index}`, index);
      }
      await store.sandboxes.insertBinding(sampleBinding(sandbox, dead, { envKey: 'DEAD' }));
      await store.sandboxes.insertBinding(sampleBinding(sandbox, secret, { envKey: 'LIVE' }));
      await store.secrets.deleteSecret(organizationId, dead.id, 99);
      const source = await store.policy.readPolicySource(sandbox.id);
      const keys = source?.bound.map((bound) => bound.binding.envKey) ?? [];
      expect(keys.slice(0, 3)).toEqual(['DEAD', 'LIVE', `OLD_${detachedCount - 1}`]);
      // The dead one is a tombstone too.
      expect(keys).toHaveLength(1 + FIXED.tombstonesPerSandboxMax);
    });

    test('source ranges are those of active sandboxes that have some', async () => {
      const store = await makeStore();
      const tenant = await insertTenant(store, 'acme');
      const sourceCidrs = ['192.0.2.0/24'];
      const sandbox = await insertSampleSandbox(store, tenant, { sourceCidrs });
      await insertSampleSandbox(store, tenant, { sourceCidrs, status: 'paused' });
      await insertSampleSandbox(store, tenant);
      expect(await store.policy.listSourceRanges()).toEqual([
        { sandboxId: sandbox.id, sourceCidrs },
      ]);
    });
  });
}
