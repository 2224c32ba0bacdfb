/** `/organizations` and `/workspaces` on a real store. */
import { randomUUID } from 'node:crypto';
import { beforeAll, afterAll, describe, expect, test } from 'vitest';
import { hashToken } from '../../src/kernel/ids.ts';
import { startAdminFixture, type AdminFixture } from './admin-fixture.ts';

const ROOT_KEY = 'not-a-real-root-key';
let admin: AdminFixture;

beforeAll(async () => {
  admin = await startAdminFixture();
  const { organizations } = admin.store;
  const organization = await organizations.readOrganization('default');
  await organizations.insertApiKey({
    id: randomUUID(),
    organizationId: organization?.id ?? '',
    name: 'root',
    role: 'root',
    subject: 'user:root',
    keyHash: hashToken(ROOT_KEY),
    keyPrefix: 'not-a',
    workspaceIds: null,
    secretIds: null,
    createdAtMs: 1,
    createdBy: 'test',
    expiresAtMs: null,
    lastUsedAtMs: null,
  });
});

afterAll(() => admin[Symbol.asyncDispose]());

const asRoot = (method: string, path: string, body?: unknown) =>
  admin.call(method, path, body, ROOT_KEY);

async function keyIn(organization: string): Promise<string> {
  const { json } = await admin.send('/api-keys', {
    method: 'POST',
    headers: { 'x-api-key': ROOT_KEY, 'x-organization': organization },
    body: JSON.stringify({ name: 'theirs', role: 'admin' }),
  });
  return json.key;
}

describe('/organizations', () => {
  test('a root key creates one with a workspace, and acts on it', async () => {
    const created = await asRoot('POST', '/organizations', { name: ' acme ' });
    expect([created.status, created.json.name]).toEqual([201, 'acme']);
    const listed = await asRoot('GET', '/organizations');
    expect(listed.json.map((one: { name: string }) => one.name)).toEqual(['default', 'acme']);
    const theirs = await keyIn('acme');
    const { json } = await admin.call('GET', '/workspaces', undefined, theirs);
    expect(json.map((one: { name: string }) => one.name)).toEqual(['default']);
  });

  test('an admin key may not even look', async () => {
    expect((await admin.call('GET', '/organizations')).status).toBe(403);
    expect((await admin.call('POST', '/organizations', { name: 'x' })).status).toBe(403);
    expect((await admin.call('DELETE', '/organizations/default')).status).toBe(403);
  });

  test.each(['', 'a:b', '.a', 'a b', 'a'.repeat(129)])('the name %j is refused', async (name) => {
    expect((await asRoot('POST', '/organizations', { name })).status).toBe(400);
  });

  test('a taken name is 409', async () => {
    expect((await asRoot('POST', '/organizations', { name: 'default' })).status).toBe(409);
  });

  test('one is deleted with everything in it; its sandboxes end at once', async () => {
    await asRoot('POST', '/organizations', { name: 'doomed' });
    const theirs = await keyIn('doomed');
    const value = 'not-a-real-value-0001';
    await admin.call('POST', '/secrets', { name: 'key', value, provider: 'openai' }, theirs);
    const group = { name: 'g', secrets: [{ key: 'k', value }] };
    await admin.call('POST', '/api/svc/v1/secret-groups', group, theirs);
    const secrets = { OPENAI_API_KEY: 'key' };
    const { json } = await admin.call('POST', '/sandboxes', { name: 'agent', secrets }, theirs);
    expect(await admin.feed.snapshotOf(json.id)).toBeDefined();
    expect((await asRoot('DELETE', '/organizations/doomed')).status).toBe(204);
    expect(await admin.feed.snapshotOf(json.id)).toBeUndefined();
    expect((await admin.call('GET', '/secrets', undefined, theirs)).status).toBe(401);
    expect((await asRoot('DELETE', '/organizations/doomed')).status).toBe(404);
  });

  test('the one the key belongs to stays', async () => {
    expect((await asRoot('DELETE', '/organizations/default')).status).toBe(409);
  });
});

describe('/workspaces', () => {
  test('are created, listed and deleted by id or name', async () => {
    const created = await admin.call('POST', '/workspaces', { name: 'team one' });
    expect([created.status, created.json.name]).toEqual([201, 'team one']);
    expect((await admin.call('POST', '/workspaces', { name: 'team one' })).status).toBe(409);
    const { json } = await admin.call('GET', '/workspaces');
    expect(json.map((one: { name: string }) => one.name)).toContain('team one');
    expect((await admin.call('DELETE', `/workspaces/${created.json.id}`)).status).toBe(204);
    expect((await admin.call('DELETE', '/workspaces/team%20one')).status).toBe(404);
  });

  test('one with sandboxes in it stays, and so does the last', async () => {
    await admin.call('POST', '/workspaces', { name: 'busy' });
    const { json } = await admin.call('POST', '/sandboxes', { name: 'agent', workspace: 'busy' });
    expect((await admin.call('DELETE', '/workspaces/busy')).status).toBe(409);
    await admin.call('DELETE', `/sandboxes/${json.id}`);
    expect((await admin.call('DELETE', '/workspaces/busy')).status).toBe(204);
    expect((await admin.call('DELETE', '/workspaces/default')).status).toBe(409);
  });

  test('one that ends is in no list of a secret any more; an empty list is NONE', async () => {
    for (const name of ['ends', 'stays']) await admin.call('POST', '/workspaces', { name });
    const { json: stays } = await admin.call('GET', '/workspaces');
    const { id } = stays.find((one: { name: string }) => one.name === 'stays');
    const secret = { value: 'not-a-real', provider: 'xai', allowed_workspaces_type: 'SOME' };
    for (const [name, allowed] of [
      ['both', ['ends', 'stays']],
      ['only', ['ends']],
    ]) {
      await admin.call('POST', '/secrets', { ...secret, name, allowed_workspaces: allowed });
    }
    expect((await admin.call('DELETE', '/workspaces/ends')).status).toBe(204);
    expect((await admin.call('GET', '/secrets/both')).json).toMatchObject({
      allowed_workspaces_type: 'SOME',
      allowed_workspaces: [id],
    });
    expect((await admin.call('GET', '/secrets/only')).json).toMatchObject({
      allowed_workspaces_type: 'NONE',
      allowed_workspaces: [],
    });
    const changed = await admin.call('PATCH', '/secrets/only', { description: 'still editable' });
    expect(changed.status).toBe(200);
  });

  test('a key narrowed to workspaces sees those; an operator changes none', async () => {
    await admin.call('POST', '/workspaces', { name: 'seen' });
    const body = { name: 'narrow', role: 'operator', workspaces: ['seen'] };
    const { json } = await admin.call('POST', '/api-keys', body);
    const listed = await admin.call('GET', '/workspaces', undefined, json.key);
    expect(listed.json.map((one: { name: string }) => one.name)).toEqual(['seen']);
    const refused = await admin.call('POST', '/workspaces', { name: 'mine' }, json.key);
    expect(refused.status).toBe(403);
  });

  test('another organization’s are not there', async () => {
    await asRoot('POST', '/organizations', { name: 'other' });
    const theirs = await keyIn('other');
    const created = await admin.call('POST', '/workspaces', { name: 'ours' });
    const path = `/workspaces/${created.json.id}`;
    expect((await admin.call('DELETE', path, undefined, theirs)).status).toBe(404);
    expect((await admin.call('DELETE', '/workspaces/ours', undefined, theirs)).status).toBe(404);
  });
});
