/**
 * `explain` takes the decision of the proxy also where the sandbox itself or its limits refuse: code,
 * message and hint are those of the refusal that the very next request gets (I1).
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { dialProxy, proxyAuthorization } from '../support/client.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const url = `http://${HOST}:8443/`;
let scene: Scene;

beforeAll(async () => {
  scene = await startScene({ names: [HOST] });
  const placed = { auth: { type: 'bearer' }, hosts: [HOST] };
  await scene.product.createSecret('api', mintCanary(), placed);
});
afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

async function explain({ id }: TestSandbox): Promise<unknown> {
  const asked = { sandbox: id, method: 'GET', url };
  const { code, message, hint } = await scene.product.admin.must('POST', '/explain', asked);
  return { code, message, hint };
}

/** What the proxy itself says. The origin speaks TLS: what is let in fails there. */
async function send({ token }: TestSandbox): Promise<unknown> {
  using connection = await dialProxy(scene.product.proxy);
  const fields = ['Host', `${HOST}:8443`, 'Proxy-Authorization', proxyAuthorization(token)];
  const { code, message, hint } = JSON.parse(
    (await connection.request({ path: url, fields })).text(),
  ).error;
  return { code, message, hint };
}

function create(more: Readonly<Record<string, unknown>>): Promise<TestSandbox> {
  return scene.product.createSandbox({ secrets: { KEY: 'api' }, more });
}

test('I1: a paused sandbox', async () => {
  const sandbox = await create({});
  expect(await explain(sandbox)).toMatchObject({ code: null });
  await scene.product.admin.must('POST', `/sandboxes/${sandbox.id}/pause`);
  const explained = await explain(sandbox);
  expect(explained).toMatchObject({ code: 'sandbox_paused' });
  expect(await send(sandbox)).toEqual(explained);
});

test('I1: requests beyond the minute; asking counts for nothing', async () => {
  const sandbox = await create({ limits: { requests_per_minute: 1 } });
  expect(await explain(sandbox)).toMatchObject({ code: null });
  expect(await send(sandbox)).not.toMatchObject({ code: 'rate_limited' });
  const explained = await explain(sandbox);
  expect(explained).toMatchObject({ code: 'rate_limited' });
  expect(await send(sandbox)).toEqual(explained);
});
