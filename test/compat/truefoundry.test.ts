/** The façade of TrueFoundry, row by row of spec/compat.md, on a real store. */
import { beforeAll, afterAll, describe, expect, test } from 'vitest';
import { startAdminFixture, type AdminFixture, type Answer } from '../admin-api/admin-fixture.ts';
import { bearer, GROUPS, IB, mintKey, SECRETS, VALUE } from './facade-call.ts';

let admin: AdminFixture;
let organizationId: string;
let count = 0;

const tfy = (method: string, path: string, body?: unknown, key?: string): Promise<Answer> =>
  bearer(admin, method, path, body, key === undefined ? {} : { key });

function newName(): string {
  count += 1;
  return `group-${count}`;
}

// The answers are of every shape; each test asserts what it reads.
// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

async function createdGroup(secrets: readonly Json[] = [], name = newName()): Promise<Json> {
  const answer = await tfy('POST', GROUPS, { name, secrets });
  expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('"data"')]);
  return answer.json.data;
}

const byKey = (group: Json, key: string): Json =>
  group.associatedSecrets.find((secret: Json) => secret.name === key);

beforeAll(async () => {
  admin = await startAdminFixture();
  organizationId = (await admin.store.organizations.readOrganization('default'))?.id ?? '';
});

afterAll(() => admin[Symbol.asyncDispose]());

describe('POST /secret-groups', () => {
  test('answers the group with its secrets at version 1, without values (I3)', async () => {
    const key = await mintKey(admin, 'admin', 'user:ada');
    const name = newName();
    const secrets = [
      { key: 'DB', value: `${VALUE}-db` },
      { key: 'api.key', value: VALUE },
    ];
    const body = { name, integrationId: 'integration-1', secrets };
    const { status, json, text } = await tfy('POST', GROUPS, body, key.key);
    expect(status).toBe(200);
    const subject = {
      subjectId: key.id,
      subjectType: 'user',
      subjectSlug: 'admin',
      subjectDisplayName: 'ada',
    };
    const { data } = json;
    expect(data).toMatchObject({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      fqn: `default:${name}`,
      name,
      tenantName: 'default',
      accountId: organizationId,
      createdBySubject: subject,
      createdBy: 'admin',
      integrationId: 'integration-1',
      manifest: null,
      createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
      updatedAt: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    const secret = data.associatedSecrets[0];
    expect(secret).toEqual({
      id: expect.any(String),
      fqn: `default:${name}:DB`,
      name: 'DB',
      secretGroupId: data.id,
      createdBySubject: subject,
      createdAt: expect.any(String),
      updatedAt: expect.any(String),
      secretVersions: [
        {
          id: expect.any(String),
          fqn: `default:${name}:DB:1`,
          version: 1,
          secretId: secret.id,
          createdAt: expect.any(String),
          updatedAt: expect.any(String),
        },
      ],
      activeDeploymentsCount: 0,
      createdBy: 'admin',
    });
    expect(text).not.toContain(VALUE);
  });

  test('a taken name is 409, the built-in one too', async () => {
    const { name } = await createdGroup();
    for (const taken of [name, 'default']) {
      const answer = await tfy('POST', GROUPS, { name: taken, secrets: [] });
      expect(answer.status).toBe(409);
      expect(answer.json).toMatchObject({ statusCode: 409, message: expect.any(String) });
    }
  });

  const good = { name: 'refused', secrets: [] };
  test.each([
    ['no name', { secrets: [] }],
    ['a name with a colon', { ...good, name: 'a:b' }],
    ['a name that begins with a dot', { ...good, name: '.a' }],
    ['no secrets', { name: 'refused' }],
    ['a key with a slash', { ...good, secrets: [{ key: 'a/b', value: VALUE }] }],
    ['a key without value', { ...good, secrets: [{ key: 'A' }] }],
    [
      'a value of 45,001 characters',
      { ...good, secrets: [{ key: 'A', value: 'v'.repeat(45_001) }] },
    ],
    [
      'a key twice',
      {
        ...good,
        secrets: [
          { key: 'A', value: VALUE },
          { key: 'A', value: VALUE },
        ],
      },
    ],
    ['an unknown field', { ...good, colour: 'red' }],
    ['a list', []],
    [
      'auth the value cannot be carried by',
      { ...good, secrets: [{ key: 'A', value: 'a\nb', provider: 'openai' }] },
    ],
  ])('%s is 422', async (_what, body) => {
    const answer = await tfy('POST', GROUPS, body);
    expect(answer.json).toMatchObject({ statusCode: 422, message: expect.any(String) });
    expect(answer.status).toBe(422);
    expect(answer.json.details.length).toBeGreaterThan(0);
  });

  test('what is not JSON is 400', async () => {
    const headers = { authorization: `Bearer ${admin.key}` };
    const answer = await admin.send(GROUPS, { method: 'POST', headers, body: '{' });
    expect([answer.status, answer.json.statusCode]).toEqual([400, 400]);
  });

  test('one bad element and nothing is written', async () => {
    const name = newName();
    const secrets = [
      { key: 'A', value: VALUE },
      { key: 'B', value: VALUE, provider: 'no-such-provider' },
    ];
    expect((await tfy('POST', GROUPS, { name, secrets })).status).toBe(422);
    expect((await tfy('GET', `${GROUPS}?fqn=default:${name}`)).json.data).toEqual([]);
    expect((await admin.call('GET', `/secrets/${name}:A`)).status).toBe(404);
  });
});

describe('GET /secret-groups', () => {
  test('pages; an offset past the end is an empty page', async () => {
    await using own = await startAdminFixture();
    for (const name of ['a', 'b', 'c']) await bearer(own, 'POST', GROUPS, { name, secrets: [] });
    const page = async (query: string): Promise<Json> =>
      (await bearer(own, 'GET', `${GROUPS}${query}`)).json;
    const names = (answer: Json): string[] => answer.data.map((group: Json) => group.name);
    const all = await page('');
    expect(names(all)).toEqual(['c', 'b', 'a']);
    expect(all.pagination).toEqual({ total: 3, offset: 0, limit: 100 });
    expect(names(await page('?limit=2&offset=2&attributes=id&attributes=fqn'))).toEqual(['a']);
    expect(await page('?offset=9')).toEqual({
      data: [],
      pagination: { total: 3, offset: 9, limit: 100 },
    });
    expect(names(await page('?fqn=default:b'))).toEqual(['b']);
    expect(names(await page('?fqn=other:b'))).toEqual([]);
    expect(names(await page('?search=B'))).toEqual(['b']);
    for (const query of ['?limit=0', '?limit=1001', '?offset=-1', '?limit=x']) {
      expect((await bearer(own, 'GET', GROUPS + query)).status).toBe(422);
    }
  });

  test('secrets in no group are in the built-in group, which nobody writes', async () => {
    await using own = await startAdminFixture();
    await own.call('POST', '/secrets', { name: 'native', value: VALUE, provider: 'openai' });
    await bearer(own, 'POST', IB, {
      alias: 'aliased',
      value: VALUE,
      allowed_workspaces_type: 'ALL',
    });
    await bearer(own, 'POST', GROUPS, { name: 'other', secrets: [{ key: 'K', value: VALUE }] });
    const { json } = await bearer(own, 'GET', GROUPS);
    expect(json.pagination.total).toBe(2);
    const builtIn = json.data[1];
    expect(builtIn).toMatchObject({ id: 'default', name: 'default', fqn: 'default:default' });
    expect(builtIn.associatedSecrets.map((secret: Json) => secret.fqn)).toEqual([
      'default:default:native',
      'default:default:aliased',
    ]);
    const next = await bearer(own, 'GET', `${GROUPS}?limit=1&offset=1`);
    expect(next.json.data.map((group: Json) => group.id)).toEqual(['default']);
    const path = `${GROUPS}/default`;
    expect((await bearer(own, 'GET', path)).json.data.associatedSecrets).toHaveLength(2);
    expect((await bearer(own, 'PUT', path, { secrets: [] })).status).toBe(409);
    expect((await bearer(own, 'DELETE', path)).status).toBe(409);
    const manifest = { type: 'secret-group', name: 'default' };
    expect((await bearer(own, 'PUT', GROUPS, { manifest })).status).toBe(409);
    const { id } = builtIn.associatedSecrets[0];
    expect((await bearer(own, 'DELETE', `${SECRETS}/${id}`)).status).toBe(409);
  });
});

describe('PUT /secret-groups', () => {
  const manifest = (name: string, more: Record<string, unknown> = {}): Json => ({
    type: 'secret-group',
    name,
    integration_fqn: 'default:store:one',
    ...more,
  });

  test('creates, then changes, by name; the manifest is the last one put', async () => {
    const name = newName();
    const first = await tfy('PUT', GROUPS, { manifest: manifest(name) });
    expect(first.json.data).toMatchObject({
      name,
      manifest: manifest(name),
      associatedSecrets: [],
    });
    const collaborators = [{ subject: 'user:bob', role_id: 'secret-group-viewer' }];
    const changed = manifest(name, { collaborators, ownedBy: { account: 'platform' } });
    const second = await tfy('PUT', GROUPS, { manifest: changed });
    expect(second.json.data.manifest).toEqual(changed);
    expect(second.json.data.id).toBe(first.json.data.id);
  });

  test('dryRun validates and writes nothing', async () => {
    const name = newName();
    const dry = await tfy('PUT', GROUPS, { manifest: manifest(name), dryRun: true });
    expect([dry.status, dry.json.data.name]).toEqual([200, name]);
    expect((await tfy('GET', `${GROUPS}?fqn=default:${name}`)).json.data).toEqual([]);
    const bad = { ...manifest(name), type: 'other' };
    expect((await tfy('PUT', GROUPS, { manifest: bad, dryRun: true })).status).toBe(422);
  });

  test.each([
    ['an unknown role', [{ subject: 'user:bob', role_id: 'owner' }]],
    ['a subject without a kind', [{ subject: 'bob', role_id: 'secret-group-viewer' }]],
  ])('%s is 422', async (_what, collaborators) => {
    const body = { manifest: manifest('refused', { collaborators }) };
    expect((await tfy('PUT', GROUPS, body)).status).toBe(422);
  });
});

describe('PUT /secret-groups/{id}', () => {
  test('is the full set: changed, kept, new, deleted', async () => {
    const group = await createdGroup([
      { key: 'CHANGED', value: VALUE },
      { key: 'SAME', value: VALUE },
      { key: 'KEPT', value: VALUE },
      { key: 'GONE', value: VALUE },
    ]);
    const { status, json } = await tfy('PUT', `${GROUPS}/${group.id}`, {
      secrets: [
        { key: 'CHANGED', value: `${VALUE}-2` },
        { key: 'SAME', value: VALUE },
        { key: 'KEPT' },
        { key: 'NEW', value: VALUE },
      ],
    });
    expect(status).toBe(200);
    const versions = json.data.associatedSecrets.map((secret: Json) => [
      secret.name,
      secret.secretVersions.map((version: Json) => version.version),
    ]);
    expect(Object.fromEntries(versions)).toEqual({
      CHANGED: [1, 2],
      SAME: [1],
      KEPT: [1],
      NEW: [1],
    });
    expect(byKey(json.data, 'KEPT').updatedAt).toBe(byKey(group, 'KEPT').updatedAt);
    expect((await admin.call('GET', `/secrets/${group.name}:GONE`)).status).toBe(404);
  });

  test('all or nothing: a new key without value leaves the group as it was', async () => {
    const group = await createdGroup([{ key: 'A', value: VALUE }]);
    const secrets = [{ key: 'A', value: `${VALUE}-2` }, { key: 'B' }];
    const answer = await tfy('PUT', `${GROUPS}/${group.id}`, { secrets });
    expect([answer.status, answer.json.details[0].path]).toEqual([422, 'secrets[1].value']);
    const after = await tfy('GET', `${GROUPS}/${group.id}`);
    expect(after.json.data.associatedSecrets).toEqual(group.associatedSecrets);
  });

  test('auth comes per element, and a first one needs the value, the same one will do', async () => {
    const group = await createdGroup([{ key: 'A', value: VALUE }]);
    const path = `${GROUPS}/${group.id}`;
    const bare = await tfy('PUT', path, { secrets: [{ key: 'A', provider: 'openai' }] });
    expect([bare.status, bare.json.code]).toEqual([422, 'value_required']);
    const carried = [{ key: 'A', provider: 'openai', value: VALUE }];
    const answer = await tfy('PUT', path, { secrets: carried });
    expect(byKey(answer.json.data, 'A').secretVersions).toHaveLength(1);
    const native = await admin.call('GET', `/secrets/${group.name}:A`);
    expect(native.json).toMatchObject({ usable: true, provider_shortcut: 'openai', version: 1 });
  });

  test('what was deleted or rotated is in force at once for who had it bound', async () => {
    const group = await createdGroup([{ key: 'A', value: VALUE, provider: 'openai' }]);
    const sandbox = await admin.call('POST', '/sandboxes', {
      name: 'agent',
      secrets: { OPENAI_API_KEY: `${group.name}:A` },
    });
    expect(sandbox.json.secrets[0].secret_name).toBe(`${group.name}:A`);
    const bound = async (): Promise<Json> =>
      (await admin.feed.snapshotOf(sandbox.json.id))?.bindings[0];
    expect((await bound()).versionNumber).toBe(1);
    const shown = await tfy('GET', `${GROUPS}/${group.id}`);
    expect(byKey(shown.json.data, 'A').activeDeploymentsCount).toBe(1);
    await tfy('PUT', `${GROUPS}/${group.id}`, { secrets: [{ key: 'A', value: `${VALUE}-2` }] });
    expect((await bound()).versionNumber).toBe(2);
    await tfy('PUT', `${GROUPS}/${group.id}`, { secrets: [] });
    expect((await bound()).tombstone).toBe('credential_revoked');
  });

  test('writers at the same time leave one of their sets, never a mixture', async () => {
    const group = await createdGroup();
    const path = `${GROUPS}/${group.id}`;
    const sets = ['A', 'B', 'C'].map((letter) =>
      [1, 2].map((number) => ({ key: `${letter}${number}`, value: VALUE })),
    );
    const answers = await Promise.all(sets.map((secrets) => tfy('PUT', path, { secrets })));
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200]);
    const { json } = await tfy('GET', path);
    const keys = json.data.associatedSecrets.map((secret: Json) => secret.name);
    expect(sets.map((set) => set.map(({ key }) => key))).toContainEqual(keys);
  });

  test('an unknown id is 404', async () => {
    const answer = await tfy('PUT', `${GROUPS}/unknown`, { secrets: [] });
    expect([answer.status, answer.json.statusCode]).toEqual([404, 404]);
  });
});

describe('DELETE', () => {
  test('a group goes with its secrets, and its name is free', async () => {
    const group = await createdGroup([{ key: 'A', value: VALUE }]);
    const gone = await tfy('DELETE', `${GROUPS}/${group.id}?forceDelete=true`);
    expect([gone.status, gone.text]).toEqual([200, '{}']);
    expect((await tfy('GET', `${GROUPS}/${group.id}`)).status).toBe(404);
    expect((await admin.call('GET', `/secrets/${group.name}:A`)).status).toBe(404);
    expect((await createdGroup([{ key: 'A', value: VALUE }], group.name)).id).not.toBe(group.id);
  });

  test('a secret goes with all versions and answers how many', async () => {
    const group = await createdGroup([{ key: 'A', value: VALUE }]);
    const { id } = byKey(group, 'A');
    const gone = await tfy('DELETE', `${SECRETS}/${id}?forceDelete=false`);
    expect([gone.status, gone.json]).toEqual([200, 1]);
    expect((await tfy('GET', `${SECRETS}/${id}`)).status).toBe(404);
    expect((await tfy('DELETE', `${SECRETS}/${id}`)).status).toBe(404);
  });
});

describe('POST /secrets', () => {
  test('lists by group and by fully qualified name, a page at a time', async () => {
    const group = await createdGroup(
      ['A', 'B', 'C'].map((key) => ({ key, value: `${VALUE}-${key}` })),
    );
    const list = async (body: Json): Promise<Json> => (await tfy('POST', SECRETS, body)).json;
    const names = (answer: Json): string[] => answer.data.map((secret: Json) => secret.name);
    const all = await list({ secretGroupId: group.id });
    expect(names(all)).toEqual(['A', 'B', 'C']);
    expect(all.pagination).toEqual({ total: 3, offset: 0, limit: 100 });
    expect(names(await list({ secretGroupId: group.id, limit: 1, offset: 1 }))).toEqual(['B']);
    const secretFqns = [`default:${group.name}:C`, `${group.name}:A:1`, `other:${group.name}:B`];
    expect(names(await list({ secretFqns }))).toEqual(['A', 'C']);
    expect(names(await list({ secretFqns: [] }))).toEqual([]);
    expect((await tfy('POST', SECRETS, { limit: 0 })).status).toBe(422);
    expect((await tfy('POST', SECRETS)).status).toBe(200);
  });

  test('values are absent while reveal is off, also when asked for (I3)', async () => {
    const group = await createdGroup([{ key: 'A', value: VALUE }]);
    const listed = await tfy('POST', SECRETS, { secretGroupId: group.id, withValue: true });
    expect(listed.json.data[0]).not.toHaveProperty('value');
    const read = await tfy('GET', `${SECRETS}/${byKey(group, 'A').id}`);
    expect(read.json.data).not.toHaveProperty('value');
    expect(admin.answers.join()).not.toContain(VALUE);
  });

  test('with secrets.allow_reveal they are shown to who may, and it is written down', async () => {
    await using open = await startAdminFixture({ allowReveal: true });
    const viewer = await mintKey(open, 'viewer', 'user:vera');
    const editor = await mintKey(open, 'viewer', 'user:ed');
    const secrets = [{ key: 'A', value: 'line one\nline two' }];
    const { json } = await bearer(open, 'POST', GROUPS, { name: 'g', secrets });
    const collaborators = [
      { subject: 'user:vera', role_id: 'secret-group-viewer' },
      { subject: 'user:ed', role_id: 'secret-group-editor' },
    ];
    await bearer(open, 'PUT', GROUPS, {
      manifest: { type: 'secret-group', name: 'g', collaborators },
    });
    const path = `${SECRETS}/${json.data.associatedSecrets[0].id}`;
    const valueFor = async (key: string): Promise<unknown> =>
      (await bearer(open, 'GET', path, undefined, { key })).json.data.value;
    expect(await valueFor(open.key)).toBe('line one\nline two');
    expect(await valueFor(editor.key)).toBe('line one\nline two');
    expect(await valueFor(viewer.key)).toBeUndefined();
    const body = { secretGroupId: json.data.id, withValue: true };
    expect((await bearer(open, 'POST', SECRETS, body)).json.data[0].value).toContain('line two');
    const lines = open.logged.filter((line) => line.startsWith('a value was revealed'));
    expect(lines).toHaveLength(3);
    expect(lines.join()).toContain('user:ed');
    expect(lines.join()).not.toContain('line two');
  });
});

describe('who may', () => {
  test('collaborators do what their role says; a group that names nobody looks absent', async () => {
    const group = await createdGroup([{ key: 'A', value: VALUE }]);
    const path = `${GROUPS}/${group.id}`;
    const put = (collaborators: Json): Json => ({
      manifest: { type: 'secret-group', name: group.name, collaborators },
    });
    const keyOf: Record<string, string> = {};
    for (const role of ['admin', 'editor', 'viewer', 'nobody']) {
      keyOf[role] = (await mintKey(admin, 'viewer', `serviceaccount:tfy-${role}`)).key;
    }
    await tfy(
      'PUT',
      GROUPS,
      put(
        ['admin', 'editor', 'viewer'].map((role) => ({
          subject: `serviceaccount:tfy-${role}`,
          role_id: `secret-group-${role}`,
        })),
      ),
    );
    const tried = async (role: string): Promise<number[]> => {
      const key = keyOf[role] ?? '';
      const body = { secrets: [{ key: 'A' }] };
      return [
        (await tfy('GET', path, undefined, key)).status,
        (await tfy('PUT', path, body, key)).status,
        (await tfy('PUT', GROUPS, { ...put(null), dryRun: true }, key)).status,
      ];
    };
    expect(await tried('viewer')).toEqual([200, 403, 403]);
    expect(await tried('editor')).toEqual([200, 200, 403]);
    expect(await tried('admin')).toEqual([200, 200, 200]);
    // As for a group that is not there: creating one takes an organization admin.
    expect(await tried('nobody')).toEqual([404, 404, 403]);
    const seen = async (role: string): Promise<string[]> =>
      (await tfy('GET', GROUPS, undefined, keyOf[role])).json.data.map((one: Json) => one.name);
    expect(await seen('viewer')).toContain(group.name);
    expect(await seen('nobody')).not.toContain(group.name);
    const secretPath = `${SECRETS}/${byKey(group, 'A').id}`;
    expect((await tfy('GET', secretPath, undefined, keyOf['nobody'])).status).toBe(404);
    expect((await tfy('DELETE', secretPath, undefined, keyOf['viewer'])).status).toBe(403);
    expect((await tfy('DELETE', path, undefined, keyOf['editor'])).status).toBe(403);
    expect((await tfy('DELETE', path, undefined, keyOf['admin'])).status).toBe(200);
  });

  test('only organization admins create; no key is 401', async () => {
    const operator = await mintKey(admin, 'operator', 'user:operator');
    const answer = await tfy('POST', GROUPS, { name: newName(), secrets: [] }, operator.key);
    expect([answer.status, answer.json.statusCode]).toEqual([403, 403]);
    const none = await admin.send(GROUPS, { method: 'GET' });
    expect([none.status, none.json.statusCode]).toEqual([401, 401]);
  });

  test('a key narrowed to one secret sees that one and writes no group', async () => {
    const group = await createdGroup([
      { key: 'A', value: VALUE },
      { key: 'B', value: VALUE },
    ]);
    const narrow = await mintKey(admin, 'admin', 'user:narrow', {
      secret_ids: [byKey(group, 'A').id],
    });
    const path = `${GROUPS}/${group.id}`;
    const seen = await tfy('GET', path, undefined, narrow.key);
    expect(seen.json.data.associatedSecrets.map((secret: Json) => secret.name)).toEqual(['A']);
    expect((await tfy('PUT', path, { secrets: [] }, narrow.key)).status).toBe(403);
    const other = `${SECRETS}/${byKey(group, 'B').id}`;
    expect((await tfy('GET', other, undefined, narrow.key)).status).toBe(404);
  });

  test('another organization has the same names and sees nothing of ours', async () => {
    const group = await createdGroup([{ key: 'A', value: VALUE }]);
    const foreign = { id: 'tfy-foreign', name: 'tfy-foreign', createdAtMs: 1 };
    const workspace = { id: 'tfy-w', organizationId: foreign.id, name: 'default', createdAtMs: 1 };
    await admin.store.organizations.insertOrganization(foreign, workspace);
    const minted = await mintKey(admin, 'admin', 'user:foreign');
    const [own] = (await admin.store.organizations.listApiKeys(organizationId)).filter(
      (key) => key.id === minted.id,
    );
    if (own === undefined) throw new Error('the key is not there');
    await admin.store.organizations.deleteApiKey(organizationId, own.id);
    await admin.store.organizations.insertApiKey({ ...own, organizationId: foreign.id });
    const { key } = minted;
    expect((await tfy('GET', `${GROUPS}/${group.id}`, undefined, key)).status).toBe(404);
    expect((await tfy('GET', GROUPS, undefined, key)).json.data).toEqual([]);
    const secretFqns = [`default:${group.name}:A`];
    expect((await tfy('POST', SECRETS, { secretFqns }, key)).json.data).toEqual([]);
    const same = await tfy('POST', GROUPS, { name: group.name, secrets: [] }, key);
    expect([same.status, same.json.data.fqn]).toEqual([200, `tfy-foreign:${group.name}`]);
  });
});

test('switched off, it is not there', async () => {
  await using off = await startAdminFixture({ compat: { instabase: true, truefoundry: false } });
  expect((await bearer(off, 'GET', GROUPS)).status).toBe(404);
  expect((await bearer(off, 'POST', SECRETS, {})).status).toBe(404);
});
