/** The façade of Instabase AI Hub, row by row of spec/compat.md, on a real store. */
import { beforeAll, afterAll, describe, expect, test } from 'vitest';
import { startAdminFixture, type AdminFixture, type Answer } from '../admin-api/admin-fixture.ts';
import { bearer, IB, mintKey, VALUE } from './facade-call.ts';

let admin: AdminFixture;
let operator: string;
let workspaceId: string;
let count = 0;

const ib = (
  method: string,
  body?: unknown,
  options?: Parameters<typeof bearer>[4] & { readonly query?: string },
): Promise<Answer> => bearer(admin, method, IB + (options?.query ?? ''), body, options);

function newAlias(): string {
  count += 1;
  return `alias_${count}`;
}

async function created(more: Record<string, unknown> = {}): Promise<string> {
  const alias = newAlias();
  const body = { alias, value: VALUE, allowed_workspaces_type: 'ALL', ...more };
  const answer = await ib('POST', body);
  expect([answer.status, answer.text]).toEqual([200, '{}']);
  return alias;
}

async function one(alias: string): Promise<Record<string, unknown> | undefined> {
  const { json } = await ib('GET', undefined, { query: `?alias=${encodeURIComponent(alias)}` });
  return json.secrets[0];
}

beforeAll(async () => {
  admin = await startAdminFixture();
  operator = (await mintKey(admin, 'operator')).key;
  const first = await admin.call('POST', '/workspaces', { name: 'workspace1' });
  workspaceId = first.json.id;
  await admin.call('POST', '/workspaces', { name: 'workspace2' });
});

afterAll(() => admin[Symbol.asyncDispose]());

describe('create', () => {
  test('is in the list under its own shape, times in Unix milliseconds, never the value (I3)', async () => {
    const before = Date.now();
    const alias = await created({
      description: 'of a test',
      allowed_workspaces_type: 'SOME',
      allowed_workspaces: ['workspace1', 'workspace2'],
    });
    const secret = await one(alias);
    expect(secret).toEqual({
      alias,
      description: 'of a test',
      allowed_workspaces_type: 'SOME',
      allowed_workspaces: ['workspace1', 'workspace2'],
      org: 'default',
      created_at: expect.any(Number),
      created_by: 'serviceaccount:bootstrap',
      updated_at: expect.any(Number),
      last_updated_by: 'serviceaccount:bootstrap',
    });
    expect(secret?.['created_at']).toBeGreaterThanOrEqual(before);
    expect(admin.answers.join()).not.toContain(VALUE);
  });

  test('a workspace is named by its id too', async () => {
    const alias = await created({
      allowed_workspaces_type: 'SOME',
      allowed_workspaces: [workspaceId],
    });
    expect((await one(alias))?.['allowed_workspaces']).toEqual(['workspace1']);
  });

  test('without SOME a list is neither checked nor kept', async () => {
    const alias = await created({ allowed_workspaces: ['nowhere'] });
    expect((await one(alias))?.['allowed_workspaces']).toEqual([]);
  });

  const base = { alias: 'refused', value: VALUE, allowed_workspaces_type: 'ALL' };
  test.each([
    ['an alias with a dash', { ...base, alias: 'a-b' }, 'alias'],
    ['an alias of 129 characters', { ...base, alias: 'a'.repeat(129) }, 'alias'],
    ['no value', { ...base, value: undefined }, 'value'],
    ['an empty value', { ...base, value: '' }, 'value'],
    ['a value of 45,001 characters', { ...base, value: 'v'.repeat(45_001) }, 'value'],
    ['no type', { ...base, allowed_workspaces_type: undefined }, 'allowed_workspaces_type'],
    ['an unknown type', { ...base, allowed_workspaces_type: 'MOST' }, 'allowed_workspaces_type'],
    ['SOME without a list', { ...base, allowed_workspaces_type: 'SOME' }, 'allowed_workspaces'],
    [
      'SOME with an empty list',
      { ...base, allowed_workspaces_type: 'SOME', allowed_workspaces: [] },
      'allowed_workspaces',
    ],
    [
      'an unknown workspace, which is named',
      { ...base, allowed_workspaces_type: 'SOME', allowed_workspaces: ['nowhere'] },
      'nowhere',
    ],
    ['an unknown field', { ...base, colour: 'red' }, 'colour'],
    [
      'auth the value cannot be carried by',
      { ...base, value: 'a\nb', provider: 'openai' },
      'value',
    ],
  ])('%s is 400 with a message', async (_what, body, named) => {
    const answer = await ib('POST', body);
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.json)).toEqual(['message']);
    expect(answer.json.message).toContain(named);
  });

  test('45,000 characters in several lines are kept until auth is given', async () => {
    const value = 'line\n'.repeat(9_000);
    const alias = await created({ value });
    const native = await admin.call('GET', `/secrets/${alias}`);
    expect(native.json).toMatchObject({ auth_kind: 'none', usable: false, hosts: [] });
    const placed = await ib('PATCH', { alias, value, provider: 'openai' });
    expect(placed.status).toBe(400);
  });

  test('an alias that exists is 409, from any face', async () => {
    const alias = await created();
    const body = { alias, value: VALUE, allowed_workspaces_type: 'ALL' };
    expect((await ib('POST', body)).status).toBe(409);
    const native = { name: alias, value: VALUE, provider: 'openai' };
    expect((await admin.call('POST', '/secrets', native)).status).toBe(409);
  });

  test('an alias may begin with a digit, and native paths take it', async () => {
    await ib('POST', { alias: '9lives', value: VALUE, allowed_workspaces_type: 'ALL' });
    expect((await admin.call('GET', '/secrets/9lives')).json.name).toBe('9lives');
  });

  test('a body that is not JSON is 400, a large one 413', async () => {
    const headers = { authorization: `Bearer ${admin.key}` };
    const broken = await admin.send(IB, { method: 'POST', headers, body: '{' });
    expect([broken.status, Object.keys(broken.json)]).toEqual([400, ['message']]);
    const large = await admin.send(IB, { method: 'POST', headers, body: 'x'.repeat(1_048_577) });
    expect([large.status, Object.keys(large.json)]).toEqual([413, ['message']]);
  });
});

describe('use', () => {
  test('with a provider in the same write it is an ordinary secret that can be bound', async () => {
    const alias = await created({ provider: 'openai' });
    const native = await admin.call('GET', `/secrets/${alias}`);
    expect(native.json).toMatchObject({ usable: true, provider_shortcut: 'openai' });
    const sandbox = await admin.call('POST', '/sandboxes', {
      name: 'agent',
      secrets: { OPENAI_API_KEY: alias },
    });
    expect(sandbox.status).toBe(201);
  });

  test('first auth without the value is refused: it would let the value travel', async () => {
    const alias = await created();
    const hosts = ['api.example.com'];
    const bare = await ib('PATCH', { alias, auth: { type: 'bearer' }, hosts });
    expect(bare.status).toBe(400);
    const carried = await ib('PATCH', { alias, auth: { type: 'bearer' }, hosts, value: VALUE });
    expect(carried.status).toBe(200);
  });

  test('ALL, SOME and NONE decide which workspace may bind', async () => {
    const some = await created({
      provider: 'openai',
      allowed_workspaces_type: 'SOME',
      allowed_workspaces: ['workspace1'],
    });
    const none = await created({ provider: 'openai', allowed_workspaces_type: 'NONE' });
    const bind = (alias: string, workspace: string): Promise<Answer> =>
      admin.call('POST', '/sandboxes', { name: 'agent', workspace, secrets: { KEY: alias } });
    expect((await bind(some, 'workspace1')).status).toBe(201);
    expect((await bind(some, 'workspace2')).status).toBe(403);
    expect((await bind(none, 'workspace1')).status).toBe(403);
  });

  test('a narrowed list ends what is bound, as of the next snapshot', async () => {
    const alias = await created({ provider: 'openai' });
    const { json } = await admin.call('POST', '/sandboxes', {
      name: 'agent',
      secrets: { OPENAI_API_KEY: alias },
    });
    expect((await admin.feed.snapshotOf(json.id))?.bindings[0]?.tombstone).toBeNull();
    await ib('PATCH', { alias, allowed_workspaces_type: 'NONE' });
    expect((await admin.feed.snapshotOf(json.id))?.bindings[0]?.tombstone).toBe(
      'credential_revoked',
    );
  });
});

describe('list', () => {
  test('a workspace, by id or name, sees what it may use', async () => {
    const some = await created({
      allowed_workspaces_type: 'SOME',
      allowed_workspaces: ['workspace1'],
    });
    const none = await created({ allowed_workspaces_type: 'NONE' });
    for (const [workspace, isSeen] of [
      ['workspace1', true],
      [workspaceId, true],
      ['workspace2', false],
    ] as const) {
      const { json } = await ib('GET', undefined, { query: `?workspace=${workspace}` });
      const aliases = json.secrets.map((secret: { alias: string }) => secret.alias);
      expect(aliases.includes(some)).toBe(isSeen);
      expect(aliases).not.toContain(none);
    }
    const all = (await ib('GET')).json.secrets.map((secret: { alias: string }) => secret.alias);
    expect(all).toEqual(expect.arrayContaining([some, none]));
  });

  test('an unknown alias is an empty list', async () => {
    expect((await ib('GET', undefined, { query: '?alias=unknown' })).json).toEqual({ secrets: [] });
    expect((await ib('GET', undefined, { query: '?alias=a%20b' })).json).toEqual({ secrets: [] });
  });

  test('a key that is not an admin must name a workspace it may see', async () => {
    const asOperator = { key: operator };
    expect((await ib('GET', undefined, asOperator)).status).toBe(403);
    const query = '?workspace=workspace1';
    expect((await ib('GET', undefined, { ...asOperator, query })).status).toBe(200);
    const unknown = await ib('GET', undefined, { ...asOperator, query: '?workspace=nowhere' });
    expect(unknown.status).toBe(403);
    const narrowed = await mintKey(admin, 'viewer', 'user:narrow', { workspaces: ['workspace2'] });
    expect((await ib('GET', undefined, { key: narrowed.key, query })).status).toBe(403);
  });

  test('a native secret and a grouped one are there under their names', async () => {
    await admin.call('POST', '/secrets', { name: 'native-one', value: VALUE, provider: 'openai' });
    expect(await one('native-one')).toMatchObject({ allowed_workspaces_type: 'ALL' });
  });
});

describe('update', () => {
  test('what is omitted stays', async () => {
    const alias = await created({ description: 'first' });
    expect((await ib('PATCH', { alias, value: `${VALUE}-2` })).text).toBe('{}');
    expect(await one(alias)).toMatchObject({ description: 'first' });
    const { json } = await admin.call('GET', `/secrets/${alias}/versions`);
    expect(json.map((version: { version: number }) => version.version)).toEqual([2, 1]);
    await ib('PATCH', { alias, description: 'second' });
    expect(await one(alias)).toMatchObject({ description: 'second' });
    expect((await admin.call('GET', `/secrets/${alias}`)).json.version).toBe(2);
  });

  test('to SOME without a list keeps the stored one, 400 if there is none', async () => {
    const alias = await created({
      allowed_workspaces_type: 'SOME',
      allowed_workspaces: ['workspace1'],
    });
    expect((await ib('PATCH', { alias, allowed_workspaces_type: 'SOME' })).status).toBe(200);
    expect(await one(alias)).toMatchObject({ allowed_workspaces: ['workspace1'] });
    const open = await created();
    expect((await ib('PATCH', { alias: open, allowed_workspaces_type: 'SOME' })).status).toBe(400);
  });

  test('a list for a secret that is not SOME is neither checked nor kept', async () => {
    const alias = await created();
    expect((await ib('PATCH', { alias, allowed_workspaces: ['nowhere'] })).status).toBe(200);
    expect(await one(alias)).toMatchObject({ allowed_workspaces: [] });
  });

  test('an unknown alias is 404, also when spelled as a reference', async () => {
    const alias = await created();
    expect((await ib('PATCH', { alias: 'unknown' })).status).toBe(404);
    expect((await ib('PATCH', { alias: `default:${alias}` })).status).toBe(404);
  });
});

describe('delete', () => {
  test('takes the alias from the body', async () => {
    const alias = await created();
    const gone = await ib('DELETE', { alias });
    expect([gone.status, gone.text]).toEqual([200, '{}']);
    expect((await ib('DELETE', { alias })).status).toBe(404);
    expect((await admin.call('GET', `/secrets/${alias}`)).status).toBe(404);
    expect((await ib('DELETE')).status).toBe(400);
  });
});

describe('who may', () => {
  test('no key is 401, another role 403, also for an alias that is not there', async () => {
    const none = await admin.send(IB, { method: 'GET' });
    expect([none.status, Object.keys(none.json)]).toEqual([401, ['message']]);
    const alias = await created();
    const body = { alias: newAlias(), value: VALUE, allowed_workspaces_type: 'ALL' };
    const asOperator = { key: operator };
    expect((await ib('POST', body, asOperator)).status).toBe(403);
    expect((await ib('PATCH', { alias, value: VALUE }, asOperator)).status).toBe(403);
    expect((await ib('PATCH', { alias: 'unknown' }, asOperator)).status).toBe(403);
    expect((await ib('DELETE', { alias: 'unknown' }, asOperator)).status).toBe(403);
  });

  test('IB-Context is the own organization, by name or id, and nothing else', async () => {
    const context = (value: string): Promise<Answer> =>
      ib('GET', undefined, { headers: { 'ib-context': value } });
    const own = await admin.store.organizations.readOrganization('default');
    expect((await context('default')).status).toBe(200);
    expect((await context(own?.id ?? '')).status).toBe(200);
    expect((await context('unknown')).status).toBe(403);
    await admin.store.organizations.insertOrganization(
      { id: 'foreign-id', name: 'foreign', createdAtMs: 1 },
      { id: 'foreign-workspace', organizationId: 'foreign-id', name: 'default', createdAtMs: 1 },
    );
    expect((await context('foreign')).status).toBe(403);
  });
});

test('switched off, it is not there', async () => {
  await using off = await startAdminFixture({ compat: { instabase: false, truefoundry: true } });
  expect((await bearer(off, 'GET', IB)).status).toBe(404);
});
