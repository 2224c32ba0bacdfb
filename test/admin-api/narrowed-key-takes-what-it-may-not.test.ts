/** A key narrowed to secrets or workspaces gets at nothing else by way of sandboxes, and its pages are whole. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAdminFixture, type AdminFixture } from './admin-fixture.ts';

let admin: AdminFixture;

beforeAll(async () => {
  admin = await startAdminFixture();
  for (const name of ['mine', 'other']) {
    await admin.call('POST', '/secrets', { name, value: 'not-a-real', provider: 'xai' });
  }
  await admin.call('POST', '/workspaces', { name: 'side' });
});
afterAll(async () => {
  await admin[Symbol.asyncDispose]();
});

async function makeKey(body: object): Promise<string> {
  const { status, json } = await admin.call('POST', '/api-keys', { name: 'narrow', ...body });
  expect(status).toBe(201);
  return json.key as string;
}

test('no token of a sandbox that uses secrets the key may not use', async () => {
  const key = await makeKey({ role: 'operator', secret_ids: ['mine'] });
  const bound = { name: 'both', secrets: { A: 'mine', B: 'other' } };
  const { json: both } = await admin.call('POST', '/sandboxes', bound);
  const refused = await admin.call('POST', `/sandboxes/${both.id}/token`, {}, key);
  expect([refused.status, refused.json.error.code]).toEqual([403, 'forbidden']);

  await admin.call('DELETE', `/sandboxes/${both.id}/secrets/B`);
  expect((await admin.call('POST', `/sandboxes/${both.id}/token`, {}, key)).status).toBe(200);
});

test.each([
  ['POST', '/secrets', { name: 'new', value: 'not-a-real', provider: 'xai' }],
  [
    'POST',
    '/api/v2/aihub/secrets',
    { alias: 'new', value: 'not-a-real', allowed_workspaces_type: 'ALL' },
  ],
])('no new secret, which it could not see: %s %s', async (method, path, body) => {
  const key = await makeKey({ role: 'admin', secret_ids: ['mine'] });
  expect((await admin.call(method, path, body, key)).status).toBe(403);
  expect((await admin.call('GET', '/secrets/new')).status).toBe(404);
});

test('limit and offset count the sandboxes that the key may see', async () => {
  const key = await makeKey({ role: 'viewer', workspaces: ['side'] });
  await admin.call('POST', '/sandboxes', { name: 'older', workspace: 'side' });
  await admin.call('POST', '/sandboxes', { name: 'newer', workspace: 'side' });
  await admin.call('POST', '/sandboxes', { name: 'newest' });
  const names = async (query: string): Promise<string[]> => {
    const { json } = await admin.call('GET', `/sandboxes?${query}`, undefined, key);
    return json.map((row: { name: string }) => row.name);
  };
  expect(await names('limit=1')).toEqual(['newer']);
  expect(await names('limit=1&offset=1')).toEqual(['older']);
  expect(await names('limit=1&offset=2')).toEqual([]);
});
