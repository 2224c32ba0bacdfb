import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createdSandboxSchema, sandboxSchema } from '../../admin-api/contract/sandbox.ts';
import { hashToken } from '../../src/kernel/ids.ts';
import {
  startSandboxLifecycle,
  settleDueSandboxes,
} from '../../src/sandboxes/sandbox-lifecycle.ts';
import { startAdminFixture, type AdminFixture, type Answer } from './admin-fixture.ts';

let admin: AdminFixture;

beforeAll(async () => {
  admin = await startAdminFixture({ neverIntercept: ['*.bank.example'] });
  for (const [name, provider] of [
    ['openai', 'openai'],
    ['gh', 'github'],
  ]) {
    await admin.call('POST', '/secrets', { name, provider, value: 'not-a-real-value-0001' });
  }
  await admin.call('POST', '/secrets', {
    name: 'custom',
    value: 'not-a-real-value-0002',
    auth: { type: 'bearer' },
    hosts: ['api.example.com'],
  });
});
afterAll(async () => {
  await admin[Symbol.asyncDispose]();
});

async function created(extra: Record<string, unknown> = {}): Promise<Answer['json']> {
  const answer = await admin.call('POST', '/sandboxes', { name: 'box', ...extra });
  expect(answer.status).toBe(201);
  return answer.json;
}

function refusal(answer: Answer): string {
  return `${answer.status} ${answer.json.error.code} ${answer.json.error.details?.[0]?.path ?? ''}`;
}

describe('POST /sandboxes', () => {
  test('answers tokens, variables, files and every field of the contract', async () => {
    const json = await created({
      secrets: { OPENAI_API_KEY: 'openai', TOKEN: 'custom' },
      env_vars: { MODE: 'test' },
      metadata: { team: 'a' },
      network: { allow_out: ['API.example.com'], deny_out: ['0.0.0.0/0'] },
    });
    expect(createdSandboxSchema.safeParse(json).error).toBeUndefined();
    expect(json).toMatchObject({
      status: 'active',
      vcpu_count: 0,
      memory_mib: 0,
      auto_delete_at: null,
      network: { allow_out: ['api.example.com'], deny_out: ['0.0.0.0/0'] },
      secrets: [
        { env_key: 'OPENAI_API_KEY', secret_name: 'openai', revoked: false },
        { env_key: 'TOKEN', secret_name: 'custom', revoked: false },
      ],
      warnings: [],
    });
    expect(json.env).toMatchObject({
      MODE: 'test',
      HTTPS_PROXY: `http://sandbox:${json.proxy_token}@127.0.0.1:3128`,
      SSL_CERT_FILE: '/etc/sallyport/ca-bundle.pem',
      NODE_EXTRA_CA_CERTS: '/etc/sallyport/ca.pem',
      OPENAI_API_KEY: json.secrets[0].placeholder,
    });
    expect(json.env.OPENAI_API_KEY).toMatch(/^sk-proj-[A-Za-z0-9]{64}$/);
    expect(json.env.TOKEN).toMatch(/^sallyport_[\w-]{43}$/);
    expect(json.files).toEqual({
      '/etc/sallyport/ca.pem': 'CA PEM\n',
      '/etc/sallyport/ca-bundle.pem': 'BUNDLE PEM\n',
    });
  });

  test('the proxy token is known to the policy by its hash only', async () => {
    const json = await created();
    expect(await admin.feed.holderOf(hashToken(json.proxy_token))).toMatchObject({
      sandboxId: json.id,
    });
    expect(await admin.feed.holderOf(hashToken(json.access_token))).toBeUndefined();
    expect((await admin.readDatabase()).includes(json.proxy_token)).toBe(false);
  });

  test('names in warnings what has no effect', async () => {
    const json = await created({
      from_template: 'python',
      from_snapshot: 'x',
      preview_access: 'public',
      env_vars: { HTTPS_PROXY: 'http://elsewhere' },
    });
    expect(json.warnings.map((text: string) => text.split(' ')[0])).toEqual([
      'from_template',
      'from_snapshot',
      'preview_access',
      'env_vars.HTTPS_PROXY',
    ]);
    expect(json.env.HTTPS_PROXY).toContain(json.proxy_token);
  });

  const many = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`K${i}`, 'openai']));
  test.each<[string, Record<string, unknown>, string]>([
    ['no name', { name: undefined }, '400 bad_request name'],
    ['an empty name', { name: '  ' }, '400 bad_request name'],
    ['an unknown secret', { secrets: { KEY: 'nobody' } }, '400 secret_not_found secrets.KEY'],
    ['a malformed variable', { secrets: { '1K': 'openai' } }, '400 bad_request secrets.1K'],
    [
      'a variable of ours',
      { secrets: { HTTPS_PROXY: 'openai' } },
      '400 bad_request secrets.HTTPS_PROXY',
    ],
    [
      'a variable in both maps',
      { secrets: { K: 'openai' }, env_vars: { K: 'x' } },
      '400 bad_request env_vars.K',
    ],
    ['33 secrets', { secrets: many }, '400 bad_request secrets'],
    [
      'a network entry with a scheme',
      { network: { allow_out: ['https://x.example.com'] } },
      '400 bad_request network.allow_out[0]',
    ],
    [
      'a network entry with a bad range',
      { network: { deny_out: ['10.0.0.0/33'] } },
      '400 bad_request network.deny_out[0]',
    ],
    ['metadata that is no text', { metadata: { a: 1 } }, '400 bad_request metadata.a'],
    ['a negative timeout', { timeout_seconds: -1 }, '400 bad_request timeout_seconds'],
    [
      'auto-delete after more than 30 days',
      { auto_delete_seconds: 2_592_001 },
      '400 bad_request auto_delete_seconds',
    ],
    [
      'two ends',
      { ttl_seconds: 5, expires_at: '2030-01-01T00:00:00Z' },
      '400 bad_request ttl_seconds',
    ],
    [
      'a source that is no range',
      { source_cidrs: ['somewhere'] },
      '400 bad_request source_cidrs[0]',
    ],
    ['an unknown workspace', { workspace: 'nowhere' }, '400 bad_request workspace'],
    ['an unknown field', { surprise: true }, '400 bad_request surprise'],
  ])('refuses %s', async (_what, extra, expected) => {
    const answer = await admin.call('POST', '/sandboxes', { name: 'box', ...extra });
    expect(refusal(answer)).toBe(expected);
  });

  test('refuses a secret that its workspace may not use', async () => {
    await admin.call('POST', '/secrets', {
      name: 'nobody_may',
      value: 'not-a-real-value',
      provider: 'openai',
      allowed_workspaces_type: 'NONE',
    });
    const answer = await admin.call('POST', '/sandboxes', {
      name: 'x',
      secrets: { K: 'nobody_may' },
    });
    expect(refusal(answer)).toBe('403 forbidden ');
  });

  test('refuses to bind a secret for a host that is never intercepted', async () => {
    await admin.call('POST', '/secrets', {
      name: 'bank',
      value: 'not-a-real-value',
      auth: { type: 'bearer' },
      hosts: ['api.bank.example'],
    });
    const answer = await admin.call('POST', '/sandboxes', { name: 'x', secrets: { K: 'bank' } });
    expect(refusal(answer)).toBe('400 bad_request secrets.K');
  });
});

describe('one sandbox', () => {
  test('is read, changed and deleted; the name and the rest stay what they were', async () => {
    const { id } = await created({ metadata: { a: '1' }, timeout_seconds: 60 });
    const read = await admin.call('GET', `/sandboxes/${id}`);
    expect(sandboxSchema.safeParse(read.json).error).toBeUndefined();
    expect(read.text).not.toContain('sp_box_');
    const changed = await admin.call('PATCH', `/sandboxes/${id}`, {
      metadata: { b: '2' },
      timeout_seconds: null,
      network: { allow_out: ['x.example.com'] },
    });
    expect(changed.json).toMatchObject({
      name: 'box',
      metadata: { b: '2' },
      timeout_seconds: null,
      network: { allow_out: ['x.example.com'], deny_out: [] },
    });
    expect((await admin.call('DELETE', `/sandboxes/${id}`)).status).toBe(204);
    expect((await admin.call('GET', `/sandboxes/${id}`)).status).toBe(404);
    expect((await admin.call('DELETE', `/sandboxes/${id}`)).status).toBe(404);
    expect(await admin.feed.snapshotOf(id)).toBeUndefined();
  });

  test('pauses once, refuses network changes meanwhile, resumes as often as asked', async () => {
    const { id } = await created({ auto_delete_seconds: 600 });
    const paused = await admin.call('POST', `/sandboxes/${id}/pause`);
    expect(paused.json).toMatchObject({ status: 'paused' });
    expect(paused.json.auto_delete_at).not.toBeNull();
    expect(refusal(await admin.call('POST', `/sandboxes/${id}/pause`))).toBe('409 conflict ');
    const network = await admin.call('PATCH', `/sandboxes/${id}`, { network: {} });
    expect(refusal(network)).toBe('409 conflict ');
    expect((await admin.call('PATCH', `/sandboxes/${id}`, { name: 'renamed' })).status).toBe(200);
    expect(await admin.feed.snapshotOf(id)).toMatchObject({ status: 'paused' });
    const tokens = new Set<string>();
    for (const verb of ['resume', 'activate', 'resume']) {
      const answer = await admin.call('POST', `/sandboxes/${id}/${verb}`);
      expect(answer.json).toMatchObject({ id, status: 'active', auto_delete_at: null });
      tokens.add(answer.json.access_token);
    }
    expect(tokens.size).toBe(3);
    expect(await admin.feed.snapshotOf(id)).toMatchObject({ status: 'active' });
  });

  test('a body is optional where none is defined, and refused where it says something', async () => {
    const { id } = await created();
    const headers = { 'x-api-key': admin.key, 'content-type': 'application/json' };
    const pause = `/sandboxes/${id}/pause`;
    expect((await admin.send(pause, { method: 'POST', headers })).status).toBe(200);
    const resume = `/sandboxes/${id}/resume`;
    expect((await admin.send(resume, { method: 'POST', headers, body: '{}' })).status).toBe(200);
    const filled = await admin.send(resume, { method: 'POST', headers, body: '{"a":1}' });
    expect(filled.status).toBe(400);
  });

  test('attach and detach take effect when they are answered', async () => {
    const { id } = await created();
    const path = `/sandboxes/${id}/secrets`;
    const bound = await admin.call('POST', path, { env_key: 'GH_TOKEN', secret_name: 'gh' });
    expect(bound.status).toBe(201);
    expect(bound.json).toMatchObject({ env_key: 'GH_TOKEN', secret_name: 'gh' });
    expect(bound.json.placeholder).toMatch(/^ghp_[A-Za-z0-9]{36}$/);
    const attached = await admin.feed.snapshotOf(id);
    expect(attached?.bindings).toMatchObject([
      { placeholder: bound.json.placeholder, detached: false },
    ]);
    const again = await admin.call('POST', path, { env_key: 'GH_TOKEN', secret_name: 'openai' });
    expect(refusal(again)).toBe('409 conflict ');
    const unknown = await admin.call('POST', path, { env_key: 'X', secret_name: 'nobody' });
    expect(refusal(unknown)).toBe('400 secret_not_found secret_name');
    expect((await admin.call('DELETE', `${path}/GH_TOKEN`)).status).toBe(204);
    expect((await admin.call('DELETE', `${path}/GH_TOKEN`)).status).toBe(404);
    const detached = await admin.feed.snapshotOf(id);
    expect(detached?.bindings).toMatchObject([{ detached: true }]);
    const anew = await admin.call('POST', path, { env_key: 'GH_TOKEN', secret_name: 'gh' });
    expect(anew.json.placeholder).not.toBe(bound.json.placeholder);
  });

  test('holds at most 32 bindings', async () => {
    const keys = Array.from({ length: 32 }, (_, i) => [`K${i}`, 'openai']);
    const { id } = await created({ secrets: Object.fromEntries(keys) });
    const body = { env_key: 'ONE_MORE', secret_name: 'openai' };
    expect((await admin.call('POST', `/sandboxes/${id}/secrets`, body)).status).toBe(400);
  });

  test('a deleted secret shows as revoked', async () => {
    await admin.call('POST', '/secrets', {
      name: 'brief',
      provider: 'openai',
      value: 'not-a-real',
    });
    const { id } = await created({ secrets: { K: 'brief' } });
    expect((await admin.call('GET', '/secrets/brief/sandboxes')).json).toEqual([
      { sandbox_id: id, sandbox_name: 'box', env_key: 'K', status: 'active' },
    ]);
    await admin.call('DELETE', '/secrets/brief');
    const { secrets } = (await admin.call('GET', `/sandboxes/${id}`)).json;
    expect(secrets).toMatchObject([{ env_key: 'K', secret_name: 'brief', revoked: true }]);
  });

  test('a new token ends the old one at once, or after the overlap', async () => {
    const { id, proxy_token: first } = await created();
    const path = `/sandboxes/${id}/token`;
    const second = (await admin.call('POST', path)).json.proxy_token;
    expect(await admin.feed.holderOf(hashToken(first))).toBeUndefined();
    const third = (await admin.call('POST', path, { overlap_seconds: 60 })).json.proxy_token;
    expect(await admin.feed.holderOf(hashToken(second))).toMatchObject({ sandboxId: id });
    admin.clock.advance(61_000);
    expect(await admin.feed.holderOf(hashToken(second))).toBeUndefined();
    expect(await admin.feed.holderOf(hashToken(third))).toMatchObject({ sandboxId: id });
  });

  test('env says the variables as they are now, TOKEN standing for the token', async () => {
    const { id, secrets } = await created({
      secrets: { KEY: 'custom' },
      env_vars: { A: "it's $HOME" },
    });
    const json = await admin.call('GET', `/sandboxes/${id}/env?ca_dir=/tmp/ca/`);
    expect(json.json).toMatchObject({
      KEY: secrets[0].placeholder,
      https_proxy: 'http://sandbox:TOKEN@127.0.0.1:3128',
      CURL_CA_BUNDLE: '/tmp/ca/ca-bundle.pem',
    });
    const shell = await admin.call('GET', `/sandboxes/${id}/env?format=shell`);
    expect(shell.text).toContain(String.raw`export A='it'\''s $HOME'` + '\n');
    expect((await admin.call('GET', `/sandboxes/${id}/env?format=csv`)).status).toBe(400);
  });

  test('disconnect is announced', async () => {
    const { id } = await created();
    expect((await admin.call('POST', `/sandboxes/${id}/disconnect`)).status).toBe(204);
    expect(admin.changes.at(-1)).toMatchObject({ kind: 'disconnect', sandboxId: id });
  });

  test.each(['GET', 'PATCH', 'DELETE'])('%s of nobody’s is not found', async (method) => {
    for (const id of ['nope', '00000000-0000-4000-8000-000000000000']) {
      const answer = await admin.call(
        method,
        `/sandboxes/${id}`,
        method === 'PATCH' ? {} : undefined,
      );
      expect(refusal(answer)).toBe('404 not_found ');
    }
  });
});

test('GET /sandboxes: newest first, by metadata, status, limit and offset', async () => {
  await using own = await startAdminFixture();
  for (const name of ['a', 'b', 'c']) {
    await own.call('POST', '/sandboxes', { name, metadata: { n: name, all: 'yes' } });
  }
  const names = async (query: string): Promise<string[]> => {
    const { json } = await own.call('GET', `/sandboxes${query}`);
    return json.map((row: { name: string }) => row.name);
  };
  expect(await names('')).toEqual(['c', 'b', 'a']);
  expect(await names('?metadata.all=yes&metadata.n=b')).toEqual(['b']);
  expect(await names('?limit=1&offset=1')).toEqual(['b']);
  expect(await names('?status=paused')).toEqual([]);
  expect((await own.call('GET', '/sandboxes?status=gone')).status).toBe(400);
  expect((await own.call('GET', '/sandboxes?colour=red')).status).toBe(400);
});

describe('what a clock does', () => {
  test('pauses after timeout_seconds, deletes after auto_delete_seconds, and announces both', async () => {
    const { id } = await created({ timeout_seconds: 60, auto_delete_seconds: 30 });
    const options = { ...admin.deps, store: admin.store.sandboxes, changes: admin.feed };
    const status = async (): Promise<unknown> =>
      (await admin.call('GET', `/sandboxes/${id}`)).json.status;
    await settleDueSandboxes(options);
    expect(await status()).toBe('active');
    admin.clock.advance(60_000);
    await settleDueSandboxes(options);
    expect(await status()).toBe('paused');
    expect(await admin.feed.snapshotOf(id)).toMatchObject({ status: 'paused' });
    await admin.call('POST', `/sandboxes/${id}/resume`);
    admin.clock.advance(31_000);
    await settleDueSandboxes(options);
    expect(await status()).toBe('active');
    admin.clock.advance(60_000);
    await settleDueSandboxes(options);
    admin.clock.advance(31_000);
    await settleDueSandboxes(options);
    expect((await admin.call('GET', `/sandboxes/${id}`)).status).toBe(404);
  });

  test('runs by itself and stops', async () => {
    const { id } = await created({ timeout_seconds: 1 });
    admin.clock.advance(1_000);
    const lifecycle = startSandboxLifecycle({
      ...admin.deps,
      store: admin.store.sandboxes,
      changes: admin.feed,
    });
    await expect
      .poll(async () => (await admin.call('GET', `/sandboxes/${id}`)).json.status, {
        timeout: 5_000,
      })
      .toBe('paused');
    await lifecycle.close();
  });
});
