/** `/activity`: every change through every face is an event, without values. */
import { describe, expect, test } from 'vitest';
import { activityRowSchema } from '../../admin-api/contract/activity.ts';
import { startAdminFixture, type AdminFixture } from './admin-fixture.ts';

const VALUE = 'not-a-real-value-0001';

interface Row {
  readonly action: string;
  readonly subject: string;
  readonly target: { readonly name: string };
  readonly before: Record<string, unknown> | null;
  readonly after: Record<string, unknown> | null;
  readonly widened_without_value?: readonly string[];
}

async function activityOf(admin: AdminFixture, query = '', key = admin.key): Promise<Row[]> {
  const { json } = await admin.call('GET', `/activity${query}`, undefined, key);
  return json.data;
}

async function addSecret(admin: AdminFixture, name: string): Promise<void> {
  const auth = { type: 'bearer' };
  await admin.call('POST', '/secrets', { name, value: VALUE, auth, hosts: ['api.example.com'] });
}

test('each change of a secret says what was before and after, never a value (I3)', async () => {
  await using admin = await startAdminFixture();
  await addSecret(admin, 'key');
  await admin.call('PATCH', '/secrets/key', { value: `${VALUE}-2` });
  await admin.call('PATCH', '/secrets/key', { description: 'ours', priority: 3 });
  await admin.call('DELETE', '/secrets/key');
  const rows = await activityOf(admin);
  expect(rows.map((row) => row.action)).toEqual([
    'secret.delete',
    'secret.update',
    'secret.rotate',
    'secret.create',
  ]);
  const [deleted, updated, rotated, created] = rows;
  expect(created).toMatchObject({
    subject: 'serviceaccount:bootstrap',
    target: { kind: 'secret', name: 'key' },
    before: null,
    after: { hosts: ['api.example.com'], version: 1 },
  });
  expect([rotated?.before, rotated?.after]).toEqual([{ version: 1 }, { version: 2 }]);
  expect(updated?.before).toEqual({ description: null, priority: 0 });
  expect(updated?.after).toEqual({ description: 'ours', priority: 3 });
  expect(deleted?.after).toBeNull();
  for (const row of rows) activityRowSchema.parse(row);
  expect(admin.answers.join()).not.toContain(VALUE);
  expect((await admin.readDatabase()).includes(VALUE)).toBe(false);
});

test('fields have the names of the API, also inside', async () => {
  await using admin = await startAdminFixture();
  const rule = { type: 'bearer', hosts: ['api.example.com'] };
  const hosts = rule.hosts;
  const auth = { per_host: [rule] };
  await admin.call('POST', '/secrets', { name: 'key', value: VALUE, auth, hosts });
  const network = { allow_out: ['api.example.com'], deny_out: [] };
  const limits = { requests_per_minute: 7 };
  await admin.call('POST', '/sandboxes', { name: 'agent', network, limits, intercept: 'all' });
  const [sandbox, secret] = await activityOf(admin);
  expect(sandbox?.after).toMatchObject({
    network,
    limits: { requests_per_minute: 7, concurrent: null },
    intercept: 'all',
  });
  expect(secret?.after).toMatchObject({ auth });
});

test('what is refused is no event', async () => {
  await using admin = await startAdminFixture();
  await addSecret(admin, 'key');
  await admin.call('PATCH', '/secrets/key', { hosts: ['evil.example.com'] });
  await admin.call('DELETE', '/secrets/unknown');
  expect((await activityOf(admin)).map((row) => row.action)).toEqual(['secret.create']);
});

test('widening without the value is marked', async () => {
  await using admin = await startAdminFixture({ allowWidening: true });
  await addSecret(admin, 'key');
  await admin.call('PATCH', '/secrets/key', { hosts: ['other.example.com'] });
  const withValue = { hosts: ['third.example.com'], value: VALUE };
  await admin.call('PATCH', '/secrets/key', withValue);
  const [given, widened] = await activityOf(admin);
  expect(widened?.widened_without_value).toEqual(['hosts']);
  expect(given?.widened_without_value).toBeUndefined();
});

test('sandboxes, bindings, keys and workspaces are events; no token or placeholder is in them', async () => {
  await using admin = await startAdminFixture();
  await addSecret(admin, 'key');
  const env_vars = { PLAIN: 'not-a-real-variable' };
  const made = await admin.call('POST', '/sandboxes', {
    name: 'box',
    secrets: { KEY: 'key' },
    env_vars,
  });
  const at = `/sandboxes/${made.json.id}`;
  await admin.call('PATCH', at, { metadata: { a: 'b' } });
  const bound = await admin.call('POST', `${at}/secrets`, { env_key: 'TWO', secret_name: 'key' });
  await admin.call('DELETE', `${at}/secrets/TWO`);
  const token = await admin.call('POST', `${at}/token`);
  await admin.call('POST', `${at}/disconnect`);
  await admin.call('POST', `${at}/pause`);
  await admin.call('POST', `${at}/resume`);
  await admin.call('POST', `${at}/resume`);
  await admin.call('DELETE', at);
  const key = await admin.call('POST', '/api-keys', { name: 'ci', role: 'viewer' });
  await admin.call('DELETE', `/api-keys/${key.json.id}`);
  await admin.call('POST', '/workspaces', { name: 'w' });
  await admin.call('DELETE', '/workspaces/w');
  const rows = await activityOf(admin);
  expect(rows.map((row) => row.action).toReversed()).toEqual([
    'secret.create',
    'sandbox.create',
    'sandbox.update',
    'sandbox.attach',
    'sandbox.detach',
    'sandbox.token',
    'sandbox.disconnect',
    'sandbox.pause',
    'sandbox.resume',
    'sandbox.delete',
    'api_key.create',
    'api_key.delete',
    'workspace.create',
    'workspace.delete',
  ]);
  const text = JSON.stringify(rows);
  const secretTexts = [made.json.proxy_token, token.json.proxy_token, key.json.key];
  const canaries = [...secretTexts, bound.json.placeholder, 'not-a-real-variable', VALUE];
  for (const canary of canaries) {
    expect(canary).toBeTypeOf('string');
    expect(text).not.toContain(canary);
  }
});

test('through the façades it is the same trail', async () => {
  await using admin = await startAdminFixture();
  const bearer = { authorization: `Bearer ${admin.key}` };
  const call = async (method: string, path: string, body: unknown) => {
    const init = { method, headers: bearer, body: JSON.stringify(body) };
    expect((await admin.send(path, init)).status).toBe(200);
  };
  const instabase = '/api/v2/aihub/secrets';
  await call('POST', instabase, { alias: 'ib', value: VALUE, allowed_workspaces_type: 'ALL' });
  await call('PATCH', instabase, { alias: 'ib', value: `${VALUE}-2` });
  await call('DELETE', instabase, { alias: 'ib' });
  await call('POST', '/api/svc/v1/secret-groups', {
    name: 'team',
    integrationId: 'i',
    secrets: [{ key: 'A', value: VALUE }],
  });
  const rows = await activityOf(admin);
  expect(rows.map((row) => [row.action, row.target.name]).toReversed()).toEqual([
    ['secret.create', 'ib'],
    ['secret.rotate', 'ib'],
    ['secret.delete', 'ib'],
    ['group.create', 'team'],
    ['secret.create', 'team:A'],
  ]);
});

describe('GET /activity', () => {
  test('pages by cursor while changes go on', async () => {
    await using admin = await startAdminFixture();
    for (const name of ['one', 'two', 'three']) await addSecret(admin, name);
    const seen: string[] = [];
    let query = '?limit=2';
    for (;;) {
      const { json } = await admin.call('GET', `/activity${query}`);
      seen.push(...json.data.map((row: Row) => row.target.name));
      expect(json.has_more).toBe(json.next_cursor !== null);
      if (json.next_cursor === null) break;
      query = `?limit=2&cursor=${json.next_cursor}`;
      await addSecret(admin, `later-${seen.length}`);
    }
    expect(seen).toEqual(['three', 'two', 'one']);
  });

  test('is of the organization, and of a narrowed key its own deeds', async () => {
    await using admin = await startAdminFixture();
    await addSecret(admin, 'key');
    await admin.call('POST', '/workspaces', { name: 'w' });
    const narrow = { name: 'ci', role: 'operator', workspaces: ['w'] };
    const { key } = (await admin.call('POST', '/api-keys', narrow)).json;
    expect(await activityOf(admin, '', key)).toEqual([]);
    expect(
      (await admin.call('POST', '/sandboxes', { name: 'b', workspace: 'w' }, key)).status,
    ).toBe(201);
    expect((await activityOf(admin, '', key)).map((row) => row.action)).toEqual(['sandbox.create']);
    const viewer = (await admin.call('POST', '/api-keys', { name: 'v', role: 'viewer' })).json.key;
    expect(await activityOf(admin, '?action=secret.create', viewer)).toHaveLength(1);
  });

  test.each(['?cursor=x', '?limit=0', '?action=nothing', '?since=yesterday', '?unknown=1'])(
    '%s is a bad request',
    async (query) => {
      await using admin = await startAdminFixture();
      expect((await admin.call('GET', `/activity${query}`)).status).toBe(400);
    },
  );
});
