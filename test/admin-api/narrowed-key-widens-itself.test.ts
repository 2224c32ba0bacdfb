/** A key narrowed to workspaces or secrets gets no wider one, and neither sees nor ends those of others. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startAdminFixture, type AdminFixture } from './admin-fixture.ts';

interface MadeKey {
  readonly id: string;
  readonly key: string;
}

let admin: AdminFixture;
let secretId: string;
let narrow: MadeKey;

beforeAll(async () => {
  admin = await startAdminFixture();
  for (const name of ['mine', 'other']) {
    await admin.call('POST', '/secrets', { name, value: 'not-a-real', provider: 'xai' });
  }
  await admin.call('POST', '/workspaces', { name: 'side' });
  secretId = (await admin.call('GET', '/secrets/mine')).json.id as string;
  narrow = await makeKey({ name: 'narrow', secret_ids: [secretId], workspaces: ['side'] });
});
afterAll(async () => {
  await admin[Symbol.asyncDispose]();
});

async function makeKey(body: object, as?: string): Promise<MadeKey> {
  const answer = await admin.call('POST', '/api-keys', body, as);
  expect(answer.status).toBe(201);
  return answer.json as MadeKey;
}

describe('a key that is narrowed', () => {
  test('hands its own reach on where none is named', async () => {
    const made = await makeKey({ name: 'heir' }, narrow.key);
    expect(made).toMatchObject({ secret_ids: [secretId] });
    const seen = await admin.call('GET', '/secrets', undefined, made.key);
    expect(seen.json.map((row: { name: string }) => row.name)).toEqual(['mine']);
    const body = { name: 'x', workspace: 'default' };
    expect((await admin.call('POST', '/sandboxes', body, made.key)).status).toBe(400);
  });

  test.each([
    ['a workspace of others', { workspaces: ['default'] }, 'workspaces[0]'],
    [
      'a secret of others',
      { secret_ids: ['00000000-0000-4000-8000-000000000000'] },
      'secret_ids[0]',
    ],
  ])('cannot name %s', async (_what, more, path) => {
    const answer = await admin.call('POST', '/api-keys', { name: 'w', ...more }, narrow.key);
    expect([answer.status, answer.json.error.details[0].path]).toEqual([400, path]);
  });

  test('neither sees nor ends keys that reach further', async () => {
    const wide = await makeKey({ name: 'wide' });
    const list = (await admin.call('GET', '/api-keys', undefined, narrow.key)).json as MadeKey[];
    expect(list.map(({ id }) => id)).toContain(narrow.id);
    expect(list.map(({ id }) => id)).not.toContain(wide.id);
    const ended = await admin.call('DELETE', `/api-keys/${wide.id}`, undefined, narrow.key);
    expect(ended.status).toBe(404);
    expect((await admin.call('GET', '/secrets', undefined, wide.key)).status).toBe(200);
  });
});
