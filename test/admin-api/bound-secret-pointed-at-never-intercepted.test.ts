/**
 * `egress.never_intercept`: what is bound cannot be pointed at such a host afterwards, through any face,
 * where its placeholder would leave unread and nothing would be injected.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAdminFixture, type AdminFixture } from './admin-fixture.ts';

const value = 'not-a-real-value';
const auth = { type: 'bearer' };
const hosts = ['api.example.com', 'pinned.example.com'];

let admin: AdminFixture;

beforeAll(async () => {
  admin = await startAdminFixture({ neverIntercept: ['pinned.example.com'] });
});
afterAll(async () => {
  await admin[Symbol.asyncDispose]();
});

async function bind(name: string): Promise<void> {
  const { status } = await admin.call('POST', '/sandboxes', { name, secrets: { KEY: name } });
  expect(status).toBe(201);
}

test('natively: 400 at hosts, and nothing is changed', async () => {
  await admin.call('POST', '/secrets', { name: 'bound', value, auth, hosts: ['api.example.com'] });
  await bind('bound');
  for (const asked of [hosts, ['*.example.com']]) {
    const answer = await admin.call('PATCH', '/secrets/bound', { value, hosts: asked });
    expect([answer.status, answer.json.error.details[0].path]).toEqual([400, 'hosts']);
  }
  const { json } = await admin.call('GET', '/secrets/bound');
  expect(json).toMatchObject({ hosts: ['api.example.com'], version: 1 });
});

test('through Instabase and TrueFoundry', async () => {
  const aliased = { alias: 'aliased', value, allowed_workspaces_type: 'ALL' };
  await admin.call('POST', '/api/v2/aihub/secrets', aliased);
  await bind('aliased');
  const change = { alias: 'aliased', value, auth, hosts };
  expect((await admin.call('PATCH', '/api/v2/aihub/secrets', change)).status).toBe(400);

  const group = { name: 'team', secrets: [{ key: 'one', value }] };
  const { json } = await admin.call('POST', '/api/svc/v1/secret-groups', group);
  await bind('team:one');
  const full = { secrets: [{ key: 'one', value, auth, hosts }] };
  const answer = await admin.call('PUT', `/api/svc/v1/secret-groups/${json.data.id}`, full);
  expect(answer.status).toBe(422);
});

test('what nobody binds may name it, and cannot be bound', async () => {
  await admin.call('POST', '/secrets', { name: 'free', value, auth, hosts: ['api.example.com'] });
  expect((await admin.call('PATCH', '/secrets/free', { value, hosts })).status).toBe(200);
  const refused = await admin.call('POST', '/sandboxes', { name: 'x', secrets: { KEY: 'free' } });
  expect(refused.status).toBe(400);
});
