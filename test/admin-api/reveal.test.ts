/** `POST /secrets/{name}/reveal`: the one native answer that has a value in it. */
import { expect, test } from 'vitest';
import { startAdminFixture, type AdminFixture } from './admin-fixture.ts';

const VALUE = 'not-a-real-value-0001';
const PATH = '/secrets/shown/reveal';

async function withSecret(allowReveal: boolean): Promise<AdminFixture> {
  const admin = await startAdminFixture({ allowReveal });
  await admin.call('POST', '/secrets', { name: 'shown', value: VALUE, provider: 'openai' });
  await admin.call('PATCH', '/secrets/shown', { value: `${VALUE}-2` });
  return admin;
}

test('is refused unless it is configured (I3)', async () => {
  await using admin = await withSecret(false);
  const answer = await admin.call('POST', PATH);
  expect([answer.status, answer.json.error.code]).toEqual([403, 'forbidden']);
  expect(admin.answers.join()).not.toContain(VALUE);
});

test('shows an admin the active value or the version named, and writes down who saw it', async () => {
  await using admin = await withSecret(true);
  expect((await admin.call('POST', PATH)).json).toEqual({ value: `${VALUE}-2`, version: 2 });
  const first = await admin.call('POST', '/secrets/default:default:shown:1/reveal');
  expect(first.json).toEqual({ value: VALUE, version: 1 });
  const { json } = await admin.call('GET', '/activity?action=secret.reveal');
  expect(json.data.map((row: { after: unknown }) => row.after)).toEqual([
    { version: 1 },
    { version: 2 },
  ]);
  const lines = admin.logged.filter((line) => line.startsWith('a value was revealed'));
  expect(lines).toHaveLength(2);
  expect(lines.join()).toContain('serviceaccount:bootstrap');
  expect(admin.logged.join()).not.toContain(VALUE);
});

test('other roles are refused, and what is not there is 404', async () => {
  await using admin = await withSecret(true);
  for (const role of ['operator', 'viewer']) {
    const { json } = await admin.call('POST', '/api-keys', { name: role, role });
    expect((await admin.call('POST', PATH, undefined, json.key)).status).toBe(403);
  }
  expect((await admin.call('POST', '/secrets/unknown/reveal')).status).toBe(404);
  await admin.call('DELETE', '/secrets/shown');
  expect((await admin.call('POST', PATH)).status).toBe(404);
});
