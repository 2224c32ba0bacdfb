/**
 * After a refusal: a connection that was told to close is closed, also when its client keeps its half
 * open (I7), and the audit row of a request that was refused early has its path, without query or placeholder.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { sendConnect } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
let scene: Scene;
let sandbox: TestSandbox;

beforeAll(async () => {
  scene = await startScene({ names: [HOST] });
  const more = { auth: { type: 'bearer' }, hosts: [HOST], methods: ['POST'] };
  await scene.product.createSecret('api', mintCanary(), more);
  sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

/** Client connections the proxy counts. */
async function countClients(): Promise<number> {
  const { text } = await scene.product.admin.get('/metrics');
  return Number(/^sallyport_connections\{kind="client"\} (\d+)$/m.exec(text)?.[1]);
}

test('of a CONNECT: the client that keeps its half open is cut off', async () => {
  const plan = { proxy: scene.product.proxy, authority: `${HOST}:25`, token: sandbox.token };
  const answers = [await sendConnect(plan), await sendConnect({ ...plan, token: 'unknown' })];
  expect(answers.map(({ response }) => response.status)).toEqual([403, 407]);
  // The one that was challenged may go on; the other is gone although its client never closed.
  await eventually(async () => expect(await countClients()).toBe(1));
  for (const answer of answers) answer[Symbol.dispose]();
  await eventually(async () => expect(await countClients()).toBe(0));
});

test('of an upgrade: likewise', async () => {
  using tunnel = await scene.product.openTunnel(sandbox, `${HOST}:443`);
  const upgrade = ['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Key', 'a'];
  const fields = [...upgrade, 'Sec-WebSocket-Version', '13'];
  expect((await tunnel.request({ path: '/', fields })).status).toBe(403);
  await eventually(async () => expect(await countClients()).toBe(0));
});

test('the audit row has the path of what was refused early', async () => {
  using tunnel = await scene.product.openTunnel(sandbox, `${HOST}:443`);
  const placeholder = sandbox.placeholders['KEY'] ?? '';
  const host = ['Host', 'other.example.test'];
  expect((await tunnel.request({ path: `/a/${placeholder}?q=1`, fields: host })).status).toBe(421);
  expect((await tunnel.request({ path: `https://${host[1]}/b?q=2` })).status).toBe(421);
  expect((await tunnel.request({ method: 'TRACE', path: '/c?q=3' })).status).toBe(405);
  await eventually(async () => {
    const path = `/sandboxes/${sandbox.id}/network?limit=3`;
    const { data } = (await scene.product.admin.must('GET', path)) as {
      data: readonly { path: string }[];
    };
    expect(data.map((row) => row.path)).toEqual(['/c', '/b', '/a/{KEY}']);
  });
});
