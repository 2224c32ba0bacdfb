/** WebSocket clients of JavaScript with their usual proxy agents, unmodified, in a sandbox. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { openHome, runClient } from '../sdk/client-program.ts';
import type { ClientHome } from '../sdk/client-program.ts';
import { expectOneRefusal, expectUses } from '../sdk/use-record.ts';
import { mintCanary } from '../support/canary.ts';
import { valuesOf } from '../support/origin.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'live.example.test';
const URL = `wss://${HOST}/live?room=7`;
const key = mintCanary();
const server = new WebSocketServer({ noServer: true, perMessageDeflate: true });

const CLIENTS = [
  'ws with https-proxy-agent',
  'ws with hpagent',
  'undici WebSocket',
  "Node's WebSocket",
];
/** The others say only that there was an error, as the WHATWG wants it. */
const SAY_STATUS = CLIENTS.filter((client) => client.startsWith('ws '));

let scene: Scene;

beforeAll(async () => {
  server.on('connection', (socket) => {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  });
  scene = await startScene({
    names: [HOST],
    onUpgrade: (request, socket, head) => {
      server.handleUpgrade(request, socket, head, (client) => {
        server.emit('connection', client, request);
      });
    },
  });
  await scene.product.createSecret('live', key, { auth: { type: 'bearer' }, hosts: [HOST] });
});
beforeEach(() => scene.origin.clear());
afterAll(() => scene[Symbol.asyncDispose]());

async function openAgent(): Promise<ClientHome> {
  const sandbox = await scene.product.createSandbox({ secrets: { API_KEY: 'live' } });
  return openHome(scene.product, sandbox);
}

describe.each(CLIENTS)('%s', (client) => {
  test('talks in both directions with the key in its handshake', async () => {
    const home = await openAgent();
    const answer = await runClient(home, 'websocket', client, URL);
    expect(answer).toEqual({ echo: 'hello', same: true, code: 1000, reason: 'bye' });
    expect(scene.origin.requests).toHaveLength(1);
    expect(scene.origin.last).toMatchObject({ upgrade: true, url: '/live?room=7' });
    const { rawHeaders } = scene.origin.last;
    expect(valuesOf(rawHeaders, 'authorization')).toEqual([`Bearer ${key}`]);
    expect(valuesOf(rawHeaders, 'proxy-authorization')).toEqual([]);
    await scene.product.assertNoLeak(key);
    await expectUses(scene.product, 'live', home.sandbox, ['GET /live 101']);
  });
});

test.each(SAY_STATUS)('%s says with which status its handshake was refused', async (client) => {
  const home = await openAgent();
  await scene.product.admin.must('DELETE', `/sandboxes/${home.sandbox.id}/secrets/API_KEY`);
  const answer = await runClient(home, 'websocket', client, URL);
  expect(answer).toEqual({ error: 'Unexpected server response: 503' });
  expect(scene.origin.requests).toEqual([]);
  await expectOneRefusal(scene.product, 'live', home.sandbox, 'credential_revoked');
});
