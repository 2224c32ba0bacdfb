/** One secret, one name: how native paths and bindings name what another face wrote. */
import { beforeAll, afterAll, describe, expect, test } from 'vitest';
import { startAdminFixture, type AdminFixture, type Answer } from '../admin-api/admin-fixture.ts';
import { bearer, GROUPS, VALUE } from './facade-call.ts';

let admin: AdminFixture;
let groupId: string;

const read = (reference: string): Promise<Answer> =>
  admin.call('GET', `/secrets/${encodeURIComponent(reference)}`);

const put = (value: string): Promise<Answer> =>
  bearer(admin, 'PUT', `${GROUPS}/${groupId}`, {
    secrets: [{ key: 'key.one', value, provider: 'openai' }],
  });

beforeAll(async () => {
  admin = await startAdminFixture();
  const secrets = [{ key: 'key.one', value: VALUE, provider: 'openai' }];
  const { json } = await bearer(admin, 'POST', GROUPS, { name: 'group', secrets });
  groupId = json.data.id;
  await put(`${VALUE}-2`);
  await admin.call('POST', '/secrets', { name: 'plain', value: VALUE, provider: 'openai' });
});

afterAll(() => admin[Symbol.asyncDispose]());

describe('native paths', () => {
  test.each([
    ['group:key.one', 'group:key.one'],
    ['default:group:key.one', 'group:key.one'],
    ['group:key.one:1', 'group:key.one'],
    ['default:group:key.one:2', 'group:key.one'],
    ['tfy-secret://default:group:key.one', 'group:key.one'],
    ['plain', 'plain'],
    ['default:plain', 'plain'],
    ['default:default:plain:1', 'plain'],
  ])('%s is %s', async (reference, name) => {
    const answer = await read(reference);
    expect([answer.status, answer.json.name]).toEqual([200, name]);
  });

  test.each([
    ['a key that is not there', 'group:none', 404],
    ['a version that is not there', 'group:key.one:3', 404],
    ['another tenant', 'other:group:key.one', 404],
    ['another tenant with a version', 'other:group:key.one:1', 404],
    ['version zero', 'default:group:key.one:0', 400],
    ['a fifth part', 'default:group:key.one:1:1', 400],
    ['an empty key', 'group:', 400],
    ['a space', 'group:a b', 400],
  ])('%s: %s is %d', async (_what, reference, status) => {
    expect((await read(reference)).status).toBe(status);
  });

  test('a change names the secret, not a version of it', async () => {
    const path = '/secrets/group:key.one';
    expect((await admin.call('PATCH', `${path}:1`, { description: 'x' })).status).toBe(400);
    expect((await admin.call('DELETE', `${path}:1`)).status).toBe(400);
    expect((await admin.call('PATCH', path, { description: 'x' })).status).toBe(200);
  });

  test('a name with a colon comes from groups only', async () => {
    const body = { name: 'group:key', value: VALUE, provider: 'openai' };
    expect((await admin.call('POST', '/secrets', body)).status).toBe(400);
  });

  test('what is stored without auth is listed when asked for', async () => {
    const secrets = [{ key: 'unplaced', value: VALUE }];
    await bearer(admin, 'POST', GROUPS, { name: 'later', secrets });
    const names = async (query: string): Promise<string[]> =>
      (await admin.call('GET', `/secrets${query}`)).json.map((one: { name: string }) => one.name);
    expect(await names('')).not.toContain('later:unplaced');
    expect(await names('?include=unplaced')).toContain('later:unplaced');
    const patch = { auth: { type: 'bearer' }, hosts: ['api.example.com'], value: VALUE };
    const placed = await admin.call('PATCH', '/secrets/later:unplaced', patch);
    expect(placed.json).toMatchObject({ usable: true, version: 2 });
  });
});

describe('bindings', () => {
  test('follow the active version, unless the reference names one', async () => {
    const secrets = { FOLLOWS: 'group:key.one', PINNED: 'tfy-secret://default:group:key.one:1' };
    const { json } = await admin.call('POST', '/sandboxes', { name: 'agent', secrets });
    expect(json.secrets).toMatchObject([
      { env_key: 'FOLLOWS', secret_name: 'group:key.one' },
      { env_key: 'PINNED', secret_name: 'group:key.one', version: 1 },
    ]);
    expect(json.secrets[0]).not.toHaveProperty('version');
    await put(`${VALUE}-3`);
    const snapshot = await admin.feed.snapshotOf(json.id);
    expect(snapshot?.bindings.map((binding) => binding.versionNumber)).toEqual([3, 1]);
    expect(snapshot?.bindings.map((binding) => binding.version?.version)).toEqual([3, 1]);
  });

  test('attach takes a reference too', async () => {
    const { json } = await admin.call('POST', '/sandboxes', { name: 'agent' });
    const attach = (secretName: string): Promise<Answer> =>
      admin.call('POST', `/sandboxes/${json.id}/secrets`, {
        env_key: 'KEY',
        secret_name: secretName,
      });
    const bound = await attach('group:key.one:2');
    expect(bound.json).toMatchObject({ secret_name: 'group:key.one', version: 2 });
    expect((await attach('group:key.one:99')).json.error.code).toBe('secret_not_found');
    expect((await attach('other:group:key.one')).json.error.code).toBe('secret_not_found');
  });
});
