/** Sandboxes, bindings and tokens: what every database must do. */
import { describe, expect, test } from 'vitest';
import { FIXED } from '../../src/kernel/limits.ts';
import type { Sandbox } from '../../src/sandboxes/sandbox.ts';
import type { Store } from '../../src/store/store.ts';
import {
  insertSampleSandbox,
  insertSampleSecret,
  insertTenant,
  sampleBinding,
  sampleSandbox,
  sampleToken,
} from './samples.ts';
import type { Tenant } from './samples.ts';
import type { MakeStore } from './store-contracts.ts';

export function describeSandboxContract(makeStore: MakeStore): void {
  async function begin(): Promise<{ store: Store; tenant: Tenant; organizationId: string }> {
    const store = await makeStore();
    const tenant = await insertTenant(store, 'acme');
    return { store, tenant, organizationId: tenant.organization.id };
  }

  describe('sandboxes', () => {
    test('a sandbox comes back as it went in, with its bindings in order', async () => {
      const { store, tenant, organizationId } = await begin();
      const secret = await insertSampleSecret(store, tenant, { name: 'TOKEN' });
      const sandbox = await insertSampleSandbox(
        store,
        tenant,
        {
          description: 'text',
          metadata: { team: 'a', 'odd "key"': '' },
          network: { allowOut: ['api.example.com:443'], denyOut: ['0.0.0.0/0'] },
          envVars: { LANG: 'C' },
          secretsMode: 'all',
          limits: { requestsPerMinute: 60, concurrent: 4 },
          interceptAll: true,
          sourceCidrs: ['192.0.2.0/24'],
          timeoutSeconds: 60,
          autoDeleteSeconds: 0,
          expiresAtMs: 9_000_000_000_000,
        },
        (inserted) => [
          sampleBinding(inserted, secret, { envKey: 'Z', inject: 'placeholder' }),
          sampleBinding(inserted, secret, { envKey: 'A' }),
        ],
      );
      const row = await store.sandboxes.readSandbox(organizationId, sandbox.id);
      expect(row?.sandbox).toEqual(sandbox);
      expect(row?.bindings.map((entry) => [entry.binding.envKey, entry.secretName])).toEqual([
        ['Z', 'TOKEN'],
        ['A', 'TOKEN'],
      ]);
      expect(row?.bindings[0]?.binding.inject).toBe('placeholder');
    });

    test('a binding shows that its secret was deleted', async () => {
      const { store, tenant, organizationId } = await begin();
      const secret = await insertSampleSecret(store, tenant, { name: 'TOKEN' });
      const sandbox = await insertSampleSandbox(store, tenant, {}, (inserted) => [
        sampleBinding(inserted, secret),
      ]);
      await store.secrets.deleteSecret(organizationId, secret.id, 5);
      const row = await store.sandboxes.readSandbox(organizationId, sandbox.id);
      expect(row?.bindings).toMatchObject([{ secretName: 'TOKEN', revoked: true }]);
    });

    test('a sandbox that cannot be inserted whole is not inserted', async () => {
      const { store, tenant, organizationId } = await begin();
      const secret = await insertSampleSecret(store, tenant);
      const sandbox = sampleSandbox(tenant);
      const twice = [sampleBinding(sandbox, secret), sampleBinding(sandbox, secret)];
      const insert = store.sandboxes.insertSandbox(sandbox, twice, sampleToken(sandbox));
      await expect(insert).rejects.toMatchObject({ code: 'conflict' });
      expect(await store.sandboxes.readSandbox(organizationId, sandbox.id)).toBeUndefined();
    });

    test('the list is newest first and filtered by status and metadata', async () => {
      const { store, tenant, organizationId } = await begin();
      const names = async (filter: Parameters<Store['sandboxes']['listSandboxes']>[1]) => {
        const rows = await store.sandboxes.listSandboxes(organizationId, filter);
        return rows.map((row) => row.sandbox.name);
      };
      await insertSampleSandbox(store, tenant, { name: 'a', metadata: { team: 'x', tier: '1' } });
      await insertSampleSandbox(store, tenant, { name: 'b', metadata: { team: 'x' } });
      await insertSampleSandbox(store, tenant, { name: 'c', status: 'paused', createdAtMs: 1 });
      expect(await names({})).toEqual(['b', 'a', 'c']);
      expect(await names({ status: 'paused' })).toEqual(['c']);
      expect(await names({ metadata: { team: 'x' } })).toEqual(['b', 'a']);
      expect(await names({ metadata: { team: 'x', tier: '1' } })).toEqual(['a']);
      expect(await names({ metadata: { team: "' or 1=1 --" } })).toEqual([]);
      expect(await names({ limit: 1, offset: 1 })).toEqual(['a']);
      expect(await names({ offset: 2 })).toEqual(['c']);
    });

    test('an update needs the revision it was computed from and replaces metadata whole', async () => {
      const { store, tenant, organizationId } = await begin();
      const sandbox = await insertSampleSandbox(store, tenant, { metadata: { team: 'x' } });
      const changed: Sandbox = { ...sandbox, metadata: { other: 'y' }, revision: 2 };
      expect(await store.sandboxes.updateSandbox(changed)).toBe(true);
      expect(await store.sandboxes.updateSandbox(changed)).toBe(false);
      const byOld = await store.sandboxes.listSandboxes(organizationId, {
        metadata: { team: 'x' },
      });
      expect(byOld).toEqual([]);
      const row = await store.sandboxes.readSandbox(organizationId, sandbox.id);
      expect(row?.sandbox).toEqual(changed);
    });

    test('deleting takes bindings and tokens with it', async () => {
      const { store, tenant, organizationId } = await begin();
      const secret = await insertSampleSecret(store, tenant);
      const sandbox = sampleSandbox(tenant);
      const token = sampleToken(sandbox);
      await store.sandboxes.insertSandbox(sandbox, [sampleBinding(sandbox, secret)], token);
      expect(await store.sandboxes.deleteSandbox(organizationId, sandbox.id)).toBe(true);
      expect(await store.sandboxes.deleteSandbox(organizationId, sandbox.id)).toBe(false);
      expect(await store.policy.readTokenOwner(token.tokenHash, 0)).toBeUndefined();
      expect(await store.secrets.listBindingsOfSecret(organizationId, secret.id)).toEqual([]);
    });

    test('another organization sees and changes nothing', async () => {
      const { store, tenant } = await begin();
      const other = (await insertTenant(store, 'other')).organization.id;
      const sandbox = await insertSampleSandbox(store, tenant);
      expect(await store.sandboxes.readSandbox(other, sandbox.id)).toBeUndefined();
      expect(await store.sandboxes.listSandboxes(other, {})).toEqual([]);
      expect(await store.sandboxes.deleteSandbox(other, sandbox.id)).toBe(false);
      const stolen = { ...sandbox, organizationId: other, revision: 2 };
      expect(await store.sandboxes.updateSandbox(stolen)).toBe(false);
      const token = sampleToken({ ...sandbox, organizationId: other });
      await expect(store.sandboxes.replaceToken(token, 0)).rejects.toMatchObject({
        code: 'not_found',
      });
    });

    test('a workspace of another organization is refused by the database itself', async () => {
      const { store, tenant } = await begin();
      const other = await insertTenant(store, 'other');
      const sandbox = sampleSandbox(tenant, { workspaceId: other.workspace.id });
      const insert = store.sandboxes.insertSandbox(sandbox, [], sampleToken(sandbox));
      await expect(insert).rejects.toMatchObject({ name: 'StoreFailure' });
    });
  });

  describe('bindings', () => {
    test('a bound variable is a conflict; a detached one is free again', async () => {
      const { store, tenant, organizationId } = await begin();
      const secret = await insertSampleSecret(store, tenant);
      const sandbox = await insertSampleSandbox(store, tenant);
      await store.sandboxes.insertBinding(sampleBinding(sandbox, secret));
      await expect(
        store.sandboxes.insertBinding(sampleBinding(sandbox, secret)),
      ).rejects.toMatchObject({ code: 'conflict' });
      const detach = () =>
        store.sandboxes.detachBinding(organizationId, sandbox.id, 'API_KEY', 9_000);
      expect(await detach()).toBe(true);
      expect(await detach()).toBe(false);
      await store.sandboxes.insertBinding(sampleBinding(sandbox, secret));
    });

    test('no more than the maximum, detached ones not counted', async () => {
      const { store, tenant, organizationId } = await begin();
      const secret = await insertSampleSecret(store, tenant);
      const sandbox = await insertSampleSandbox(store, tenant, {}, (inserted) =>
        Array.from({ length: FIXED.bindingsPerSandboxMax }, (_, index) =>
          sampleBinding(inserted, secret, { envKey: `K${index}` }),
        ),
      );
      const oneMore = sampleBinding(sandbox, secret, { envKey: 'MORE' });
      await expect(store.sandboxes.insertBinding(oneMore)).rejects.toMatchObject({
        code: 'bad_request',
      });
      await store.sandboxes.detachBinding(organizationId, sandbox.id, 'K0', 9_000);
      await store.sandboxes.insertBinding(oneMore);
    });

    test('unknown, deleted and foreign secrets are not found', async () => {
      const { store, tenant, organizationId } = await begin();
      const other = await insertTenant(store, 'other');
      const sandbox = await insertSampleSandbox(store, tenant);
      const foreign = await insertSampleSecret(store, other);
      const deleted = await insertSampleSecret(store, tenant);
      await store.secrets.deleteSecret(organizationId, deleted.id, 5);
      for (const secret of [foreign, deleted, { id: 'unknown' }]) {
        await expect(
          store.sandboxes.insertBinding(sampleBinding(sandbox, secret)),
        ).rejects.toMatchObject({ code: 'secret_not_found' });
      }
    });

    test('a binding to a sandbox that is gone is not found', async () => {
      const { store, tenant } = await begin();
      const secret = await insertSampleSecret(store, tenant);
      const gone = sampleSandbox(tenant);
      await expect(
        store.sandboxes.insertBinding(sampleBinding(gone, secret)),
      ).rejects.toMatchObject({ code: 'not_found' });
    });
  });

  describe('tokens', () => {
    test('a new token ends the others at once or later, never later than they had', async () => {
      const { store, tenant } = await begin();
      const sandbox = sampleSandbox(tenant);
      const first = sampleToken(sandbox);
      await store.sandboxes.insertSandbox(sandbox, [], first);
      const second = sampleToken(sandbox, { createdAtMs: 10_000 });
      await store.sandboxes.replaceToken(second, 15_000);
      expect(await store.policy.readTokenOwner(first.tokenHash, 14_999)).toEqual({
        sandboxId: sandbox.id,
        validUntilMs: 15_000,
      });
      expect(await store.policy.readTokenOwner(first.tokenHash, 15_000)).toBeUndefined();
      expect(await store.policy.readTokenOwner(second.tokenHash, 99_000)).toEqual({
        sandboxId: sandbox.id,
        validUntilMs: null,
      });
      const third = sampleToken(sandbox, { createdAtMs: 11_000 });
      await store.sandboxes.replaceToken(third, 20_000);
      expect(await store.policy.readTokenOwner(first.tokenHash, 15_000)).toBeUndefined();
      await store.sandboxes.replaceToken(sampleToken(sandbox, { createdAtMs: 12_000 }), 12_000);
      expect(await store.policy.readTokenOwner(third.tokenHash, 12_000)).toBeUndefined();
    });
  });

  describe('due sandboxes', () => {
    test('are those whose timeout or auto-delete has struck', async () => {
      const { store, tenant, organizationId } = await begin();
      const timed = await insertSampleSandbox(store, tenant, {
        timeoutSeconds: 10,
        armedAtMs: 5_000,
      });
      const paused = await insertSampleSandbox(store, tenant, {
        status: 'paused',
        timeoutSeconds: 1,
        autoDeleteSeconds: 5,
        pausedAtMs: 8_000,
        autoDeleteAtMs: 13_000,
      });
      await insertSampleSandbox(store, tenant);
      expect(await store.sandboxes.listDueSandboxes(12_999, 10)).toEqual([]);
      expect(await store.sandboxes.listDueSandboxes(13_000, 10)).toEqual([
        { organizationId, id: paused.id, due: 'delete' },
      ]);
      expect(await store.sandboxes.listDueSandboxes(15_000, 10)).toEqual([
        { organizationId, id: paused.id, due: 'delete' },
        { organizationId, id: timed.id, due: 'pause' },
      ]);
      expect(await store.sandboxes.listDueSandboxes(15_000, 1)).toHaveLength(1);
    });
  });
}
