/**
 * A CONNECT or an upgrade pipelined behind a request that still runs: nothing may be answered in the place
 * of that request, nothing dialled for it, and both are recorded (I4).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { dialProxy, proxyAuthorization } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const API = 'api.example.test';
const UPGRADE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
];
let scene: Scene;

beforeAll(async () => {
  scene = await startScene({
    names: [API],
    handlers: {
      '/slow': async (_request, response) => {
        await delay(600);
        response.end('slow');
      },
    },
  });
  const more = { auth: { type: 'bearer' }, hosts: [API], allow_plaintext: true, ports: [80, 443] };
  await scene.product.createSecret('api', mintCanary(), more);
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

async function codesOf(sandbox: TestSandbox): Promise<string[]> {
  const path = `/sandboxes/${sandbox.id}/network?limit=100`;
  const { data } = (await scene.product.admin.must('GET', path)) as {
    data: { method: string; error_code?: string }[];
  };
  return data.map(({ method, error_code: code }) => `${method} ${code}`).toSorted();
}

test.each([
  ['CONNECT', ['CONNECT evil.example:443 HTTP/1.1', 'Host: evil.example'], 'method_not_allowed'],
  ['GET', ['GET /live HTTP/1.1', `Host: ${API}`, ...UPGRADE], 'bad_request'],
])('I4 I6 a %s inside the tunnel', async (method, lines, code) => {
  const sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
  using tunnel = await scene.product.openTunnel(sandbox, `${API}:443`);
  tunnel.send(`GET /slow HTTP/1.1\r\nHost: ${API}\r\n\r\n${lines.join('\r\n')}\r\n\r\n`);
  expect((await tunnel.reader.readToEnd()).toString()).toBe('');
  await eventually(async () => {
    expect(await codesOf(sandbox)).toEqual(['GET client_aborted', `${method} ${code}`].toSorted());
  });
});

test('I1 I6 a CONNECT behind a plain request', async () => {
  const sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
  const authorization = `Proxy-Authorization: ${proxyAuthorization(sandbox.token)}`;
  using connection = await dialProxy(scene.product.proxy);
  const plain = [`GET http://${API}/slow HTTP/1.1`, `Host: ${API}`, authorization];
  const connect = [`CONNECT ${API}:443 HTTP/1.1`, `Host: ${API}`, authorization];
  connection.send(`${plain.join('\r\n')}\r\n\r\n${connect.join('\r\n')}\r\n\r\n`);
  expect((await connection.reader.readToEnd()).toString()).not.toContain('200');
});
