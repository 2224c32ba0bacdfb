/**
 * Upgrades as spec section 8 has them: `websocket` alone is one, with the injected credential in its
 * handshake and nothing of ours in its answer; everything that only looks like one goes on as a request.
 */
import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import type { HttpConnection } from '../support/client.ts';
import { valuesOf } from '../support/origin.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const value = mintCanary();
let scene: Scene;
let sandbox: TestSandbox;

const SWITCHING =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Accept: accepted\r\nAlt-Svc: h3\r\nProxy-Status: sallyport; error=x\r\n\r\n';

beforeAll(async () => {
  scene = await startScene({
    names: [HOST],
    onUpgrade: (_request, socket: Socket) => {
      socket.write(`${SWITCHING}hello`);
      socket.on('data', (chunk) => socket.write(chunk));
    },
  });
  await scene.product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST] });
  sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

const open = (): Promise<HttpConnection> => scene.product.openTunnel(sandbox, `${HOST}:443`);

const FIELDS = {
  Connection: 'keep-alive, Upgrade',
  Upgrade: 'WebSocket',
  'Sec-WebSocket-Key': 'key',
  'Sec-WebSocket-Version': '13',
  Authorization: 'Bearer of-the-client',
};

test('a WebSocket: credential in, bytes both ways, a clean answer, a quiet log', async () => {
  using tunnel = await open();
  tunnel.sendRequest({ path: '/ws', fields: Object.entries(FIELDS).flat() });
  const head = await tunnel.readHead();
  expect(head.status).toBe(101);
  const names = head.fields.filter((_text, i) => i % 2 === 0);
  expect(names).toEqual(['Connection', 'Upgrade', 'Sec-WebSocket-Accept', 'Sallyport-Masking']);
  expect((await tunnel.reader.readExactly(5)).toString()).toBe('hello');
  tunnel.send('echo');
  expect((await tunnel.reader.readExactly(4)).toString()).toBe('echo');
  expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${value}`]);
  expect(scene.product.output.stderr).not.toContain('Warning');
});

test('a length of zero is no body', async () => {
  using tunnel = await open();
  const fields = Object.entries({ ...FIELDS, 'Content-Length': '0' }).flat();
  tunnel.sendRequest({ path: '/ws', fields });
  expect((await tunnel.readHead()).status).toBe(101);
});

test.each([
  ['without a key', { 'Sec-WebSocket-Key': undefined }],
  ['without a version', { 'Sec-WebSocket-Version': undefined }],
  ['to another protocol', { Upgrade: 'h2c' }],
  ['to one of several protocols', { Upgrade: 'websocket, h2c' }],
])('%s: dropped, the request goes on', async (_what, change) => {
  using tunnel = await open();
  const fields = Object.entries({ ...FIELDS, ...change }).flatMap(([name, text]) =>
    text === undefined ? [] : [name, text],
  );
  const answer = await tunnel.request({ path: '/ordinary', fields });
  expect(answer.status).toBe(200);
  expect(scene.origin.last.upgrade).toBe(false);
  expect(valuesOf(scene.origin.last.rawHeaders, 'upgrade')).toEqual([]);
  expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${value}`]);
});

test('with a body, or by another method, it is no upgrade', async () => {
  using tunnel = await open();
  const fields = Object.entries(FIELDS).flat();
  for (const method of ['POST', 'GET']) {
    const answer = await tunnel.request({ method, path: '/ordinary', fields, body: 'kept' });
    expect(answer.status).toBe(200);
    expect(scene.origin.last.upgrade).toBe(false);
    expect(scene.origin.last.body.toString()).toBe('kept');
  }
});
