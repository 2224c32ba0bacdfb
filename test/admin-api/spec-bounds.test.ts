/**
 * The numbers and the either-or of the specification, each on both of its sides: the last that is taken, the
 * first that is refused, through HTTP, on all three faces.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startAdminFixture, type AdminFixture } from './admin-fixture.ts';

let admin: AdminFixture;
let count = 0;

beforeAll(async () => {
  admin = await startAdminFixture();
  await admin.call('POST', '/secrets', { name: 'bound', value: 'not-a-real', provider: 'openai' });
});

afterAll(() => admin[Symbol.asyncDispose]());

const auth = { type: 'bearer' };
const hosts = ['api.example.com'];
const many = (length: number, make: (index: number) => string): string[] =>
  Array.from({ length }, (_, index) => make(index));
const mapOf = (keys: readonly string[], value: string): Record<string, string> =>
  Object.fromEntries(keys.map((key) => [key, value]));
const perHost = (length: number): object => ({
  hosts: ['*.example.com'],
  auth: {
    per_host: many(length, (index) => `h${index}.example.com`).map((one) => ({
      ...auth,
      hosts: [one],
    })),
  },
});

describe('POST /secrets', () => {
  test.each<[string, object, number]>([
    ['a value of one byte', { value: 'x' }, 201],
    ['an empty value', { value: '' }, 400],
    ['8,192 bytes', { value: 'x'.repeat(8_192) }, 201],
    ['8,193 bytes', { value: 'x'.repeat(8_193) }, 400],
    ['a name of 128', { name: 'n'.repeat(128) }, 201],
    ['a name of 129', { name: 'n'.repeat(129) }, 400],
    ['a name with a digit first', { name: '1st' }, 400],
    ['16 hosts', { hosts: many(16, (index) => `h${index}.example.com`) }, 201],
    ['17 hosts', { hosts: many(17, (index) => `h${index}.example.com`) }, 400],
    ['no host', { hosts: [] }, 400],
    ['a host without a dot', { hosts: ['localhost'] }, 400],
    ['a wildcard two labels deep', { hosts: ['*.*.example.com'] }, 400],
    ['a wildcard on a public suffix', { hosts: ['*.co.uk'] }, 400],
    [
      '8 custom headers',
      {
        auth: {
          type: 'custom',
          headers: mapOf(
            many(8, (index) => `X-H${index}`),
            '{{ value }}',
          ),
        },
      },
      201,
    ],
    [
      '9 custom headers',
      {
        auth: {
          type: 'custom',
          headers: mapOf(
            many(9, (index) => `X-H${index}`),
            '{{ value }}',
          ),
        },
      },
      400,
    ],
    ['no custom header', { auth: { type: 'custom', headers: {} } }, 400],
    [
      'a template without the value',
      { auth: { type: 'custom', headers: { 'X-Key': 'plain' } } },
      400,
    ],
    ['a colon in the username', { auth: { type: 'basic', username: 'a:b' } }, 400],
    ['16 rules', perHost(16), 201],
    ['17 rules', perHost(17), 400],
    ['no rule', perHost(0), 400],
    ['type beside per_host', { auth: { type: 'bearer', per_host: [{ ...auth, hosts }] } }, 400],
    [
      'a rule for a host out of reach',
      { auth: { per_host: [{ ...auth, hosts: ['b.example'] }] } },
      400,
    ],
    ['a field of another type', { auth: { type: 'bearer', header: 'X-Key' } }, 400],
    ['provider beside auth', { provider: 'openai' }, 400],
    ['auth without hosts', { hosts: undefined }, 400],
    ['hosts without auth', { auth: undefined }, 400],
    ['neither', { auth: undefined, hosts: undefined }, 400],
  ])('%s', async (_what, over, status) => {
    count += 1;
    const body = { name: `s${count}`, value: 'not-a-real', auth, hosts, ...over };
    expect((await admin.call('POST', '/secrets', body)).status).toBe(status);
  });

  test('what is not said: every workspace, port 443, masked, replaced', async () => {
    const body = { name: 'plain', value: 'not-a-real', auth, hosts };
    expect((await admin.call('POST', '/secrets', body)).json).toMatchObject({
      allowed_workspaces_type: 'ALL',
      ports: [443],
      mask_responses: true,
      allow_plaintext: false,
      on_existing: 'replace',
      provider_shortcut: null,
      last_used_at: null,
      version: 1,
      warnings: [],
    });
  });
});

test('auth_type is one of five whatever the auth is; auth_kind says the truth', async () => {
  const kinds = { query: { type: 'query', name: 'key' }, path: { type: 'path' } };
  for (const [kind, one] of Object.entries(kinds)) {
    const body = { name: kind, value: 'not-a-real', auth: one, hosts };
    const { json } = await admin.call('POST', '/secrets', body);
    expect([json.auth_type, json.auth_kind]).toEqual(['custom', kind]);
  }
  const alias = { alias: 'stored', value: 'x', allowed_workspaces_type: 'ALL' };
  await admin.call('POST', '/api/v2/aihub/secrets', alias);
  const stored = (await admin.call('GET', '/secrets/stored')).json;
  expect(stored).toMatchObject({ auth_kind: 'none', auth_config: {}, hosts: [], usable: false });
  const five = ['bearer', 'basic', 'api-key', 'custom', 'per_host'];
  for (const path of ['/secrets?include=unplaced', '/providers']) {
    const rows: readonly { auth_type: string }[] = (await admin.call('GET', path)).json;
    expect(rows.length).toBeGreaterThan(4);
    expect(rows.filter((row) => !five.includes(row.auth_type))).toEqual([]);
  }
});

describe('POST /sandboxes', () => {
  const keys = (length: number): string[] => many(length, (index) => `K${index}`);

  test.each<[string, object, number, string?]>([
    ['32 secrets', { secrets: mapOf(keys(32), 'bound') }, 201],
    ['33 secrets', { secrets: mapOf(keys(33), 'bound') }, 400],
    ['a variable with a digit first', { secrets: { '1K': 'bound' } }, 400],
    ['an unknown secret', { secrets: { K: 'nobody' } }, 400, 'secret_not_found'],
    ['a variable given twice', { secrets: { K: 'bound' }, env_vars: { K: 'x' } }, 400],
    ['30 days until deletion', { auto_delete_seconds: 2_592_000 }, 201],
    ['a second more', { auto_delete_seconds: 2_592_001 }, 400],
    ['deletion at once when paused', { auto_delete_seconds: 0 }, 201],
    ['a negative time', { timeout_seconds: -1 }, 400],
    ['a workspace of nobody', { workspace: 'nobody' }, 400],
    ['an unknown mode', { secrets_mode: 'some' }, 400],
  ])('%s', async (_what, over, status, code) => {
    const answer = await admin.call('POST', '/sandboxes', { name: 'agent', ...over });
    const expected = code ?? (status === 201 ? undefined : 'bad_request');
    expect([answer.status, answer.json.error?.code]).toEqual([status, expected]);
  });

  test('a binding more than 32 is refused, and so is a variable that is bound', async () => {
    const secrets = mapOf(keys(32), 'bound');
    const { json } = await admin.call('POST', '/sandboxes', { name: 'full', secrets });
    const attach = (envKey: string) =>
      admin.call('POST', `/sandboxes/${json.id}/secrets`, {
        env_key: envKey,
        secret_name: 'bound',
      });
    expect((await attach('MORE')).status).toBe(400);
    await admin.call('DELETE', `/sandboxes/${json.id}/secrets/K0`);
    expect((await attach('K1')).status).toBe(409);
    expect((await attach('K0')).status).toBe(201);
  });
});

test('looking a name up needs more than reading (explain)', async () => {
  const { id } = (await admin.call('POST', '/sandboxes', { name: 'agent' })).json;
  const { key } = (await admin.call('POST', '/api-keys', { name: 'v', role: 'viewer' })).json;
  const body = { sandbox: id, method: 'GET', url: 'https://api.example.com/' };
  expect((await admin.call('POST', '/explain', body, key)).status).toBe(200);
  expect((await admin.call('POST', '/explain', { ...body, resolve: true }, key)).status).toBe(403);
});

test('X-API-Key wins where both stand', async () => {
  const wrong = { 'x-api-key': 'sp_live_unknown', authorization: `Bearer ${admin.key}` };
  expect((await admin.send('/secrets', { headers: wrong })).status).toBe(401);
  const right = { 'x-api-key': admin.key, authorization: 'Bearer sp_live_unknown' };
  expect((await admin.send('/secrets', { headers: right })).status).toBe(200);
});

describe('the façades', () => {
  const create = { alias: 'a', value: 'x', allowed_workspaces_type: 'ALL' };
  const some = { allowed_workspaces_type: 'SOME' };

  test.each<[string, object, number]>([
    ['128 characters', { alias: 'a'.repeat(128) }, 200],
    ['129 characters', { alias: 'a'.repeat(129) }, 400],
    ['a hyphen', { alias: 'a-b' }, 400],
    ['45,000 characters of value', { value: 'x'.repeat(45_000) }, 200],
    ['45,001 characters of value', { value: 'x'.repeat(45_001) }, 400],
    ['no value', { value: '' }, 400],
    ['no type', { allowed_workspaces_type: undefined }, 400],
    ['SOME without a list', some, 400],
    ['SOME of an empty list', { ...some, allowed_workspaces: [] }, 400],
    ['SOME of a workspace of nobody', { ...some, allowed_workspaces: ['nobody'] }, 400],
    ['SOME of one', { ...some, allowed_workspaces: ['default'] }, 200],
    ['ALL with a list of nobody', { allowed_workspaces: ['nobody'] }, 200],
    ['NONE', { allowed_workspaces_type: 'NONE' }, 200],
  ])('Instabase: an alias with %s', async (_what, over, status) => {
    count += 1;
    const body = { ...create, alias: `alias_${count}`, ...over };
    const answer = await admin.call('POST', '/api/v2/aihub/secrets', body);
    expect([answer.status, Object.keys(answer.json)]).toEqual([
      status,
      status === 200 ? [] : ['message'],
    ]);
  });

  test.each<[string, object, number]>([
    ['128 characters', { name: 'g'.repeat(128) }, 200],
    ['129 characters', { name: 'g'.repeat(129) }, 422],
    ['a dot first', { name: '.g' }, 422],
    ['a colon', { name: 'a:b' }, 422],
    ['a key with a colon', { secrets: [{ key: 'a:b', value: 'x' }] }, 422],
    [
      'a key given twice',
      {
        secrets: [
          { key: 'a', value: 'x' },
          { key: 'a', value: 'y' },
        ],
      },
      422,
    ],
    ['a value too long', { secrets: [{ key: 'a', value: 'x'.repeat(45_001) }] }, 422],
    ['a key without value', { secrets: [{ key: 'a' }] }, 422],
    ['no secrets', { secrets: [] }, 200],
    ['the built-in name', { name: 'default' }, 409],
  ])('TrueFoundry: a group with %s', async (_what, over, status) => {
    count += 1;
    const body = { name: `group-${count}`, secrets: [{ key: 'a', value: 'x' }], ...over };
    const answer = await admin.call('POST', '/api/svc/v1/secret-groups', body);
    const said = status === 200 ? undefined : status;
    expect([answer.status, answer.json.statusCode]).toEqual([status, said]);
  });

  test.each(['limit=0', 'limit=1001', 'offset=-1', 'limit=x'])(
    'TrueFoundry: a list with %s is refused',
    async (query) => {
      const path = '/api/svc/v1/secret-groups';
      expect((await admin.call('GET', `${path}?${query}`)).status).toBe(422);
      expect((await admin.call('GET', `${path}?limit=1000&offset=9999`)).json.data).toEqual([]);
    },
  );
});

describe('lists', () => {
  test.each([
    ['/secrets/bound/audit', 'limit', 1_000],
    ['/secrets', 'limit', 1_000],
    ['/audit', 'limit', 1_000],
    ['/activity', 'limit', 1_000],
    ['/sandboxes', 'limit', 1_000],
  ])('%s takes %s from 1 to %d', async (path, name, max) => {
    for (const [given, status] of [
      [0, 400],
      [1, 200],
      [max, 200],
      [max + 1, 400],
    ] as const) {
      const answer = await admin.call('GET', `${path}?${name}=${given}`);
      expect([given, answer.status]).toEqual([given, status]);
    }
  });
});
