/** Groups of secrets: what every database must do. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { NewSecret } from '../../src/groups/group-store.ts';
import type { SecretGroup } from '../../src/groups/secret-group.ts';
import type { Store } from '../../src/store/store.ts';
import { insertSampleSecret, insertTenant, sampleSecret, sampleVersion } from './samples.ts';
import type { Tenant } from './samples.ts';
import type { MakeStore } from './store-contracts.ts';

function sampleGroup({ organization }: Tenant, changes: Partial<SecretGroup> = {}): SecretGroup {
  return {
    id: randomUUID(),
    organizationId: organization.id,
    name: `group-${randomUUID().slice(0, 8)}`,
    integrationId: null,
    manifest: null,
    createdAtMs: 1_000,
    updatedAtMs: 1_000,
    createdBy: 'user:someone',
    revision: 1,
    ...changes,
  };
}

function sampleMember(tenant: Tenant, name: string): NewSecret {
  const secret = sampleSecret(tenant, { name });
  return { secret, version: sampleVersion(secret) };
}

async function namesIn(store: Store, group: SecretGroup): Promise<string[]> {
  const filter = { groupIds: [group.id] };
  const { rows } = await store.groups.listMembers(group.organizationId, filter);
  return rows.map(({ secret }) => secret.name);
}

export function describeGroupContract(makeStore: MakeStore): void {
  describe('groups of secrets', () => {
    test('a group comes back as it went in, with its secrets and their versions', async () => {
      const store = await makeStore();
      const tenant = await insertTenant(store, 'acme');
      const { id: organizationId } = tenant.organization;
      const collaborators = [{ subject: 'user:bob', role: 'secret-group-viewer' }] as const;
      const manifest = { name: 'g', integrationFqn: 'f', collaborators, ownerAccount: null };
      const group = sampleGroup(tenant, { name: 'g', integrationId: 'i', manifest });
      const member = sampleMember(tenant, 'g:a');
      await store.groups.insertGroup(group, [member]);
      expect(await store.groups.readGroup(organizationId, group.id)).toEqual(group);
      expect(await store.groups.readGroupByName(organizationId, 'g')).toEqual(group);
      const page = await store.groups.listMembers(organizationId, { names: ['g:a'] });
      expect(page).toMatchObject({
        total: 1,
        rows: [
          { secret: member.secret, groupId: group.id, versions: [{ version: 1, active: true }] },
        ],
      });
    });

    test('a taken secret name takes the whole group back', async () => {
      const store = await makeStore();
      const tenant = await insertTenant(store, 'acme');
      const { id: organizationId } = tenant.organization;
      const taken = await insertSampleSecret(store, tenant);
      const group = sampleGroup(tenant);
      const members = [sampleMember(tenant, 'g:a'), sampleMember(tenant, taken.name)];
      await expect(store.groups.insertGroup(group, members)).rejects.toMatchObject({
        code: 'conflict',
      });
      expect(await store.groups.readGroup(organizationId, group.id)).toBeUndefined();
      expect(await store.secrets.readSecret(organizationId, 'g:a')).toBeUndefined();
    });

    test('a write changes everything or, behind another one, nothing', async () => {
      const store = await makeStore();
      const tenant = await insertTenant(store, 'acme');
      const group = sampleGroup(tenant);
      const [kept, gone] = [sampleMember(tenant, 'g:kept'), sampleMember(tenant, 'g:gone')];
      await store.groups.insertGroup(group, [kept, gone]);
      const write = {
        group: { ...group, revision: 2, updatedAtMs: 2_000 },
        inserted: [sampleMember(tenant, 'g:new')],
        updated: [{ secret: { ...kept.secret, description: 'x', revision: 2 }, version: null }],
        deletedIds: [gone.secret.id],
        atMs: 2_000,
      };
      expect(await store.groups.writeGroup(write)).toBe(true);
      expect(await namesIn(store, group)).toEqual(['g:kept', 'g:new']);
      const late = { ...write, inserted: [sampleMember(tenant, 'g:late')], deletedIds: [] };
      expect(await store.groups.writeGroup(late)).toBe(false);
      const stale = { ...late, group: { ...group, revision: 3 } };
      await expect(store.groups.writeGroup(stale)).rejects.toMatchObject({ code: 'conflict' });
      expect(await namesIn(store, group)).toEqual(['g:kept', 'g:new']);
    });

    test('deleting takes its secrets along; a collaborator sees it no more', async () => {
      const store = await makeStore();
      const tenant = await insertTenant(store, 'acme');
      const { id: organizationId } = tenant.organization;
      const collaborators = [{ subject: 'user:bob', role: 'secret-group-viewer' }] as const;
      const manifest = { name: 'g', integrationFqn: null, collaborators, ownerAccount: null };
      const group = sampleGroup(tenant, { name: 'g', manifest });
      const member = sampleMember(tenant, 'g:a');
      await store.groups.insertGroup(group, [member]);
      await store.groups.insertGroup(sampleGroup(tenant, { name: 'hidden' }), []);
      await insertSampleSecret(store, tenant, { name: 'plain' });
      const seen = { subject: 'user:bob', limit: 9, offset: 0 };
      expect((await store.groups.listGroups(organizationId, seen)).total).toBe(1);
      const visible = await store.groups.listMembers(organizationId, { subject: 'user:bob' });
      expect(visible.rows.map(({ secret }) => secret.name)).toEqual(['g:a', 'plain']);
      const other = await store.groups.listMembers(organizationId, { subject: 'user:eve' });
      expect(other.rows.map(({ secret }) => secret.name)).toEqual(['plain']);
      expect(await store.groups.deleteGroup(organizationId, group.id, 5_000)).toEqual([
        member.secret.id,
      ]);
      expect(await store.secrets.readSecret(organizationId, 'g:a')).toBeUndefined();
      expect((await store.groups.listGroups(organizationId, seen)).total).toBe(0);
      expect(await store.groups.deleteGroup(organizationId, group.id, 5_000)).toBeUndefined();
    });

    test('another organization sees, writes and deletes nothing', async () => {
      const store = await makeStore();
      const tenant = await insertTenant(store, 'acme');
      const { organization: other } = await insertTenant(store, 'other');
      const group = sampleGroup(tenant);
      await store.groups.insertGroup(group, [sampleMember(tenant, 'g:a')]);
      expect(await store.groups.readGroup(other.id, group.id)).toBeUndefined();
      expect(await store.groups.deleteGroup(other.id, group.id, 1)).toBeUndefined();
      const foreign = { ...group, organizationId: other.id, revision: 2 };
      const nothing = { inserted: [], updated: [], deletedIds: [], atMs: 1 };
      expect(await store.groups.writeGroup({ group: foreign, ...nothing })).toBe(false);
      const listed = await store.groups.listMembers(other.id, { groupIds: [group.id] });
      expect(listed).toEqual({ rows: [], total: 0 });
      expect(await namesIn(store, group)).toEqual(['g:a']);
    });
  });
}
