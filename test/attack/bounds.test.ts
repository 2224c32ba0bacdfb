/**
 * I7: what a hostile sandbox can hold open or make us keep is bounded, and the others notice nothing:
 * heads that never end, inside tunnels and out, pipelines without end, connections beyond the share.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { dialProxy, sendConnect } from '../support/client.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const API = 'api.example.test';
const SHARE = 60;
let scene: Scene;
let hostile: TestSandbox;
let innocent: TestSandbox;

beforeAll(async () => {
  scene = await startScene({
    names: [API],
    settings: {
      limits: {
        head_timeout_ms: 1_500,
        tls_handshake_timeout_ms: 1_500,
        connections_per_sandbox_max: SHARE,
      },
    },
  });
  await scene.product.createSecret('api', mintCanary(), { auth: { type: 'bearer' }, hosts: [API] });
  hostile = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
  innocent = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

async function innocentRequest(): Promise<number> {
  using tunnel = await scene.product.openTunnel(innocent, `${API}:443`);
  return (await tunnel.request({ path: '/' })).status;
}

test('I7 slow heads inside tunnels are answered 408 and closed; others are served meanwhile', async () => {
  const tunnels = await Promise.all(
    Array.from({ length: SHARE / 2 }, () => scene.product.openTunnel(hostile, `${API}:443`)),
  );
  for (const tunnel of tunnels) tunnel.send(`GET / HTTP/1.1\r\nHost: ${API}\r\nX-Slow: `);
  expect(await innocentRequest()).toBe(200);
  const answers = await Promise.all(tunnels.map((tunnel) => tunnel.readResponse()));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([408]));
  await Promise.all(tunnels.map((tunnel) => tunnel.reader.waitForEnd()));
});

test('I7 slow heads on the listener are closed', async () => {
  const connections = await Promise.all(
    Array.from({ length: 30 }, () => dialProxy(scene.product.proxy)),
  );
  for (const connection of connections) connection.send(`CONNECT ${API}:443 HTTP/1.1\r\nHost: `);
  expect(await innocentRequest()).toBe(200);
  await Promise.all(connections.map((connection) => connection.reader.waitForEnd()));
});

test('I7 a tunnel that never begins its handshake is closed', async () => {
  const plan = { proxy: scene.product.proxy, authority: `${API}:443`, token: hostile.token };
  const silent = await sendConnect(plan);
  const begun = await sendConnect(plan);
  begun.connection.send(Buffer.from('1603010200010001fc0303', 'hex'));
  await Promise.all([silent, begun].map((answer) => answer.connection.reader.waitForEnd()));
  expect(await innocentRequest()).toBe(200);
});

test('I7 one sandbox gets its share of connections, the others keep theirs', async () => {
  const plan = { proxy: scene.product.proxy, authority: `${API}:443`, token: hostile.token };
  const answers = await Promise.all(Array.from({ length: SHARE + 10 }, () => sendConnect(plan)));
  const reasons = answers.map(({ response }) =>
    response.status === 200 ? 'open' : response.reason,
  );
  expect(reasons.filter((reason) => reason === 'open').length).toBeLessThanOrEqual(SHARE);
  expect(new Set(reasons)).toEqual(new Set(['open', 'too_many_connections']));
  expect(await innocentRequest()).toBe(200);
  for (const answer of answers) answer.connection.destroy();
});

test('I7 a pipeline without end is cut off, not kept', async () => {
  using tunnel = await scene.product.openTunnel(hostile, `${API}:443`);
  tunnel.send(`GET / HTTP/1.1\r\nHost: ${API}\r\n\r\n`.repeat(20_000));
  await tunnel.reader.waitForEnd();
  expect(await innocentRequest()).toBe(200);
});
