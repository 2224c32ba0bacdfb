/** `/webhooks`: what is accepted, who may, what is shown, and isolation. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createdWebhookSchema, webhookSchema } from '../../admin-api/contract/webhook.ts';
import { startAdminFixture, type AdminFixture, type Answer } from './admin-fixture.ts';

let admin: AdminFixture;

beforeAll(async () => {
  admin = await startAdminFixture();
});
afterAll(async () => {
  await admin[Symbol.asyncDispose]();
});

const URL_OK = 'https://hooks.example.com/in';

function create(more: Record<string, unknown> = {}, key?: string): Promise<Answer> {
  return admin.call('POST', '/webhooks', { url: URL_OK, events: ['secret.rotated'], ...more }, key);
}

test('created, listed, read, changed, deleted; the signing secret once', async () => {
  const created = await create({ description: 'to the team' });
  expect(created.status).toBe(201);
  expect(createdWebhookSchema.safeParse(created.json).error).toBeUndefined();
  expect(created.json.signing_secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  const path = `/webhooks/${created.json.id}`;
  const read = await admin.call('GET', path);
  expect(webhookSchema.strict().safeParse(read.json).error).toBeUndefined();
  const changed = await admin.call('PATCH', path, {
    events: ['misuse.refused', 'misuse.refused'],
    disabled: true,
    description: null,
  });
  expect(changed.json).toMatchObject({
    events: ['misuse.refused'],
    disabled: true,
    description: null,
    url: URL_OK,
  });
  expect((await admin.call('GET', '/webhooks')).json).toEqual([changed.json]);
  expect((await admin.call('GET', `${path}/deliveries`)).json).toEqual([]);
  const tested = await admin.call('POST', `${path}/test`);
  expect(tested.json).toMatchObject({ delivered: false, error: 'There is no outside here.' });
  expect((await admin.call('GET', `${path}/deliveries`)).json).toMatchObject([
    { event: 'webhook.test', state: 'failed', attempts: 1 },
  ]);
  expect((await admin.call('DELETE', path)).status).toBe(204);
  expect((await admin.call('GET', path)).status).toBe(404);
  const actions = (await admin.call('GET', '/activity')).json.data.map(
    ({ action }: { action: string }) => action,
  );
  expect(actions.slice(0, 3)).toEqual(['webhook.delete', 'webhook.update', 'webhook.create']);
  expect((await admin.readDatabase()).includes(created.json.signing_secret.slice(6))).toBe(false);
});

test('I3: what every role reads in /activity has no path or query of a URL', async () => {
  const url = 'https://hooks.example.com/in/t0ken?key=t0ken';
  const { json } = await admin.call('POST', '/webhooks', { url, events: ['secret.rotated'] });
  const moved = { url: 'https://hooks.example.com/other/t0ken' };
  await admin.call('PATCH', `/webhooks/${json.id}`, moved);
  await admin.call('DELETE', `/webhooks/${json.id}`);
  const { text, json: activity } = await admin.call('GET', '/activity?limit=3');
  expect(text).not.toContain('t0ken');
  const shown = 'https://hooks.example.com/…';
  expect(activity.data[1]).toMatchObject({
    action: 'webhook.update',
    target: { name: shown },
    before: { url: shown },
    after: { url: shown },
  });
});

test.each([
  ['url', { url: 'http://hooks.example.com/in' }],
  ['url', { url: 'ftp://hooks.example.com/in' }],
  ['url', { url: 'https://user:pass@hooks.example.com/in' }],
  ['url', { url: 'not a url' }],
  ['events', { events: [] }],
  ['events[0]', { events: ['secret.read'] }],
])('refused for %s: %j', async (path, more) => {
  const answer = await create(more);
  expect([answer.status, answer.json.error.details[0].path]).toEqual([400, path]);
});

describe('who may', () => {
  test('admins of the whole organization, and nobody else', async () => {
    const { json } = await create();
    const secret = { name: 's', value: 'not-a-real-value-0005', provider: 'openai' };
    const { id } = (await admin.call('POST', '/secrets', secret)).json;
    for (const key of [
      { role: 'operator' },
      { role: 'viewer' },
      { role: 'admin', secret_ids: [id] },
    ]) {
      const made = (await admin.call('POST', '/api-keys', { name: 'k', ...key })).json.key;
      expect((await create({}, made)).status).toBe(403);
      expect((await admin.call('GET', '/webhooks', undefined, made)).status).toBe(403);
      const path = `/webhooks/${json.id}`;
      expect((await admin.call('DELETE', path, undefined, made)).status).toBe(403);
    }
  });

  test('at most sixteen an organization', async () => {
    let status = 201;
    for (let count = 0; count < 17 && status === 201; count += 1) status = (await create()).status;
    expect(status).toBe(409);
    expect((await admin.call('GET', '/webhooks')).json).toHaveLength(16);
  });
});
