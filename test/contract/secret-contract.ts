/** Secrets and versions: what every database must do. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { SecretFilter } from '../../src/secrets/secret-store.ts';
import type { Store } from '../../src/store/store.ts';
import {
  insertSampleSandbox,
  insertSampleSecret,
  insertTenant,
  sampleBinding,
  sampleMark,
  sampleSecret,
  sampleVersion,
} from './samples.ts';
import type { Tenant } from './samples.ts';
import type { MakeStore } from './store-contracts.ts';

export function describeSecretContract(makeStore: MakeStore): void {
  async function begin(): Promise<{ store: Store; tenant: Tenant; organizationId: string }> {
    const store = await makeStore();
    const tenant = await insertTenant(store, 'acme');
    return { store, tenant, organizationId: tenant.organization.id };
  }

  async function namesOf(
    store: Store,
    organizationId: string,
    filter: SecretFilter,
  ): Promise<readonly string[]> {
    const rows = await store.secrets.listSecrets(organizationId, filter);
    return rows.map((row) => row.secret.name);
  }

  describe('secrets', () => {
    test('a secret comes back as it went in', async () => {
      const { store, tenant, organizationId } = await begin();
      const secret = await insertSampleSecret(store, tenant, {
        description: 'déscription "quoted"',
        auth: { perHost: [{ type: 'basic', username: 'x', hosts: ['a.example.com'] }] },
        hosts: ['a.example.com', '*.example.org'],
        ports: [443, 8443],
        provider: 'github',
        providerParams: { region: 'eu' },
        methods: ['GET'],
        paths: ['/v1/**'],
        priority: -3,
        onExisting: 'keep',
        alsoStrip: { headers: ['x-api-key'], query: ['key'] },
        companionHeaders: { 'x-version': '1' },
        maskResponses: false,
        allowPlaintext: true,
        allowedWorkspacesType: 'SOME',
        allowedWorkspaces: [tenant.workspace.id],
        disabled: true,
        expiresAtMs: 9_000_000_000_000,
      });
      const row = await store.secrets.readSecret(organizationId, secret.name);
      expect(row?.secret).toEqual(secret);
      expect(row?.usage).toEqual({ lastUsedAtMs: null, lastAnsweredAtMs: null });
      expect(await store.secrets.readSecretById(organizationId, secret.id)).toEqual(row);
    });

    test('a taken name is a conflict, whatever its case says, and only in its organization', async () => {
      const { store, tenant } = await begin();
      const other = await insertTenant(store, 'other');
      await insertSampleSecret(store, tenant, { name: 'TOKEN' });
      await expect(insertSampleSecret(store, tenant, { name: 'TOKEN' })).rejects.toMatchObject({
        name: 'ControlError',
        code: 'conflict',
      });
      await insertSampleSecret(store, tenant, { name: 'token' });
      await insertSampleSecret(store, other, { name: 'TOKEN' });
    });

    test('another organization sees, changes and deletes nothing', async () => {
      const { store, tenant } = await begin();
      const other = (await insertTenant(store, 'other')).organization.id;
      const secret = await insertSampleSecret(store, tenant);
      expect(await store.secrets.readSecret(other, secret.name)).toBeUndefined();
      expect(await store.secrets.readSecretById(other, secret.id)).toBeUndefined();
      expect(await store.secrets.listSecrets(other, {})).toEqual([]);
      expect(await store.secrets.listVersions(other, secret.id)).toEqual([]);
      expect(await store.secrets.readVersion(other, secret.id, 1)).toBeUndefined();
      expect(await store.secrets.deleteSecret(other, secret.id, 5)).toBe(false);
      const stolen = { ...secret, organizationId: other, revision: 2 };
      expect(await store.secrets.updateSecret(stolen, null)).toBe(false);
    });

    test('an update needs the revision it was computed from', async () => {
      const { store, tenant, organizationId } = await begin();
      const secret = await insertSampleSecret(store, tenant);
      const changed = { ...secret, description: 'one', revision: 2 };
      expect(await store.secrets.updateSecret(changed, null)).toBe(true);
      expect(await store.secrets.updateSecret({ ...changed, description: 'two' }, null)).toBe(
        false,
      );
      const row = await store.secrets.readSecret(organizationId, secret.name);
      expect(row?.secret.description).toBe('one');
    });

    test('a rotation adds a version and moves the active one', async () => {
      const { store, tenant, organizationId } = await begin();
      const secret = await insertSampleSecret(store, tenant);
      const rotated = {
        ...secret,
        version: 2,
        activeVersionId: randomUUID(),
        revision: 2,
        updatedAtMs: 7_000,
      };
      await store.secrets.updateSecret(rotated, sampleVersion(rotated));
      const versions = await store.secrets.listVersions(organizationId, secret.id);
      expect(versions.map((row) => [row.version, row.active, row.createdAtMs])).toEqual([
        [2, true, 7_000],
        [1, false, 2_000],
      ]);
      const first = await store.secrets.readVersion(organizationId, secret.id, 1);
      expect(first).toEqual(sampleVersion(secret));
    });

    test('a refused update stores no version', async () => {
      const { store, tenant, organizationId } = await begin();
      const secret = await insertSampleSecret(store, tenant);
      const late = { ...secret, version: 2, activeVersionId: randomUUID(), revision: 5 };
      expect(await store.secrets.updateSecret(late, sampleVersion(late))).toBe(false);
      expect(await store.secrets.listVersions(organizationId, secret.id)).toHaveLength(1);
    });

    test('a deleted secret is gone, its values are destroyed, its name is free', async () => {
      const { store, tenant, organizationId } = await begin();
      const secret = await insertSampleSecret(store, tenant, { name: 'TOKEN' });
      expect(await store.secrets.deleteSecret(organizationId, secret.id, 8_000)).toBe(true);
      expect(await store.secrets.deleteSecret(organizationId, secret.id, 8_000)).toBe(false);
      expect(await store.secrets.readSecret(organizationId, 'TOKEN')).toBeUndefined();
      expect(await store.secrets.readVersion(organizationId, secret.id, 1)).toBeUndefined();
      const again = await insertSampleSecret(store, tenant, { name: 'TOKEN' });
      const listed = await store.secrets.listSecrets(organizationId, {});
      expect(listed.map((row) => row.secret.id)).toEqual([again.id]);
      const changed = { ...secret, revision: 2 };
      expect(await store.secrets.updateSecret(changed, null)).toBe(false);
    });
  });

  describe('the list of secrets', () => {
    test('is newest first, the latest inserted first among equals', async () => {
      const { store, tenant, organizationId } = await begin();
      await insertSampleSecret(store, tenant, { name: 'old', createdAtMs: 1 });
      await insertSampleSecret(store, tenant, { name: 'a', createdAtMs: 5 });
      await insertSampleSecret(store, tenant, { name: 'b', createdAtMs: 5 });
      await insertSampleSecret(store, tenant, { name: 'late', createdAtMs: 4 });
      expect(await namesOf(store, organizationId, {})).toEqual(['b', 'a', 'late', 'old']);
    });

    test('is paged without gaps or repeats, also when the last row seen was deleted', async () => {
      const { store, tenant, organizationId } = await begin();
      for (let index = 0; index < 9; index += 1) {
        await insertSampleSecret(store, tenant, {
          name: `s${index}`,
          createdAtMs: Math.floor(index / 4),
        });
      }
      const seen: string[] = [];
      let after: SecretFilter['after'];
      for (;;) {
        const page = await store.secrets.listSecrets(organizationId, {
          limit: 2,
          ...(after === undefined ? {} : { after }),
        });
        const last = page.at(-1)?.secret;
        if (last === undefined) break;
        seen.push(...page.map((row) => row.secret.name));
        after = { createdAtMs: last.createdAtMs, id: last.id };
        await store.secrets.deleteSecret(organizationId, last.id, 9);
      }
      expect(seen).toEqual(['s8', 's7', 's6', 's5', 's4', 's3', 's2', 's1', 's0']);
    });

    test('filters by text in name or description, taking every character as itself', async () => {
      const { store, tenant, organizationId } = await begin();
      await insertSampleSecret(store, tenant, { name: 'OPENAI_KEY' });
      await insertSampleSecret(store, tenant, { name: 'OPENAIxKEY', description: 'Für Ünïcode' });
      await insertSampleSecret(store, tenant, { name: 'other', description: '100% safe' });
      expect(await namesOf(store, organizationId, { q: 'openai_' })).toEqual(['OPENAI_KEY']);
      expect(await namesOf(store, organizationId, { q: 'ÜNÏCODE' })).toEqual(['OPENAIxKEY']);
      expect(await namesOf(store, organizationId, { q: '0% s' })).toEqual(['other']);
      expect(await namesOf(store, organizationId, { q: '\\' })).toEqual([]);
    });

    test('filters by provider, host and disuse; leaves out secrets without auth', async () => {
      const { store, tenant, organizationId } = await begin();
      const used = await insertSampleSecret(store, tenant, { name: 'used', provider: 'github' });
      await insertSampleSecret(store, tenant, { name: 'other', hosts: ['*.example.org'] });
      await insertSampleSecret(store, tenant, { name: 'bare', auth: null, hosts: [] });
      await store.usage.recordUsage([sampleMark(used, { lastUsedAtMs: 50 })]);
      expect(await namesOf(store, organizationId, { provider: 'github' })).toEqual(['used']);
      expect(await namesOf(store, organizationId, { host: '*.example.org' })).toEqual(['other']);
      expect(await namesOf(store, organizationId, { host: 'example.org' })).toEqual([]);
      expect(await namesOf(store, organizationId, { unusedSinceMs: 50 })).toEqual(['other']);
      expect(await namesOf(store, organizationId, { unusedSinceMs: 51 })).toEqual([
        'other',
        'used',
      ]);
      expect(await namesOf(store, organizationId, { includeUnplaced: true })).toContain('bare');
    });

    test('finds a secret by its hosts as they are now', async () => {
      const { store, tenant, organizationId } = await begin();
      const secret = await insertSampleSecret(store, tenant, { hosts: ['a.example.com'] });
      const moved = { ...secret, hosts: ['b.example.com'], revision: 2 };
      await store.secrets.updateSecret(moved, null);
      expect(await namesOf(store, organizationId, { host: 'a.example.com' })).toEqual([]);
      expect(await namesOf(store, organizationId, { host: 'b.example.com' })).toEqual([
        secret.name,
      ]);
    });
  });

  describe('the sandboxes of a secret', () => {
    test('lists attached bindings; dependents include detached ones', async () => {
      const { store, tenant, organizationId } = await begin();
      const secret = sampleSecret(tenant);
      await store.secrets.insertSecret(secret, sampleVersion(secret));
      const bind = (envKey: string) => ({
        bindings: (sandbox: Parameters<typeof sampleBinding>[0]) => [
          sampleBinding(sandbox, secret, { envKey }),
        ],
      });
      const one = await insertSampleSandbox(store, tenant, { name: 'one' }, bind('A').bindings);
      const two = await insertSampleSandbox(
        store,
        tenant,
        { name: 'two', status: 'paused' },
        bind('B').bindings,
      );
      await insertSampleSandbox(store, tenant, { name: 'none' });
      expect(await store.secrets.listBindingsOfSecret(organizationId, secret.id)).toEqual([
        { sandboxId: one.id, sandboxName: 'one', envKey: 'A', sandboxStatus: 'active' },
        { sandboxId: two.id, sandboxName: 'two', envKey: 'B', sandboxStatus: 'paused' },
      ]);
      await store.sandboxes.detachBinding(organizationId, one.id, 'A', 9_000);
      const rows = await store.secrets.listBindingsOfSecret(organizationId, secret.id);
      expect(rows.map((row) => row.sandboxName)).toEqual(['two']);
      const ids = await store.secrets.listSandboxIdsOfSecret(organizationId, secret.id);
      expect([...ids].sort()).toEqual([one.id, two.id].sort());
    });
  });
}
