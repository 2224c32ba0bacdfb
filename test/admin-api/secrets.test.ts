import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { secretSchema } from '../../admin-api/contract/secret.ts';
import { startAdminFixture, type AdminFixture, type Answer } from './admin-fixture.ts';

let admin: AdminFixture;
let count = 0;

beforeAll(async () => {
  admin = await startAdminFixture();
});
afterAll(async () => {
  await admin[Symbol.asyncDispose]();
});

/** A valid body under a new name, with what the test wants different. */
function body(extra: Record<string, unknown> = {}): Record<string, unknown> {
  count += 1;
  const base = { name: `s${count}`, value: 'not-a-real-value-0001' };
  const isPlaced = 'provider' in extra || 'auth' in extra || 'hosts' in extra;
  const placed = isPlaced ? {} : { auth: { type: 'bearer' }, hosts: ['api.example.com'] };
  return { ...base, ...placed, ...extra };
}

async function create(extra: Record<string, unknown> = {}): Promise<Answer> {
  return admin.call('POST', '/secrets', body(extra));
}

async function created(extra: Record<string, unknown> = {}): Promise<string> {
  const answer = await create(extra);
  expect(answer.status).toBe(201);
  return answer.json.name;
}

function refusal(answer: Answer): string {
  return `${answer.status} ${answer.json.error.code} ${answer.json.error.details?.[0]?.path ?? ''}`;
}

describe('POST /secrets', () => {
  test('answers every field of the contract and never the value', async () => {
    const answer = await create({ auth: { type: 'bearer' }, hosts: ['API.Example.com.'] });
    expect(answer.status).toBe(201);
    expect(secretSchema.safeParse(answer.json).error).toBeUndefined();
    expect(answer.json).toMatchObject({
      auth_type: 'bearer',
      auth_config: {},
      hosts: ['api.example.com'],
      provider_shortcut: null,
      last_used_at: null,
      auth_kind: 'bearer',
      usable: true,
      version: 1,
      ports: [443],
      methods: null,
      paths: null,
      on_existing: 'replace',
      mask_responses: true,
      allow_plaintext: false,
      allowed_workspaces_type: 'ALL',
      disabled: false,
      expires_at: null,
      warnings: [],
    });
    expect(answer.text).not.toContain('not-a-real-value');
  });

  test('a provider fills in auth and hosts', async () => {
    const answer = await create({ provider: ' anthropic ' });
    expect(answer.json).toMatchObject({
      provider_shortcut: 'anthropic',
      auth_type: 'api-key',
      auth_config: { header: 'x-api-key' },
      hosts: ['api.anthropic.com'],
      also_strip: { headers: ['Authorization'] },
      companion_headers: { 'anthropic-version': '2023-06-01' },
    });
  });

  test('shows the rules of per_host with their types', async () => {
    const rules = [
      { hosts: ['api.example.com'], type: 'bearer' },
      { hosts: ['git.example.com'], type: 'basic', username: 'x-access-token' },
    ];
    const hosts = ['*.example.com'];
    const answer = await create({ hosts, auth: { per_host: rules } });
    expect(answer.json).toMatchObject({ auth_type: 'per_host', auth_config: { per_host: rules } });
  });

  test.each([
    ['query', { type: 'query', name: 'api_key' }, { name: 'api_key' }],
    ['path', { type: 'path' }, {}],
  ])('shows %s as custom, the truth in auth_kind', async (kind, auth, config) => {
    const answer = await create({ auth, hosts: ['api.example.com'] });
    expect(answer.json).toMatchObject({
      auth_type: 'custom',
      auth_kind: kind,
      auth_config: config,
    });
  });

  test.each([
    [{ auth: { type: 'oauth' } }, 'auth.type', /^must be one of bearer, basic, api-key, custom/],
    [{ auth: {} }, 'auth.type', /^must be one of bearer/],
    [{ expires_at: '2030-01-01T00:00:00' }, 'expires_at', /^must be an RFC 3339 time/],
    [{ priority: 1_001 }, 'priority', /^must be at most 1000$/],
    [{ description: 'x'.repeat(2_049) }, 'description', /^must have at most 2048 characters$/],
  ])('says of %j what was expected', async (given, path, message) => {
    const answer = await create({ auth: { type: 'bearer' }, hosts: ['api.example.com'], ...given });
    expect(answer.status).toBe(400);
    expect(answer.json.error.details).toEqual([
      { path, message: expect.stringMatching(message) as unknown },
    ]);
  });

  test('null is absent in every optional field', async () => {
    const given = { provider: null, provider_params: null, methods: null, expires_at: null };
    const answer = await create({
      ...given,
      auth: { type: 'basic', username: null },
      hosts: ['api.example.com'],
    });
    expect(answer.status).toBe(201);
    expect(answer.json.auth_config).toEqual({});
  });

  test('trims name, provider and hosts, and never the value', async () => {
    const answer = await create({
      name: ' trimmed ',
      hosts: [' api.example.com '],
      auth: { type: 'bearer' },
    });
    expect(answer.json).toMatchObject({ name: 'trimmed', hosts: ['api.example.com'] });
    const edged = await create({ value: ' edged' });
    expect(refusal(edged)).toBe('400 value_not_placeable value');
  });

  const bearer = { type: 'bearer' };
  const hosts = ['api.example.com'];
  const rules = (...list: object[]) => ({ hosts, auth: { per_host: list } });
  test.each<[string, Record<string, unknown>, string]>([
    ['no name', { name: undefined }, '400 bad_request name'],
    ['a name with a space', { name: 'a b' }, '400 bad_request name'],
    ['a name that begins with a digit', { name: '1a' }, '400 bad_request name'],
    ['a name of 129', { name: 'a'.repeat(129) }, '400 bad_request name'],
    ['no value', { value: undefined }, '400 bad_request value'],
    ['an empty value', { value: '' }, '400 bad_request value'],
    ['a value of 8193 bytes', { value: 'é'.repeat(4_096) + 'a' }, '400 bad_request value'],
    ['a value with a newline at its end', { value: 'abc\n' }, '400 value_not_placeable value'],
    ['neither provider nor auth', { auth: null, hosts: null }, '400 bad_request provider'],
    ['auth without hosts', { auth: bearer }, '400 bad_request provider'],
    ['hosts without auth', { hosts }, '400 bad_request provider'],
    ['provider with auth', { provider: 'openai', auth: bearer }, '400 bad_request auth'],
    ['provider with hosts', { provider: 'openai', hosts }, '400 bad_request hosts'],
    ['an unknown provider', { provider: 'nobody' }, '400 bad_request provider'],
    [
      'a parameter the provider lacks',
      { provider: 'openai', provider_params: { site: 'x' } },
      '400 bad_request provider_params.site',
    ],
    ['an unknown field', { surprise: 1 }, '400 bad_request surprise'],
    ['an unknown auth type', { hosts, auth: { type: 'magic' } }, '400 bad_request auth.type'],
    [
      'a field of another type',
      { hosts, auth: { type: 'bearer', username: 'x' } },
      '400 bad_request auth.username',
    ],
    [
      'type beside per_host',
      { hosts, auth: { type: 'bearer', per_host: [] } },
      '400 bad_request auth.per_host',
    ],
    [
      'a user name with a colon',
      { hosts, auth: { type: 'basic', username: 'a:b' } },
      '400 bad_request auth.username',
    ],
    [
      'a user name with LF',
      { hosts, auth: { type: 'basic', username: 'a\nb' } },
      '400 bad_request auth.username',
    ],
    ['api-key without header', { hosts, auth: { type: 'api-key' } }, '400 bad_request auth.header'],
    [
      'a header that is never set',
      { hosts, auth: { type: 'api-key', header: 'Host' } },
      '400 bad_request auth.header',
    ],
    [
      'a header with a space',
      { hosts, auth: { type: 'api-key', header: 'X Key' } },
      '400 bad_request auth.header',
    ],
    [
      'a prefix with CR',
      { hosts, auth: { type: 'api-key', header: 'X-Key', prefix: 'a\r' } },
      '400 bad_request auth.prefix',
    ],
    [
      'custom without headers',
      { hosts, auth: { type: 'custom', headers: {} } },
      '400 bad_request auth.headers',
    ],
    [
      'a template without the value',
      { hosts, auth: { type: 'custom', headers: { 'X-Key': 'abc' } } },
      '400 bad_request auth.headers.X-Key',
    ],
    [
      'a template with an unknown mark',
      { hosts, auth: { type: 'custom', headers: { 'X-Key': '{{ value }} {{ site }}' } } },
      '400 bad_request auth.headers.X-Key',
    ],
    [
      'one header in two spellings',
      { hosts, auth: { type: 'custom', headers: { 'X-Key': '{{value}}', x_key: '{{value}}' } } },
      '400 bad_request auth.headers',
    ],
    [
      'a rule of an unknown type',
      rules({ hosts, type: 'magic' }),
      '400 bad_request auth.per_host[0].type',
    ],
    [
      'a rule with a field of another type',
      rules({ hosts, type: 'bearer', header: 'x' }),
      '400 bad_request auth.per_host[0].header',
    ],
    ['per_host without rules', rules(), '400 bad_request auth.per_host'],
    [
      'a rule host outside hosts',
      rules({ hosts: ['other.example.com'], type: 'bearer' }),
      '400 bad_request auth.per_host[0].hosts[0]',
    ],
    [
      'rules that overlap',
      rules({ hosts, type: 'bearer' }, { hosts, type: 'basic' }),
      '400 bad_request auth.per_host[1].hosts',
    ],
    ['no hosts at all', { auth: bearer, hosts: [] }, '400 bad_request hosts'],
    [
      '17 hosts',
      { auth: bearer, hosts: Array.from({ length: 17 }, (_, i) => `a${i}.example.com`) },
      '400 bad_request hosts',
    ],
    [
      'a scheme in a host',
      { auth: bearer, hosts: ['https://api.example.com'] },
      '400 bad_request hosts[0]',
    ],
    [
      'a port in a host',
      { auth: bearer, hosts: ['api.example.com:443'] },
      '400 bad_request hosts[0]',
    ],
    [
      'a path in a host',
      { auth: bearer, hosts: ['api.example.com/v1'] },
      '400 bad_request hosts[0]',
    ],
    [
      'an underscore in a host',
      { auth: bearer, hosts: ['a_b.example.com'] },
      '400 bad_request hosts[0]',
    ],
    ['a single label', { auth: bearer, hosts: ['localhost'] }, '400 bad_request hosts[0]'],
    ['IPv6', { auth: bearer, hosts: ['::1'] }, '400 bad_request hosts[0]'],
    [
      'a wildcard in the middle',
      { auth: bearer, hosts: ['api.*.example.com'] },
      '400 bad_request hosts[0]',
    ],
    [
      'a wildcard part of a label',
      { auth: bearer, hosts: ['api*.example.com'] },
      '400 bad_request hosts[0]',
    ],
    ['a wildcard over com', { auth: bearer, hosts: ['*.com'] }, '400 bad_request hosts[0]'],
    ['a wildcard over co.uk', { auth: bearer, hosts: ['*.co.uk'] }, '400 bad_request hosts[0]'],
    [
      'a wildcard over everybody’s pages',
      { auth: bearer, hosts: ['*.github.io'] },
      '400 bad_request hosts[0]',
    ],
    ['a port out of range', { ports: [0] }, '400 bad_request ports[0]'],
    ['no ports', { ports: [] }, '400 bad_request ports'],
    ['a method that is no token', { methods: ['GET POST'] }, '400 bad_request methods[0]'],
    ['a path without its slash', { paths: ['v1/**'] }, '400 bad_request paths[0]'],
    ['a time that is none', { expires_at: 'tomorrow' }, '400 bad_request expires_at'],
    [
      'SOME without workspaces',
      { allowed_workspaces_type: 'SOME' },
      '400 bad_request allowed_workspaces',
    ],
    [
      'SOME with an unknown workspace',
      { allowed_workspaces_type: 'SOME', allowed_workspaces: ['nowhere'] },
      '400 bad_request allowed_workspaces[0]',
    ],
    [
      'a companion we never set',
      { companion_headers: { 'Content-Length': '1' } },
      '400 bad_request companion_headers.Content-Length',
    ],
    [
      'strip of the host',
      { also_strip: { headers: ['Host'] } },
      '400 bad_request also_strip.headers[0]',
    ],
  ])('refuses %s', async (_what, extra, expected) => {
    expect(refusal(await create(extra))).toBe(expected);
  });

  test('a name is taken until the secret is deleted, then free at once', async () => {
    const name = await created();
    expect(refusal(await create({ name }))).toBe('409 conflict ');
    expect((await admin.call('DELETE', `/secrets/${name}`)).status).toBe(204);
    expect((await admin.call('GET', `/secrets/${name}`)).status).toBe(404);
    expect((await admin.call('DELETE', `/secrets/${name}`)).status).toBe(404);
    expect((await create({ name })).status).toBe(201);
  });

  test('names differ by case', async () => {
    await created({ name: 'Case' });
    expect((await create({ name: 'case' })).status).toBe(201);
  });

  test('takes IPv4 literals in any spelling, canonical afterwards', async () => {
    const answer = await create({ auth: bearer, hosts: ['0xC0.0.2.1'] });
    expect(answer.json.hosts).toEqual(['192.0.2.1']);
  });

  test('rules may share a host when their paths do not overlap', async () => {
    const rule = (path: string) => ({ hosts, type: 'bearer', paths: [path] });
    expect((await create(rules(rule('/api/**'), rule('/git/**')))).status).toBe(201);
    const overlapping = await create(rules(rule('/api/**'), rule('/*/x')));
    expect(refusal(overlapping)).toBe('400 bad_request auth.per_host[1].hosts');
  });
});

describe('GET /secrets', () => {
  test('newest first, paged by Link, filtered', async () => {
    await using own = await startAdminFixture();
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      const { status } = await own.call('POST', '/secrets', {
        name,
        value: 'not-a-real-value',
        ...(name === 'c'
          ? { provider: 'openai' }
          : { auth: { type: 'bearer' }, hosts: [`${name}.example.com`] }),
        description: `the ${name}`,
      });
      expect(status).toBe(201);
    }
    const names = (answer: Answer): string[] =>
      answer.json.map((row: { name: string }) => row.name);
    expect(names(await own.call('GET', '/secrets'))).toEqual(['e', 'd', 'c', 'b', 'a']);
    const seen: string[] = [];
    let path: string | undefined = '/secrets?limit=2';
    while (path !== undefined) {
      const page: Answer = await own.call('GET', path);
      seen.push(...names(page));
      path = /<([^>]+)>; rel="next"/.exec(page.headers.get('link') ?? '')?.[1];
    }
    expect(seen).toEqual(['e', 'd', 'c', 'b', 'a']);
    expect(names(await own.call('GET', '/secrets?provider=openai'))).toEqual(['c']);
    expect(names(await own.call('GET', '/secrets?host=d.example.com'))).toEqual(['d']);
    expect(names(await own.call('GET', '/secrets?q=THE%20b'))).toEqual(['b']);
    const usedAtMs = own.clock.nowMs();
    const row = await own.call('GET', '/secrets/a');
    const stored = await own.store.secrets.readSecretById(
      own.changes[0]?.organizationId ??
        (await own.store.organizations.listOrganizations())[0]?.id ??
        '',
      row.json.id,
    );
    own.usage.markUsed(row.json.id, stored?.secret.activeVersionId ?? '', usedAtMs);
    const since = new Date(usedAtMs - 1_000).toISOString();
    expect(names(await own.call('GET', `/secrets?unused_since=${since}`))).toEqual([
      'e',
      'd',
      'c',
      'b',
    ]);
    expect((await own.call('GET', '/secrets/a')).json.last_used_at).toBe(
      new Date(usedAtMs).toISOString(),
    );
  });

  test.each(['limit=0', 'limit=x', 'cursor=!!', 'surprise=1', 'q=a&q=b', 'include=all'])(
    'refuses ?%s',
    async (query) => {
      expect((await admin.call('GET', `/secrets?${query}`)).status).toBe(400);
    },
  );
});

test('a list longer than a page is one array, whole and in order', async () => {
  await using own = await startAdminFixture();
  const names = Array.from({ length: 1_203 }, (_, index) => `n${index}`);
  const given = { provider: 'openai', value: 'not-a-real-value' };
  for (const name of names) await own.call('POST', '/secrets', { name, ...given });
  const list = (await own.call('GET', '/secrets')).json;
  expect(list.map((row: { name: string }) => row.name)).toEqual(names.toReversed());
  const some = { name: 'narrow', role: 'viewer', secret_ids: [list.at(-1).id, list[1].id] };
  const { key } = (await own.call('POST', '/api-keys', some)).json;
  const seen = (await own.call('GET', '/secrets', undefined, key)).json;
  expect(seen.map((row: { name: string }) => row.name)).toEqual(['n1201', 'n0']);
});

describe('PATCH /secrets/{name}', () => {
  test('a value rotates: a new version, everything else stays', async () => {
    const name = await created();
    const before = (await admin.call('GET', `/secrets/${name}`)).json;
    admin.clock.advance(10);
    const after = await admin.call('PATCH', `/secrets/${name}`, { value: 'not-a-real-value-0002' });
    expect(after.status).toBe(200);
    expect(after.json).toMatchObject({ id: before.id, version: 2, hosts: before.hosts });
    expect(after.json.rotated_at > before.rotated_at).toBe(true);
    const versions = (await admin.call('GET', `/secrets/${name}/versions`)).json;
    expect(
      versions.map((row: { version: number; active: boolean }) => [row.version, row.active]),
    ).toEqual([
      [2, true],
      [1, false],
    ]);
  });

  const widenings: [string, Record<string, unknown>, Record<string, unknown>][] = [
    ['a new host', {}, { hosts: ['api.example.com', 'evil.example.org'] }],
    ['another host', {}, { hosts: ['evil.example.org'] }],
    ['a wildcard over the host', {}, { hosts: ['*.example.com'] }],
    ['a new port', {}, { ports: [443, 8443] }],
    ['another auth', {}, { auth: { type: 'api-key', header: 'X-Evil' } }],
    ['a provider', {}, { provider: 'openai' }],
    ['plaintext', {}, { allow_plaintext: true }],
    ['no masking', {}, { mask_responses: false }],
    ['another method', { methods: ['GET'] }, { methods: ['GET', 'POST'] }],
    ['every method', { methods: ['GET'] }, { methods: [] }],
    ['another path', { paths: ['/v1/**'] }, { paths: ['/v1/**', '/v2/**'] }],
    ['every path', { paths: ['/v1/**'] }, { paths: [] }],
    ['a wider path', { paths: ['/v1/a/**'] }, { paths: ['/v1/**'] }],
  ];
  test.each(widenings)('%s needs the value', async (_what, before, change) => {
    const name = await created(before);
    const stored = (await admin.call('GET', `/secrets/${name}`)).json;
    const refused = await admin.call('PATCH', `/secrets/${name}`, change);
    expect([refused.status, refused.json.error.code]).toEqual([400, 'value_required']);
    expect((await admin.call('GET', `/secrets/${name}`)).json).toEqual(stored);
    const value = 'not-a-real-value-0003';
    expect((await admin.call('PATCH', `/secrets/${name}`, { ...change, value })).status).toBe(200);
  });

  test.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    [
      'fewer hosts',
      { hosts: ['a.example.com', 'b.example.com'], auth: { type: 'bearer' } },
      { hosts: ['a.example.com'] },
    ],
    [
      'one host of the wildcard',
      { hosts: ['*.example.com'], auth: { type: 'bearer' } },
      { hosts: ['a.example.com'] },
    ],
    ['fewer ports', { ports: [443, 8443] }, { ports: [8443] }],
    ['some methods', {}, { methods: ['GET'] }],
    ['HEAD out of GET', { methods: ['GET'] }, { methods: ['HEAD'] }],
    ['some paths', {}, { paths: ['/v1/**'] }],
    ['a path below', { paths: ['/v1/**'] }, { paths: ['/v1/a', '/v1/b/*'] }],
    ['masking again', { mask_responses: false }, { mask_responses: true }],
    ['no plaintext', { allow_plaintext: true }, { allow_plaintext: false }],
    ['disabled', {}, { disabled: true }],
    ['an end', {}, { expires_at: '2030-01-01T00:00:00Z' }],
    ['a description', {}, { description: 'what it is for' }],
    ['nothing', {}, {}],
  ])('%s is free', async (_what, before, change) => {
    const name = await created(before);
    const answer = await admin.call('PATCH', `/secrets/${name}`, change);
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject(
      'expires_at' in change ? { expires_at: '2030-01-01T00:00:00.000Z' } : change,
    );
  });

  test('secrets.allow_widening lifts the rule and says so in the log', async () => {
    await using own = await startAdminFixture({ allowWidening: true });
    await own.call('POST', '/secrets', body({ name: 'wide' }));
    const answer = await own.call('PATCH', '/secrets/wide', { hosts: ['other.example.org'] });
    expect(answer.status).toBe(200);
    expect(own.logged.some((line) => line.includes('widened'))).toBe(true);
  });

  test('changing hosts by hand ends the provider shortcut', async () => {
    const name = await created({ provider: 'github' });
    const narrowed = await admin.call('PATCH', `/secrets/${name}`, { hosts: ['github.com'] });
    // A rule of the provider names api.github.com, which would no longer be reachable.
    expect(refusal(narrowed)).toBe('400 bad_request auth.per_host[0].hosts[0]');
    const change = { value: 'not-a-real-value', hosts: ['github.com'], auth: { type: 'basic' } };
    const answer = await admin.call('PATCH', `/secrets/${name}`, change);
    expect(answer.json).toMatchObject({ provider_shortcut: null, auth_type: 'basic' });
  });

  test('an empty text clears the end, an empty list the restriction', async () => {
    const name = await created({ expires_at: '2030-01-01T00:00:00Z', description: 'x' });
    const answer = await admin.call('PATCH', `/secrets/${name}`, {
      expires_at: '',
      description: '',
    });
    expect(answer.json).toMatchObject({ expires_at: null, description: null });
  });

  test('is in force when it is answered', async () => {
    const name = await created();
    const before = admin.changes.length;
    const { id } = (await admin.call('PATCH', `/secrets/${name}`, { disabled: true })).json;
    expect(admin.changes.slice(before)).toMatchObject([{ kind: 'secret', secretId: id }]);
  });

  test('eight at once all take effect', async () => {
    const name = await created();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => admin.call('PATCH', `/secrets/${name}`, { priority: i })),
    );
    expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 200));
  });
});

test.each(['bad name', 'a/b', '%zz', 'ä'])('GET /secrets/%s is a bad request', async (name) => {
  const path = name === '%zz' ? '/secrets/%zz' : `/secrets/${encodeURIComponent(name)}`;
  expect(refusal(await admin.call('GET', path))).toBe('400 bad_request name');
});

test('I3 a value is in no answer, no log line and not in the database in clear', async () => {
  await using own = await startAdminFixture();
  const canary = 'canary-not-a-real-key-7f3a9c';
  await own.call('POST', '/secrets', { name: 'c', value: canary, provider: 'openai' });
  await own.call('PATCH', '/secrets/c', { value: `${canary}-2` });
  await own.call('PATCH', '/secrets/c', { value: `${canary}\n` });
  await own.call('POST', '/secrets', { name: 'c', value: canary, provider: 'nobody' });
  await own.send('/secrets', {
    method: 'POST',
    headers: { 'x-api-key': own.key },
    body: `{"name":"d","value":"${canary}"} trailing`,
  });
  await own.call('GET', '/secrets/c');
  const places = [...own.answers, ...own.logged].map((text) => Buffer.from(text));
  for (const bytes of [...places, await own.readDatabase()]) {
    expect(bytes.includes(canary)).toBe(false);
    expect(bytes.includes(Buffer.from(canary).toString('base64').slice(0, 24))).toBe(false);
  }
});
