/**
 * The calls as the three documentations show them: real curl, the same options in the same order, with only
 * host, token and values of our own.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startAdmin, type AdminListener } from '../../admin-api/start.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/limits.ts';
import { startAdminFixture, type AdminFixture } from '../admin-api/admin-fixture.ts';
import { runTool } from '../support/tool.ts';
import { GROUPS, SECRETS } from './facade-call.ts';
import { lacks } from '../support/missing-tools.ts';

let admin: AdminFixture;
let listener: AdminListener;

beforeAll(async () => {
  admin = await startAdminFixture();
  for (const name of ['workspace1', 'workspace2'])
    await admin.call('POST', '/workspaces', { name });
  listener = await startAdmin({
    handler: admin.handler,
    listen: { host: '127.0.0.1', port: 0 },
    logger: admin.deps.logger,
    limits: DEFAULT_LIMITS,
  });
});

afterAll(async () => {
  await listener.close();
  await admin[Symbol.asyncDispose]();
});

// The answers are of every shape; each test asserts what it reads.
// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

/** The status and the JSON that curl printed. */
async function curl(...args: readonly string[]): Promise<{ status: number; json: Json }> {
  const more = ['--silent', '--show-error', '--noproxy', '*', '--write-out', '\n%{http_code}'];
  const { stdout, stderr, code } = await runTool('curl', [...more, ...args]);
  if (code !== 0) throw new Error(stderr);
  const cut = stdout.lastIndexOf('\n');
  const text = stdout.slice(0, cut);
  const json = text === '' ? undefined : JSON.parse(text);
  return { status: Number(stdout.slice(cut + 1)), json };
}

function jsonOptions(header: string, data: string, body: unknown): readonly string[] {
  if (body === undefined) return [];
  return [header, 'Content-Type: application/json', data, JSON.stringify(body, null, 2)];
}

describe.skipIf(lacks('curl'))('Instabase AI Hub', () => {
  const call = (
    method: string,
    body?: unknown,
    query = '',
  ): Promise<{ status: number; json: Json }> =>
    curl(
      '-X',
      method,
      `http://${listener.address}/api/v2/aihub/secrets${query}`,
      '-H',
      `Authorization: Bearer ${admin.key}`,
      '-H',
      'IB-Context: default',
      ...jsonOptions('-H', '-d', body),
    );

  test('create, list, update, delete', async () => {
    const created = await call('POST', {
      alias: 'my_secret',
      description: 'Of a test',
      value: 'not-a-real password',
      allowed_workspaces_type: 'SOME',
      allowed_workspaces: ['workspace1', 'workspace2'],
    });
    expect(created).toEqual({ status: 200, json: {} });
    const listed = await call('GET', undefined, '?workspace=workspace1&alias=my_secret');
    expect(listed.json.secrets).toMatchObject([
      { alias: 'my_secret', allowed_workspaces: ['workspace1', 'workspace2'] },
    ]);
    const change = { alias: 'my_secret', value: 'not-a-real two', allowed_workspaces_type: 'ALL' };
    expect(await call('PATCH', change)).toEqual({ status: 200, json: {} });
    expect(await call('DELETE', { alias: 'my_secret' })).toEqual({ status: 200, json: {} });
    expect((await call('DELETE', { alias: 'my_secret' })).status).toBe(404);
  });
});

describe.skipIf(lacks('curl'))('Superserve', () => {
  const call = (method: string, path: string, body?: unknown) =>
    curl(
      '-X',
      method,
      `http://${listener.address}${path}`,
      '-H',
      `X-API-Key: ${admin.key}`,
      ...jsonOptions('-H', '-d', body),
    );

  test('a secret by provider, one by hand, bound to a sandbox, rotated, deleted', async () => {
    const shortcut = { name: 'ANTHROPIC_PROD', value: 'not-a-real', provider: 'anthropic' };
    expect((await call('POST', '/secrets', shortcut)).json.provider_shortcut).toBe('anthropic');
    const auth = { type: 'api-key', header: 'X-Internal-Key' };
    const byHand = { name: 'INTERNAL', value: 'not-a-real', auth, hosts: ['api.internal.dev'] };
    expect((await call('POST', '/secrets', byHand)).status).toBe(201);
    expect((await call('GET', '/secrets')).json).toHaveLength(2);
    expect((await call('GET', '/providers')).json.length).toBeGreaterThan(18);
    const secrets = { ANTHROPIC_API_KEY: 'ANTHROPIC_PROD' };
    const sandbox = await call('POST', '/sandboxes', { name: 'agent', secrets });
    expect([sandbox.status, sandbox.json.secrets]).toMatchObject([
      201,
      [{ env_key: 'ANTHROPIC_API_KEY', secret_name: 'ANTHROPIC_PROD', revoked: false }],
    ]);
    const binding = { env_key: 'INTERNAL_KEY', secret_name: 'INTERNAL' };
    const path = `/sandboxes/${sandbox.json.id}/secrets`;
    expect(await call('POST', path, binding)).toMatchObject({ status: 201, json: binding });
    const rotated = await call('PATCH', '/secrets/ANTHROPIC_PROD', { value: 'not-a-real-2' });
    expect(rotated.status).toBe(200);
    expect((await call('GET', '/secrets/ANTHROPIC_PROD/audit?limit=50')).json).toEqual([]);
    expect((await call('GET', '/secrets/ANTHROPIC_PROD/sandboxes')).json).toHaveLength(1);
    expect((await call('DELETE', `${path}/INTERNAL_KEY`)).status).toBe(204);
    expect((await call('DELETE', '/secrets/ANTHROPIC_PROD')).status).toBe(204);
    expect((await call('GET', '/secrets/ANTHROPIC_PROD')).status).toBe(404);
    expect((await call('DELETE', '/secrets/INTERNAL')).status).toBe(204);
  });
});

describe.skipIf(lacks('curl'))('TrueFoundry', () => {
  const call = (method: string, path: string, body?: unknown) =>
    curl(
      '--request',
      method,
      '--url',
      `http://${listener.address}${path}`,
      '--header',
      `Authorization: Bearer ${admin.key}`,
      ...jsonOptions('--header', '--data', body),
    );

  test('groups and secrets', async () => {
    const secrets = [{ key: 'my-key', value: 'not-a-real-value-0001' }];
    const created = await call('POST', GROUPS, { name: 'my-group', integrationId: 'i', secrets });
    expect([created.status, created.json.data.fqn]).toEqual([200, 'default:my-group']);
    const { id } = created.json.data;
    expect((await call('GET', `${GROUPS}?limit=10&offset=0`)).json.pagination.total).toBe(1);
    const listed = await call('POST', SECRETS, { secretGroupId: id });
    const [secret] = listed.json.data;
    expect((await call('GET', `${SECRETS}/${secret.id}`)).json.data.name).toBe('my-key');
    expect((await call('GET', `${GROUPS}/${id}`)).json.data.name).toBe('my-group');
    const kept = [{ key: 'my-key' }, { key: 'my-other-key', value: 'not-a-real-value-0002' }];
    const written = await call('PUT', `${GROUPS}/${id}`, { secrets: kept });
    expect(written.json.data.associatedSecrets).toHaveLength(2);
    const manifest = { type: 'secret-group', name: 'my-group', collaborators: [] };
    expect((await call('PUT', GROUPS, { manifest, dryRun: false })).json.data.id).toBe(id);
    const gone = `${SECRETS}/${secret.id}?forceDelete=false`;
    expect(await call('DELETE', gone)).toEqual({ status: 200, json: 1 });
    expect(await call('DELETE', `${GROUPS}/${id}?forceDelete=false`)).toEqual({
      status: 200,
      json: {},
    });
  });
});
