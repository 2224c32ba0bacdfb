/** Organizations, workspaces, API keys, instance items: what every database must do. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { insertTenant, sampleKey } from './samples.ts';
import type { MakeStore } from './store-contracts.ts';

export function describeOrganizationContract(makeStore: MakeStore): void {
  describe('organizations', () => {
    test('an organization is found by id and by name, with its first workspace', async () => {
      const store = await makeStore();
      const { organization, workspace } = await insertTenant(store, 'acme');
      expect(await store.organizations.readOrganization(organization.id)).toEqual(organization);
      expect(await store.organizations.readOrganization('acme')).toEqual(organization);
      expect(await store.organizations.readOrganization('other')).toBeUndefined();
      expect(await store.organizations.listOrganizations()).toEqual([organization]);
      expect(await store.organizations.listWorkspaces(organization.id)).toEqual([workspace]);
      expect(await store.organizations.readWorkspace(organization.id, 'default')).toEqual(
        workspace,
      );
    });

    test('an id is preferred to somebody else naming their organization like it', async () => {
      const store = await makeStore();
      const { organization } = await insertTenant(store, 'acme');
      await insertTenant(store, organization.id);
      expect((await store.organizations.readOrganization(organization.id))?.name).toBe('acme');
    });

    test('a taken name is a conflict and leaves nothing behind', async () => {
      const store = await makeStore();
      await insertTenant(store, 'acme');
      await expect(insertTenant(store, 'acme')).rejects.toMatchObject({
        name: 'ControlError',
        code: 'conflict',
      });
      expect(await store.organizations.listOrganizations()).toHaveLength(1);
    });

    test('workspaces of another organization are not there', async () => {
      const store = await makeStore();
      const one = await insertTenant(store, 'one');
      const two = await insertTenant(store, 'two');
      const found = await store.organizations.readWorkspace(one.organization.id, two.workspace.id);
      expect(found).toBeUndefined();
    });
  });

  describe('api keys', () => {
    test('a key comes back as it went in, found by its hash alone', async () => {
      const store = await makeStore();
      const tenant = await insertTenant(store, 'acme');
      const key = sampleKey(tenant, { workspaceIds: ['w'], secretIds: [], expiresAtMs: 5 });
      await store.organizations.insertApiKey(key);
      expect(await store.organizations.readApiKeyByHash(key.keyHash)).toEqual(key);
      expect(await store.organizations.readApiKeyByHash('unknown')).toBeUndefined();
    });

    test('the last admin key of an organization cannot be deleted, others can', async () => {
      const store = await makeStore();
      const tenant = await insertTenant(store, 'acme');
      const { id: organizationId } = tenant.organization;
      const admin = sampleKey(tenant);
      const viewer = sampleKey(tenant, { role: 'viewer' });
      await store.organizations.insertApiKey(admin);
      await store.organizations.insertApiKey(viewer);
      await expect(
        store.organizations.deleteApiKey(organizationId, admin.id),
      ).rejects.toMatchObject({ code: 'conflict' });
      const second = sampleKey(tenant);
      await store.organizations.insertApiKey(second);
      expect(await store.organizations.deleteApiKey(organizationId, admin.id)).toBe(true);
      expect(await store.organizations.deleteApiKey(organizationId, admin.id)).toBe(false);
      expect(await store.organizations.deleteApiKey(organizationId, viewer.id)).toBe(true);
      const left = await store.organizations.listApiKeys(organizationId);
      expect(left.map((key) => key.id)).toEqual([second.id]);
    });

    test('a key cannot be deleted by another organization', async () => {
      const store = await makeStore();
      const one = await insertTenant(store, 'one');
      const two = await insertTenant(store, 'two');
      const key = sampleKey(one, { role: 'viewer' });
      await store.organizations.insertApiKey(key);
      expect(await store.organizations.deleteApiKey(two.organization.id, key.id)).toBe(false);
    });

    test('the last use of a key only moves forward', async () => {
      const store = await makeStore();
      const tenant = await insertTenant(store, 'acme');
      const key = sampleKey(tenant);
      await store.organizations.insertApiKey(key);
      await store.organizations.touchApiKeys([{ id: key.id, atMs: 50 }]);
      await store.organizations.touchApiKeys([{ id: key.id, atMs: 40 }]);
      const read = await store.organizations.readApiKeyByHash(key.keyHash);
      expect(read?.lastUsedAtMs).toBe(50);
    });
  });

  describe('instance items', () => {
    test('the first to insert wins, and both are told what is stored', async () => {
      const store = await makeStore();
      const name = randomUUID();
      expect(await store.instance.readInstanceItem(name)).toBeUndefined();
      const first = new Uint8Array([1, 2, 3]);
      const [one, two] = await Promise.all([
        store.instance.insertInstanceItem(name, first),
        store.instance.insertInstanceItem(name, new Uint8Array([9])),
      ]);
      expect(one).toEqual(first);
      expect(two).toEqual(first);
      expect(await store.instance.readInstanceItem(name)).toEqual(first);
    });

    test('of two that replace what they read, one does', async () => {
      const store = await makeStore();
      const { instance } = store;
      const name = randomUUID();
      const first = await instance.insertInstanceItem(name, new Uint8Array([1, 2, 3]));
      const contents = [new Uint8Array([4]), new Uint8Array([5])] as const;
      const done = await Promise.all(
        contents.map((content) => instance.replaceInstanceItem(name, first, content)),
      );
      expect(done.filter(Boolean)).toHaveLength(1);
      expect(await instance.readInstanceItem(name)).toEqual(contents[done.indexOf(true)]);
      expect(await instance.replaceInstanceItem(randomUUID(), first, first)).toBe(false);
    });
  });
}
