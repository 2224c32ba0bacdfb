/** `secrets_mode: all` through the API: who may make and hold one, what it refuses, what it warns about. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAdminFixture, type AdminFixture, type Answer } from './admin-fixture.ts';

let admin: AdminFixture;
let box: string;

beforeAll(async () => {
  admin = await startAdminFixture();
  box = (await create()).json.id;
});
afterAll(async () => {
  await admin[Symbol.asyncDispose]();
});

function create(more: Record<string, unknown> = {}, key?: string): Promise<Answer> {
  return admin.call('POST', '/sandboxes', { name: 'box', secrets_mode: 'all', ...more }, key);
}

async function keyOf(more: Record<string, unknown>): Promise<string> {
  return (await admin.call('POST', '/api-keys', { name: 'key', ...more })).json.key;
}

async function secret(name: string, more: Record<string, unknown> = {}): Promise<Answer['json']> {
  const answer = await admin.call('POST', '/secrets', {
    name,
    value: 'not-a-real-value-0003',
    auth: { type: 'bearer' },
    hosts: [`${name}.example.com`],
    ...more,
  });
  expect(answer.status).toBe(201);
  return answer.json;
}

test('it has no variables and no placeholders', async () => {
  await secret('shown');
  const { json } = await create();
  expect(json).toMatchObject({ secrets_mode: 'all', secrets: [], warnings: [] });
  expect(Object.keys(json.env)).not.toContain('shown');
});

test('only an admin for every secret makes one, or hands out its token', async () => {
  const { id } = await secret('narrow');
  const operator = await keyOf({ role: 'operator' });
  const narrowed = await keyOf({ role: 'admin', secret_ids: [id] });
  for (const key of [operator, narrowed]) {
    expect((await create({}, key)).status).toBe(403);
    const answer = await admin.call('POST', `/sandboxes/${box}/token`, {}, key);
    expect(answer.status).toBe(403);
  }
  const bound = (await create({ secrets_mode: 'bound' }, operator)).json;
  const token = await admin.call('POST', `/sandboxes/${bound.id}/token`, {}, operator);
  expect(token.status).toBe(200);
  expect((await admin.call('POST', `/sandboxes/${box}/token`, {})).status).toBe(200);
});

test('nothing is bound to it, on creation or later', async () => {
  await secret('one');
  const beside = await create({ secrets: { ONE: 'one' } });
  expect([beside.status, beside.json.error.details[0].path]).toEqual([400, 'secrets']);
  const attach = { env_key: 'ONE', secret_name: 'one' };
  expect((await admin.call('POST', `/sandboxes/${box}/secrets`, attach)).status).toBe(409);
});

test('warnings name both secrets and the host; none where no such sandbox can have both', async () => {
  await secret('a', { hosts: ['tied.example.com'] });
  const { warnings } = await secret('b', { hosts: ['tied.example.com'] });
  expect(warnings).toEqual([expect.stringMatching(/^(a and b|b and a) .* tied\.example\.com/)]);
  expect((await create()).json.warnings).toEqual(warnings);
  const apart = await secret('c', {
    hosts: ['tied.example.com'],
    allowed_workspaces_type: 'NONE',
  });
  expect(apart.warnings).toEqual([]);
});
