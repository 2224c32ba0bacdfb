/**
 * The calls as the two documentations show them: real curl, the same options in the same order, with only
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
  return { status: Number(stdout.slice(cut + 1)), json: JSON.parse(stdout.slice(0, cut)) };
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
    expect(await call('DELETE', `${SECRETS}/${secret.id}`)).toEqual({ status: 200, json: 1 });
    expect(await call('DELETE', `${GROUPS}/${id}`)).toEqual({ status: 200, json: {} });
  });
});
