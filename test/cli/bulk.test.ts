/**
 * `import`, `export` and `apply` from outside: the real command line against the real product. What is
 * written down on one instance is made again on a fresh one, and nothing they print is a value (I3).
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { mintCanary } from '../support/canary.ts';
import { startProduct, type Product } from '../support/product.ts';
import { runSallyport, type Outcome } from './command-line.ts';

let directory = '';
let product: Product;
/** Everything the commands printed, to be searched for values at the end. */
let printed = '';
const canaries: string[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-bulk-'));
  product = await startProduct();
});
afterAll(async () => {
  rmSync(directory, { recursive: true, force: true });
  await product[Symbol.asyncDispose]();
});

function mintValue(): string {
  const value = mintCanary();
  canaries.push(value);
  return value;
}

function write(name: string, data: unknown): string {
  const file = join(directory, name);
  writeFileSync(file, typeof data === 'string' ? data : JSON.stringify(data));
  return file;
}

interface Call {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly on?: Product;
}

async function sallyport(args: readonly string[], call: Call = {}): Promise<Outcome> {
  const { admin } = call.on ?? product;
  const env = { SALLYPORT_URL: admin.origin, SALLYPORT_API_KEY: admin.key, ...call.env };
  const outcome = await runSallyport(args, { env, input: call.input ?? '' });
  printed += outcome.stdout + outcome.stderr;
  return outcome;
}

async function secretsOf(on: Product = product): Promise<Map<string, Record<string, unknown>>> {
  const list = (await on.admin.must('GET', '/secrets?include=unplaced')) as Record<
    string,
    unknown
  >[];
  return new Map(list.map((secret) => [String(secret['name']), secret]));
}

describe('import', () => {
  test('.env: the plan first, then names become secrets and known names their providers', async () => {
    const file = write(
      'one.env',
      [
        `OPENAI_API_KEY=${mintValue()}`,
        `export GITHUB_TOKEN="${mintValue()}" # a comment`,
        `JIRA_API_TOKEN='${mintValue()}'`,
        `KEY_PEM="${mintValue()}\nsecond line"`,
        'EMPTY=',
        '',
      ].join('\n'),
    );
    const plan = await sallyport(['import', file]);
    expect(plan.stderr).toBe('');
    expect(plan.stdout).toContain('+ secret OPENAI_API_KEY: provider openai\n');
    expect(plan.stdout).toContain('+ secret GITHUB_TOKEN: provider github\n');
    expect(plan.stdout).toMatch(/^\+ secret JIRA_API_TOKEN: unplaced.* --param site=…$/m);
    expect(plan.stdout).toContain('= secret EMPTY: no value\n');
    expect(plan.stdout).toContain('4 to create, 0 to change, 0 to delete, 1 skipped\n');
    expect(plan.stdout).toContain('nothing was changed; --yes does it\n');
    expect((await secretsOf()).size).toBe(0);

    const done = await sallyport(['import', file, '--yes', '--param', 'site=acme']);
    expect(done.code).toBe(0);
    expect(done.stdout).toContain('secret JIRA_API_TOKEN: created\n');
    const secrets = await secretsOf();
    expect(secrets.get('JIRA_API_TOKEN')).toMatchObject({ hosts: ['acme.atlassian.net'] });
    expect(secrets.get('GITHUB_TOKEN')).toMatchObject({
      provider_shortcut: 'github',
      usable: true,
    });
    expect(secrets.get('KEY_PEM')).toMatchObject({ auth_kind: 'none', usable: false });
  });

  test('what exists is skipped; --overwrite gives it the value of the file', async () => {
    const file = write('again.env', `OPENAI_API_KEY=${mintValue()}\n`);
    const again = await sallyport(['import', file, '--yes']);
    expect(again.stdout).toContain('secret OPENAI_API_KEY: skipped\n');
    expect((await secretsOf()).get('OPENAI_API_KEY')).toMatchObject({ version: 1 });
    const over = await sallyport(['import', file, '--yes', '--overwrite']);
    expect(over.stdout).toContain('~ secret OPENAI_API_KEY: value (new version)\n');
    expect((await secretsOf()).get('OPENAI_API_KEY')).toMatchObject({ version: 2 });
  });

  test('options place every row; --only, --only-placed and --no-guess choose', async () => {
    const lines = `A_KEY=${mintValue()}\nB_KEY=${mintValue()}\nMISTRAL_API_KEY=${mintValue()}\n`;
    const placed = ['--bearer', '--host', 'api.example.com', '--only', 'A_KEY'];
    const one = await sallyport(['import', '-', '--yes', ...placed], { input: lines });
    expect(one.stdout).toMatch(/^\+ secret A_KEY: for api\.example\.com\n1 to create/);
    const known = await sallyport(['import', '-', '--only-placed'], { input: lines });
    expect(known.stdout).toContain('= secret B_KEY: no provider has this name\n');
    expect(known.stdout).toContain('+ secret MISTRAL_API_KEY: provider mistral\n');
    const plain = await sallyport(['import', '-', '--no-guess'], { input: lines });
    expect(plain.stdout).toMatch(/^\+ secret MISTRAL_API_KEY: unplaced/m);
  });

  test('JSON: rows of every system, in one list', async () => {
    const rows = [
      { name: 'native_one', value: mintValue(), provider: 'xai', description: 'mine' },
      {
        name: 'rich',
        value: mintValue(),
        provider: 'anthropic',
        also_strip: { headers: [], query: ['key'] },
        companion_headers: {},
        ports: [443, 8443],
        methods: ['POST'],
        paths: ['/v1/**'],
        priority: 5,
        on_existing: 'keep',
        mask_responses: false,
        allow_plaintext: true,
        disabled: true,
        expires_at: '2099-01-02T03:04:05Z',
      },
      {
        name: 'ruled',
        value: mintValue(),
        auth: {
          per_host: [
            { type: 'query', name: 'key', hosts: ['q.example.com'], paths: ['/a/**'] },
            { type: 'basic', username: 'u', hosts: ['q.example.com'], paths: ['/b/**'] },
          ],
        },
        hosts: ['q.example.com'],
      },
      {
        name: 'serve_one',
        value: mintValue(),
        auth_type: 'api-key',
        auth_config: { header: 'X-Key' },
        hosts: ['b.example.com'],
        provider_shortcut: null,
      },
      { alias: 'insta_one', value: mintValue(), allowed_workspaces_type: 'NONE' },
      {
        alias: 'insta_two',
        value: mintValue(),
        allowed_workspaces_type: 'SOME',
        allowed_workspaces: ['default'],
      },
      { name: 'db', secrets: [{ key: 'PASSWORD', value: mintValue() }] },
      { name: 'llm', secrets: [{ key: 'XAI_API_KEY', value: mintValue() }] },
    ];
    const done = await sallyport(['import', write('systems.json', rows), '--yes']);
    expect(done.stderr).toBe('');
    expect(done.code).toBe(0);
    const secrets = await secretsOf();
    const expected: Readonly<Record<string, Record<string, unknown>>> = {
      native_one: { provider_shortcut: 'xai', description: 'mine' },
      rich: { provider_shortcut: 'anthropic', companion_headers: {}, priority: 5, disabled: true },
      ruled: { auth_kind: 'per_host' },
      serve_one: { auth_type: 'api-key', auth_config: { header: 'X-Key' } },
      insta_one: { allowed_workspaces_type: 'NONE', auth_kind: 'none' },
      insta_two: { allowed_workspaces_type: 'SOME' },
      'db:PASSWORD': { auth_kind: 'none' },
      'llm:XAI_API_KEY': { provider_shortcut: 'xai' },
    };
    for (const [name, fields] of Object.entries(expected)) {
      expect(secrets.get(name)).toMatchObject(fields);
    }
  });

  test('values of a list without them come from a second file', async () => {
    const groups = {
      data: [{ name: 'late', associatedSecrets: [{ name: 'one' }, { name: 'two' }] }],
    };
    const file = write('groups.json', groups);
    const values = write('values.env', `LATE_ONE=${mintValue()}\n`);
    const done = await sallyport(['import', file, '--values', values, '--yes', '--json']);
    const { results } = JSON.parse(done.stdout) as { results: Record<string, unknown>[] };
    expect(results).toMatchObject([
      { kind: 'group', name: 'late', result: 'created' },
      { kind: 'secret', name: 'late:one', result: 'created' },
      { kind: 'secret', name: 'late:two', result: 'skipped', details: ['no value'] },
    ]);
  });

  test('a row that cannot be is refused by itself, and the exit code says so', async () => {
    const rows = [
      { name: 'not a name', value: mintValue(), provider: 'xai' },
      { name: 'bad_host', value: mintValue(), auth: { type: 'bearer' }, hosts: ['*.com'] },
      { name: 'bad_field', value: mintValue(), provider: 'xai', colour: 'red' },
      { name: 'bad_value', value: `${mintValue()}\n`, provider: 'xai' },
      { name: 'good_one', value: mintValue(), provider: 'xai' },
    ];
    const done = await sallyport(['import', write('mixed.json', rows), '--yes']);
    expect(done.code).toBe(8);
    expect(done.stdout).toMatch(/^! secret not a name: name: must match/m);
    expect(done.stdout).toMatch(/^! secret bad_host: hosts\[0\]: /m);
    expect(done.stdout).toMatch(/^! secret bad_field: .*colour/m);
    expect(done.stdout).toMatch(/^! secret bad_value: value: The value ends with a newline/m);
    expect(done.stdout).toContain('secret good_one: created\n');
    expect(done.stderr).toContain('4 of 5 cannot be');
  });
});

test('provider show says what --param it takes', async () => {
  const { stdout } = await sallyport(['provider', 'show', 'jira']);
  expect(stdout).toMatch(/^hosts +\{site\}\.atlassian\.net$/m);
  expect(stdout).toMatch(/^--param site=… +the site/m);
  expect(stdout).toMatch(/^--param email=… +.*\(optional\)$/m);
  expect((await sallyport(['provider', 'show', 'nobody'])).code).toBe(6);
});

describe('apply', () => {
  const value = mintValue();
  const env = { DEPLOY: value, PASS: mintValue() };
  const deploy = {
    name: 'deploy',
    auth: { type: 'bearer' },
    hosts: ['API.Example.com', 'b.example.com'],
    methods: ['GET'],
    allowed_workspaces_type: 'SOME',
    allowed_workspaces: ['ci'],
    value_from: { env: 'DEPLOY' },
  };
  const agent = {
    name: 'agent',
    workspace: 'ci',
    metadata: { team: 'a' },
    network: { allow_out: ['API.example.com'] },
    secrets: { DEPLOY: 'deploy', PASS: 'vault:pass:1' },
  };
  const document = {
    sallyport: 1,
    workspaces: [{ name: 'ci' }],
    groups: [
      {
        name: 'vault',
        manifest: { collaborators: [{ subject: 'user:eve', role_id: 'secret-group-viewer' }] },
      },
    ],
    secrets: [
      deploy,
      {
        name: 'vault:pass',
        auth: { type: 'basic', username: 'u' },
        hosts: ['db.example.com'],
        description: 'of the database',
        value_from: { env: 'PASS' },
      },
      { name: 'later', value_from: { stdin: 'LATER' } },
    ],
    sandboxes: [
      agent,
      {
        name: 'careful',
        secrets: [{ env_key: 'KEY', secret_name: 'OPENAI_API_KEY', inject: 'placeholder' }],
        limits: { concurrent: 2 },
      },
    ],
  };
  const later = `LATER=${mintValue()}\n`;

  async function apply(
    data: unknown,
    more: readonly string[] = [],
    call: Call = {},
  ): Promise<Outcome> {
    const file = write('document.yaml', stringify(data));
    return sallyport(['apply', file, ...more], { env, ...call });
  }

  test('faults are all named by their place, before anything is done', async () => {
    const refused = await apply({
      ...document,
      secrets: [
        { ...deploy, hosts: ['*.com'], methods: ['G E T'] },
        { name: 'x', provider: 'nobody', value_from: { env: 'DEPLOY' } },
        { name: 'y', provider: 'xai', value_from: { env: 'UNSET' } },
        { name: 'z', provider: 'xai' },
        { name: 'z', provider: 'xai', allowed_workspaces_type: 'SOME', allowed_workspaces: ['no'] },
      ],
      sandboxes: [
        { name: 's', secrets: { 'A-B': 'absent', C: 'default:y:2' }, workspace: 'nowhere' },
      ],
    });
    expect(refused.code).toBe(8);
    for (const place of [
      'secrets[0].hosts[0]: ',
      'secrets[1].provider: is not in the catalogue',
      'secrets[2].value_from: UNSET is not set',
      'secrets[3]: a new secret needs value_from',
      'secrets[4].name: is given twice',
      'secrets[4].allowed_workspaces: there is no workspace no',
      'sandboxes[0].workspace: there is no workspace nowhere',
      'sandboxes[0].secrets.A-B: must match',
      'sandboxes[0].secrets.A-B: there is no secret absent',
      'sandboxes[0].secrets.C: default:y:2 names a version that a new secret does not have',
    ]) {
      expect(refused.stderr).toContain(`\n  ${place}`);
    }
    expect((await secretsOf()).has('y')).toBe(false);
  });

  test('the plan, then the same done, then nothing to do', async () => {
    const plan = await apply(document, ['--values-stdin'], { input: later });
    expect(plan.stderr).toBe('');
    expect(plan.stdout).toBe(
      [
        '+ workspace ci',
        '+ group vault',
        '+ secret deploy: for api.example.com b.example.com',
        '+ secret vault:pass: for db.example.com',
        '+ secret later: unplaced: no provider, no hosts',
        '+ sandbox agent: DEPLOY=deploy, PASS=vault:pass:1',
        '+ sandbox careful: KEY=OPENAI_API_KEY (placeholder)',
        '7 to create, 0 to change, 0 to delete',
        'nothing was changed; --yes does it',
        '',
      ].join('\n'),
    );
    const done = await apply(document, ['--values-stdin', '--yes'], { input: later });
    expect(done.stderr).toBe('');
    expect(done.code).toBe(0);
    expect(done.stdout).toContain(
      'sandbox agent: created; `sallyport sandbox token agent` makes a token for it\n',
    );
    // No values are there any more, and none are needed.
    const again = await apply(document, ['--yes'], { env: {} });
    expect(again.stdout).toBe('0 to create, 0 to change, 0 to delete\n');
    expect(again.code).toBe(0);
  });

  test('changes name their fields; what is not said stays', async () => {
    const narrowed = { ...deploy, hosts: ['api.example.com'], description: 'for CI' };
    const changed = {
      ...document,
      secrets: [narrowed],
      sandboxes: [
        { ...agent, metadata: { team: 'b' }, secrets: { DEPLOY: 'deploy', AI: 'OPENAI_API_KEY' } },
      ],
    };
    const done = await apply(changed, ['--yes'], { env: {} });
    expect(done.stderr).toBe('');
    expect(done.stdout).toContain('~ secret deploy: hosts, description\n');
    expect(done.stdout).toContain(
      '~ sandbox agent: metadata, detach PASS, attach AI=OPENAI_API_KEY\n',
    );
    const secret = (await secretsOf()).get('deploy');
    expect(secret).toMatchObject({ hosts: ['api.example.com'], methods: ['GET'], version: 1 });
    const sandboxes = (await product.admin.must('GET', '/sandboxes')) as { name: string }[];
    expect(sandboxes.find(({ name }) => name === 'agent')).toMatchObject({
      metadata: { team: 'b' },
      secrets: [{ env_key: 'DEPLOY' }, { env_key: 'AI' }],
    });
  });

  test('widening asks for the value, and takes it from value_from', async () => {
    const wider = { ...deploy, hosts: ['api.example.com', 'c.example.com'], value_from: undefined };
    const refused = await apply({ sallyport: 1, secrets: [wider] });
    expect(refused.code).toBe(8);
    expect(refused.stderr).toContain(
      'secrets[0]: lets the value travel further (hosts), which needs value_from',
    );
    const done = await apply(
      {
        sallyport: 1,
        secrets: [{ ...wider, value_from: { env: 'DEPLOY' } }],
      },
      ['--yes'],
    );
    expect(done.stdout).toMatch(/^~ secret deploy: hosts, value \(new version\)$/m);
    expect(done.code).toBe(0);
  });

  test('--rotate gives the value again', async () => {
    const before = (await secretsOf()).get('deploy')?.['version'];
    const only = { sallyport: 1, secrets: [{ name: 'deploy', value_from: { env: 'DEPLOY' } }] };
    expect((await apply(only, ['--yes'])).stdout).toBe('0 to create, 0 to change, 0 to delete\n');
    const done = await apply(only, ['--yes', '--rotate']);
    expect(done.stdout).toContain('~ secret deploy: value (new version)\n');
    expect((await secretsOf()).get('deploy')?.['version']).toBe(Number(before) + 1);
  });

  test('what cannot be changed on a sandbox is a fault', async () => {
    const refused = await apply({
      sallyport: 1,
      sandboxes: [{ name: 'agent', workspace: 'default', env_vars: { A: 'b' } }],
    });
    expect(refused.code).toBe(8);
    expect(refused.stderr).toContain('sandboxes[0].workspace: cannot be changed');
    expect(refused.stderr).toContain('sandboxes[0].env_vars: cannot be changed');
  });

  test('--prune deletes in the sections that are there, and nothing without it', async () => {
    const kept = { sallyport: 1, sandboxes: [{ name: 'agent' }] };
    expect((await apply(kept, ['--yes'])).stdout).toBe('0 to create, 0 to change, 0 to delete\n');
    const plan = await apply(kept, ['--prune']);
    expect(plan.stdout).toBe(
      '- sandbox careful\n0 to create, 0 to change, 1 to delete\nnothing was changed; --yes does it\n',
    );
    const count = (await secretsOf()).size;
    expect((await apply(kept, ['--prune', '--yes'])).code).toBe(0);
    expect((await secretsOf()).size).toBe(count);
    const groups = { sallyport: 1, groups: [{ name: 'vault' }, { name: 'db' }, { name: 'llm' }] };
    expect((await apply(groups, ['--prune', '--yes'])).stdout).toContain('group late: deleted\n');
    expect((await secretsOf()).has('late:one')).toBe(false);
  });

  test('a secret that a pruned document still binds is a fault', async () => {
    const refused = await apply(
      { sallyport: 1, secrets: [], sandboxes: [{ name: 'agent', secrets: { D: 'deploy' } }] },
      ['--prune'],
    );
    expect(refused.stderr).toContain('sandboxes[0].secrets.D: there is no secret deploy');
  });

  test('a step that fails ends the plan, and says what was not tried', async () => {
    const file = write(
      'viewer.yaml',
      stringify({ sallyport: 1, workspaces: [{ name: 'one' }, { name: 'two' }] }),
    );
    const key = (await product.admin.must('POST', '/api-keys', {
      name: 'viewer',
      role: 'viewer',
      subject: 'user:viewer',
    })) as { key: string };
    const refused = await sallyport(['apply', file, '--yes'], {
      env: { SALLYPORT_API_KEY: key.key },
    });
    expect(refused.code).toBe(5);
    expect(refused.stdout).toMatch(/^workspace one: failed: .*403 forbidden/m);
    expect(refused.stderr).toContain('1 of 2 steps failed, 1 were not tried');
  });
});

describe('export', () => {
  test('round trip: made again on a fresh instance, it exports the same', async () => {
    const exported = await sallyport(['export']);
    expect(exported.stderr).toBe('');
    expect(exported.stdout).toContain('provider: github');
    const file = write('exported.yaml', exported.stdout);
    const names = [...exported.stdout.matchAll(/env: (\w+)/g)].map((found) => found[1] ?? '');
    expect(new Set(names).size).toBe((await secretsOf()).size);
    const env = Object.fromEntries(names.map((name) => [name, mintValue()]));

    const fresh = await startProduct();
    try {
      const made = await sallyport(['apply', file, '--yes'], { env, on: fresh });
      expect(made.stderr).toBe('');
      expect(made.code).toBe(0);
      const again = await sallyport(['export'], { on: fresh });
      expect(again.stdout).toBe(exported.stdout);
      const nothing = await sallyport(['apply', file, '--yes', '--prune'], { on: fresh });
      expect(nothing.stdout).toBe('0 to create, 0 to change, 0 to delete\n');
      await fresh.assertNoLeak(Object.values(env).slice(0, 3));
    } finally {
      await fresh[Symbol.asyncDispose]();
    }
  });

  test('JSON is the same document', async () => {
    const { stdout } = await sallyport(['export', '--format', 'json']);
    const file = write('exported.json', stdout);
    const nothing = await sallyport(['apply', file]);
    expect(nothing.stdout).toBe('0 to create, 0 to change, 0 to delete\nnothing to do\n');
  });

  test('a binding its workspace may not use any more: left out, said to be, and not in the way', async () => {
    const none = { name: 'shut', value: mintValue(), provider: 'xai' };
    await product.admin.must('POST', '/secrets', none);
    await product.admin.must('POST', '/sandboxes', { name: 'kept', secrets: { SHUT: 'shut' } });
    await product.admin.must('PATCH', '/secrets/shut', { allowed_workspaces_type: 'NONE' });
    const { stdout, stderr } = await sallyport(['export']);
    expect(stderr).toContain('left out: SHUT of sandbox kept: its workspace may not use shut');
    const nothing = await sallyport(['apply', write('shut.yaml', stdout), '--yes', '--prune']);
    expect(nothing.stdout).toBe('0 to create, 0 to change, 0 to delete\n');

    const asked = [{ name: 'new', secrets: { SHUT: 'shut' } }];
    const file = write('asked.yaml', stringify({ sallyport: 1, sandboxes: asked }));
    const refused = await sallyport(['apply', file, '--yes']);
    expect(refused.code).toBe(8);
    expect(refused.stderr).toContain(
      'sandboxes[0].secrets.SHUT: shut may not be used in the workspace default',
    );
  });

  test('a secret made again is bound again where the one before was', async () => {
    const again = { name: 'again', value: mintValue(), provider: 'xai' };
    await product.admin.must('POST', '/secrets', again);
    const box = { name: 'rebound', secrets: { AGAIN: 'again' } };
    await product.admin.must('POST', '/sandboxes', box);
    await product.admin.must('DELETE', '/secrets/again');
    await product.admin.must('POST', '/secrets', again);
    const file = write('rebound.yaml', stringify({ sallyport: 1, sandboxes: [box] }));
    const done = await sallyport(['apply', file, '--yes']);
    expect([done.stderr, done.code]).toEqual(['', 0]);
    expect(done.stdout).toContain('~ sandbox rebound: detach AGAIN, attach AGAIN=again');
    const nothing = await sallyport(['apply', file]);
    expect(nothing.stdout).toContain('nothing to do');
  });

  test('sandboxes that share a name are left out, and said to be', async () => {
    for (const _ of [1, 2]) await product.admin.must('POST', '/sandboxes', { name: 'twin' });
    const { stdout, stderr } = await sallyport(['export']);
    expect(stderr).toContain('left out: 2 sandboxes with the name twin');
    expect(stdout).not.toContain('twin');
  });
});

test('I3: nothing that was printed, answered or logged is a value', async () => {
  expect(canaries.length).toBeGreaterThan(20);
  for (const canary of canaries) expect(printed).not.toContain(canary);
  await product.assertNoLeak(canaries.slice(0, 4));
});
