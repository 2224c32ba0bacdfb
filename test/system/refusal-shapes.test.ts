/**
 * What shapes a refusal beside its code: what the client accepts, whether it speaks gRPC, and that nothing
 * makes the refusal of a CONNECT look like an open tunnel.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { sendConnect } from '../support/client.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
let scene: Scene;
let sandbox: TestSandbox;

beforeAll(async () => {
  scene = await startScene({ names: [HOST] });
  const more = { auth: { type: 'bearer' }, hosts: [HOST], methods: ['GET'] };
  await scene.product.createSecret('api', mintCanary(), more);
  sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

test('a CONNECT that says it is gRPC is refused with its status, never with a 200', async () => {
  const plan = { proxy: scene.product.proxy, authority: `${HOST}:25`, token: sandbox.token };
  using answer = await sendConnect({ ...plan, fields: ['Content-Type', 'application/grpc'] });
  const { response } = answer;
  expect([response.status, response.reason]).toEqual([403, 'port_denied']);
  expect(response.json()).toMatchObject({ error: { code: 'port_denied' } });
});

test('gRPC inside gets trailers-only with the mapped status', async () => {
  using tunnel = await scene.product.openTunnel(sandbox, `${HOST}:443`);
  const fields = ['Content-Type', 'application/grpc+proto', 'TE', 'trailers'];
  const answer = await tunnel.request({ method: 'POST', path: '/', fields, body: 'x' });
  expect([answer.status, answer.text()]).toEqual([200, '']);
  expect(answer.field('grpc-status')).toBe('7');
  expect(answer.field('grpc-message')).toContain('credential_not_permitted');
});

test.each([
  ['nothing said', [], 'application/json'],
  [
    'JSON in the second of two lines',
    ['Accept', 'text/html', 'Accept', 'application/json'],
    'application/json',
  ],
  ['a vendor JSON', ['Accept', 'application/vnd.github+json'], 'application/json'],
  ['HTML alone', ['Accept', 'text/html'], 'text/plain'],
  ['JSON excluded', ['Accept', 'application/json;q=0'], 'text/plain'],
])('the body for %s', async (_what, fields, type) => {
  using tunnel = await scene.product.openTunnel(sandbox, `${HOST}:443`);
  const answer = await tunnel.request({ method: 'DELETE', path: '/', fields });
  expect(answer.field('content-type')?.split(';')[0]).toBe(type);
});
