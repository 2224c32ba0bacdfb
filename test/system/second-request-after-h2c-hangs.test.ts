/**
 * An `Upgrade` that is not made (Java's HttpClient offers h2c with every plain request) used to leave the
 * connection deaf: the second request was never read, a broken body never refused.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dialProxy, proxyAuthorization } from '../support/client.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import type { TestSandbox } from '../support/product.ts';
import { Origin } from '../support/origin.ts';

const HOST = 'api.example.test';
const PLAIN = 'plain.example.test';
const H2C = [
  'Connection',
  'Upgrade, HTTP2-Settings',
  'Upgrade',
  'h2c',
  'HTTP2-Settings',
  'AAMAAABk',
];
let scene: Scene;
let plain: Origin;
let sandbox: TestSandbox;

beforeAll(async () => {
  plain = await Origin.start();
  scene = await startScene({ names: [HOST], hosts: { [PLAIN]: plain.address } });
  await scene.product.createSecret('api', 'not-a-real-key-of-h2c', {
    auth: { type: 'bearer' },
    hosts: [HOST],
  });
  sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
  await plain.close();
});

test('I6 inside a tunnel every request is answered, with and without a body', async () => {
  using tunnel = await scene.product.openTunnel(sandbox, `${HOST}:443`);
  for (const plan of [
    { path: '/1', fields: H2C },
    { path: '/2', fields: H2C, method: 'POST', body: 'five.' },
    { path: '/3', fields: H2C, method: 'POST', body: 'five.', chunked: true },
    { path: '/4' },
  ]) {
    expect((await tunnel.request(plan)).status).toBe(200);
    expect(scene.origin.last.url).toBe(plan.path);
    expect(scene.origin.last.rawHeaders.map((text) => text.toLowerCase())).not.toContain('upgrade');
  }
});

test('plain requests as well', async () => {
  using connection = await dialProxy(scene.product.proxy);
  const credentials = ['Host', PLAIN, 'Proxy-Authorization', proxyAuthorization(sandbox.token)];
  for (const path of [`http://${PLAIN}/1`, `http://${PLAIN}/2`]) {
    const answer = await connection.request({ path, fields: [...credentials, ...H2C] });
    expect(answer.status).toBe(200);
    expect(plain.last.url).toBe(new URL(path).pathname);
  }
});

test('I6 a broken chunk behind it is refused', async () => {
  using tunnel = await scene.product.openTunnel(sandbox, `${HOST}:443`);
  const fields = H2C.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('');
  tunnel.socket.write(
    `POST /5 HTTP/1.1\r\nHost: ${HOST}\r\n${fields}Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n`,
  );
  expect((await tunnel.readResponse()).status).toBe(400);
});
