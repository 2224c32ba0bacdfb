/**
 * The rows of what a change ended, or did not end, say so (proxy section 5.3): streams cut with their
 * token, connections made with a replaced token, tunnels that were there before a binding.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { openTunnel } from '../support/client.ts';
import type { HttpConnection } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { endless } from '../support/origin-replies.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const PLAIN = 'plain.example.test';
let scene: Scene;

beforeAll(async () => {
  scene = await startScene({ names: [HOST, PLAIN], handlers: { '/endless': endless() } });
  const more = { auth: { type: 'bearer' }, hosts: [HOST] };
  await scene.product.createSecret('api', mintCanary(), more);
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

interface Row {
  readonly kind: string;
  readonly host: string;
  readonly error_code?: string;
  readonly detail?: string;
}

async function rowsOf(sandbox: TestSandbox): Promise<Row[]> {
  const path = `/sandboxes/${sandbox.id}/network?limit=100`;
  return ((await scene.product.admin.must('GET', path)) as { data: Row[] }).data;
}

async function openPlain(sandbox: TestSandbox): Promise<HttpConnection> {
  const plan = { proxy: scene.product.proxy, authority: `${PLAIN}:443`, token: sandbox.token };
  const tunnel = await openTunnel({ ...plan, ca: scene.authority.caPem });
  expect((await tunnel.request({ path: '/' })).status).toBe(200);
  return tunnel;
}

async function replaceToken(sandbox: TestSandbox, overlapSeconds: number): Promise<void> {
  const body = { overlap_seconds: overlapSeconds };
  await scene.product.admin.must('POST', `/sandboxes/${sandbox.id}/token`, body);
}

test('a stream cut with its token is closed by policy, not aborted by the client', async () => {
  const sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
  using stream = await scene.product.openTunnel(sandbox, `${HOST}:443`);
  stream.sendRequest({ path: '/endless' });
  expect((await stream.readHead()).status).toBe(200);
  await replaceToken(sandbox, 0);
  await stream.reader.waitForEnd();
  await eventually(async () => {
    const codes = (await rowsOf(sandbox)).map((row) => row.error_code);
    expect(codes).toEqual(['closed_by_policy']);
  });
});

test('what connects with a replaced token ends with that token', async () => {
  const sandbox = await scene.product.createSandbox();
  await replaceToken(sandbox, 3);
  // Long enough for the watch to forget a sandbox that had nothing open when its token was replaced.
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  using tunnel = await openPlain(sandbox);
  await expect(tunnel.reader.waitForEnd(5_000)).resolves.toBeUndefined();
});

test('the row of a tunnel older than a binding says so, and explain too', async () => {
  const sandbox = await scene.product.createSandbox();
  const tunnel = await openPlain(sandbox);
  const more = { auth: { type: 'bearer' }, hosts: [PLAIN] };
  await scene.product.createSecret('later', mintCanary(), more);
  const binding = { env_key: 'LATER', secret_name: 'later' };
  await scene.product.admin.must('POST', `/sandboxes/${sandbox.id}/secrets`, binding);
  const question = { sandbox: sandbox.id, method: 'GET', url: `https://${PLAIN}/` };
  const open = await scene.product.admin.must('POST', '/explain', question);
  expect(JSON.stringify(open)).toContain('disconnect');
  tunnel.destroy();
  await eventually(async () => {
    const [row] = await rowsOf(sandbox);
    expect(row?.detail).toContain('bound after this tunnel was opened');
  });
  const ended = await scene.product.admin.must('POST', '/explain', question);
  expect(JSON.stringify(ended)).not.toContain('disconnect');
});
