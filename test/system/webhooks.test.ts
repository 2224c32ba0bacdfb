/**
 * Webhooks on the whole product: each event told once it happened, signed, through the address guard, and
 * after a kill by the next process. Never a value.
 */
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { eventually } from '../support/eventually.ts';
import { reply } from '../support/origin-replies.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const OTHER = 'other.example.test';
const HOOKS = 'hooks.example.test';
const value = mintCanary();
let scene: Scene;
let hook: { id: string; signing_secret: string };
let isDown = false;
const told: { type: string; data: Record<string, unknown>; headers: Record<string, unknown> }[] =
  [];

beforeAll(async () => {
  scene = await startScene({
    names: [HOST, OTHER, HOOKS],
    handlers: {
      '/hook': async (request, response, body) => {
        const text = (await body()).toString();
        if (isDown) {
          response.statusCode = 500;
          response.end();
          return;
        }
        told.push({ ...JSON.parse(text), headers: { ...request.headers, text } });
        response.end();
      },
      '/denied': reply(401, 'no', ['WWW-Authenticate', 'Bearer error="invalid_token"']),
      '*': reply(200, 'ok'),
    },
  });
  hook = await scene.product.admin.must('POST', '/webhooks', {
    url: `https://${HOOKS}/hook`,
    events: ['secret.first_used', 'secret.rotated', 'secret.auth_failed', 'misuse.refused'],
  });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

const toldOf = (type: string) => told.filter((one) => one.type === type);

test('first use, refused credential, misuse and rotation are told, each with its facts', async () => {
  const { product } = scene;
  const { admin } = product;
  const { id } = await product.createSecret('api', value, {
    auth: { type: 'bearer' },
    hosts: [HOST],
  });
  const sandbox = await product.createSandbox({
    secrets: { API_KEY: 'api' },
    more: { intercept: 'all' },
  });
  using tunnel = await product.openTunnel(sandbox, `${HOST}:443`);
  for (let count = 0; count < 3; count += 1) await tunnel.request({ path: '/' });
  await eventually(() => {
    expect(toldOf('secret.first_used')).toHaveLength(1);
  });
  expect(toldOf('secret.first_used')[0]?.data).toMatchObject({
    secret_id: id,
    secret_name: 'api',
    sandbox_id: sandbox.id,
    host: HOST,
  });
  await tunnel.request({ path: '/denied' });
  await tunnel.request({ path: '/denied' });
  await eventually(() => {
    expect(toldOf('secret.auth_failed')).toHaveLength(1);
  });
  expect(toldOf('secret.auth_failed')[0]?.data).toMatchObject({ secret_id: id, count: 1 });

  using other = await product.openTunnel(sandbox, `${OTHER}:443`);
  const fields = ['Authorization', `Bearer ${sandbox.placeholders['API_KEY']}`];
  for (let count = 0; count < 3; count += 1) {
    expect((await other.request({ path: '/x', fields })).status).toBe(403);
  }
  await eventually(() => {
    expect(toldOf('misuse.refused')).toHaveLength(1);
  });
  expect(toldOf('misuse.refused')[0]?.data).toMatchObject({
    code: 'credential_host_mismatch',
    secret_id: id,
    host: OTHER,
    path: '/x',
  });

  await admin.must('PATCH', '/secrets/api', { value: mintCanary() });
  await eventually(() => {
    expect(toldOf('secret.rotated')).toHaveLength(1);
  });
  expect(toldOf('secret.rotated')[0]?.data).toMatchObject({ secret_name: 'api', version: 2 });

  for (const { headers } of told) {
    const key = Buffer.from(hook.signing_secret.replace('whsec_', ''), 'base64');
    const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${String(headers['text'])}`;
    const expected = createHmac('sha256', key).update(signed).digest('base64');
    expect(headers['webhook-signature']).toBe(`v1,${expected}`);
    expect(headers['text']).not.toContain(value);
  }
  const listed = await admin.must('GET', '/webhooks');
  expect(JSON.stringify(listed)).not.toContain('whsec_');
  await product.assertNoLeak(value);
});

test('what could not be delivered is delivered after a kill', async () => {
  const { product } = scene;
  isDown = true;
  await product.admin.must('PATCH', '/secrets/api', { value: mintCanary() });
  const path = `/webhooks/${hook.id}/deliveries?limit=1`;
  await eventually(async () => {
    const [delivery] = await product.admin.must('GET', path);
    expect(delivery).toMatchObject({ state: 'pending', attempts: 1, last_status: 500 });
  });
  await product.restart('kill');
  isDown = false;
  await eventually(() => {
    expect(toldOf('secret.rotated')).toHaveLength(2);
  }, 12_000);
});

test('a test is sent once and says what became of it; internal addresses are refused', async () => {
  const { admin } = scene.product;
  expect(await admin.must('POST', `/webhooks/${hook.id}/test`)).toMatchObject({
    delivered: true,
    status: 200,
  });
  expect(toldOf('webhook.test')).toHaveLength(1);
  const internal = await admin.must('POST', '/webhooks', {
    url: 'https://169.254.169.254/latest',
    events: ['secret.rotated'],
  });
  const tested = await admin.must('POST', `/webhooks/${internal.id}/test`);
  expect(tested).toMatchObject({ delivered: false, status: null });
  expect(tested.error).toMatch(/internal address \(metadata\)/);
  const own = await admin.must('POST', '/webhooks', {
    url: admin.origin.replace('http:', 'https:'),
    events: ['secret.rotated'],
  });
  const asked = await admin.must('POST', `/webhooks/${own.id}/test`);
  expect(asked.error).toMatch(/internal address \(listener\)/);
});
