/**
 * What is already open when something changes (proxy section 5.3): WebSockets, streams, plain tunnels.
 * Where the promise is "within 1 s" the test allows 2: it must end, the figure is not measured here.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { mintCanary } from '../support/canary.ts';
import { openTunnel, sendConnect } from '../support/client.ts';
import type { HttpConnection } from '../support/client.ts';
import { valuesOf } from '../support/origin.ts';
import { endless, events } from '../support/origin-replies.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'ws.example.test';
const PLAIN = 'plain.example.test';
const WITHIN_MS = 2_000;
const server = new WebSocketServer({ noServer: true });
let scene: Scene;
let count = 0;

beforeAll(async () => {
  server.on('connection', (socket: WebSocket) => {
    socket.on('message', (data: Buffer) => socket.send(`echo ${data.toString()}`));
  });
  scene = await startScene({
    names: [HOST, PLAIN],
    settings: { policy: { inflight_grace: '2s' } },
    handlers: { '/events': events(10_000, 20), '/endless': endless() },
    onUpgrade: (request: IncomingMessage, socket: Socket, head: Buffer) => {
      server.handleUpgrade(request, socket, head, (peer) => server.emit('connection', peer));
    },
  });
});

afterAll(async () => {
  for (const peer of server.clients) peer.terminate();
  await scene[Symbol.asyncDispose]();
});

interface Actors {
  readonly secret: string;
  readonly value: string;
  readonly sandbox: TestSandbox;
}

async function makeActors(): Promise<Actors> {
  count += 1;
  const secret = `secret_${count}`;
  const value = mintCanary();
  await scene.product.createSecret(secret, value, { auth: { type: 'bearer' }, hosts: [HOST] });
  return {
    secret,
    value,
    sandbox: await scene.product.createSandbox({ secrets: { KEY: secret } }),
  };
}

/** An open WebSocket through the proxy that has echoed once. */
async function openSocket(sandbox: TestSandbox): Promise<WebSocket> {
  const tunnel = await scene.product.openTunnel(sandbox, `${HOST}:443`);
  const socket = new WebSocket(`wss://${HOST}/live`, { createConnection: () => tunnel.socket });
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  expect(await say(socket, 'one')).toBe('echo one');
  return socket;
}

function say(socket: WebSocket, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once('message', (data: Buffer) => resolve(data.toString()));
    socket.once('close', () => reject(new Error('closed')));
    socket.send(text);
  });
}

function closed(socket: WebSocket): Promise<void> {
  socket.on('error', () => {});
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the WebSocket is still open')), WITHIN_MS);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    if (socket.readyState === WebSocket.CLOSED) done();
    else socket.once('close', done);
  });
}

async function openStream(sandbox: TestSandbox, path: string): Promise<HttpConnection> {
  const tunnel = await scene.product.openTunnel(sandbox, `${HOST}:443`);
  tunnel.sendRequest({ path });
  expect((await tunnel.readHead()).status).toBe(200);
  return tunnel;
}

describe('an open WebSocket', () => {
  test('was opened with the injected handshake', async () => {
    const { sandbox, value } = await makeActors();
    const socket = await openSocket(sandbox);
    const upgrades = scene.origin.requests.filter(({ upgrade }) => upgrade);
    expect(valuesOf(upgrades.at(-1)?.rawHeaders ?? [], 'authorization')).toEqual([
      `Bearer ${value}`,
    ]);
    socket.terminate();
  });

  test('stays open over a rotation', async () => {
    const { sandbox, secret } = await makeActors();
    const socket = await openSocket(sandbox);
    await scene.product.admin.must('PATCH', `/secrets/${secret}`, { value: mintCanary() });
    expect(await say(socket, 'two')).toBe('echo two');
    socket.terminate();
  });

  const endings: readonly [string, (actors: Actors) => Promise<unknown>][] = [
    ['the secret is detached', ({ sandbox }) => drop(`/sandboxes/${sandbox.id}/secrets/KEY`)],
    ['the secret is deleted', ({ secret }) => drop(`/secrets/${secret}`)],
    ['the sandbox is deleted', ({ sandbox }) => drop(`/sandboxes/${sandbox.id}`)],
    ['the sandbox is paused', ({ sandbox }) => post(`/sandboxes/${sandbox.id}/pause`)],
    ['the token is replaced', ({ sandbox }) => post(`/sandboxes/${sandbox.id}/token`)],
    ['the admin disconnects it', ({ sandbox }) => post(`/sandboxes/${sandbox.id}/disconnect`)],
    [
      'the host is denied',
      ({ sandbox }) =>
        scene.product.admin.must('PATCH', `/sandboxes/${sandbox.id}`, {
          network: { allow_out: [], deny_out: [HOST] },
        }),
    ],
  ];
  test.each(endings)('is closed when %s', async (_when, change) => {
    const actors = await makeActors();
    const socket = await openSocket(actors.sandbox);
    const end = closed(socket);
    await change(actors);
    await expect(end).resolves.toBeUndefined();
  });
});

function drop(path: string): Promise<unknown> {
  return scene.product.admin.must('DELETE', path);
}

function post(path: string): Promise<unknown> {
  return scene.product.admin.must('POST', path);
}

describe('a response in flight', () => {
  test('goes on after a rotation', async () => {
    const { sandbox, secret } = await makeActors();
    using stream = await openStream(sandbox, '/events');
    await scene.product.admin.must('PATCH', `/secrets/${secret}`, { value: mintCanary() });
    await stream.reader.readUntil('data: event 3');
    await expect(stream.reader.readUntil('data:')).resolves.toBeDefined();
  });

  test('may go on for the grace when its secret is detached, then it is cut', async () => {
    const { sandbox } = await makeActors();
    using stream = await openStream(sandbox, '/events');
    await drop(`/sandboxes/${sandbox.id}/secrets/KEY`);
    await stream.reader.readUntil('data:');
    await expect(stream.reader.waitForEnd(5_000)).resolves.toBeUndefined();
  });

  test.each([
    ['deleted', (id: string) => drop(`/sandboxes/${id}`)],
    ['paused', (id: string) => post(`/sandboxes/${id}/pause`)],
  ])('is cut at once when the sandbox is %s', async (_how, change) => {
    const { sandbox } = await makeActors();
    using stream = await openStream(sandbox, '/endless');
    await change(sandbox.id);
    await expect(stream.reader.waitForEnd(WITHIN_MS)).resolves.toBeUndefined();
  });
});

describe('a tunnel that is not intercepted', () => {
  async function openPlain(sandbox: TestSandbox): Promise<HttpConnection> {
    const plan = { proxy: scene.product.proxy, authority: `${PLAIN}:443`, token: sandbox.token };
    const tunnel = await openTunnel({ ...plan, ca: scene.authority.caPem });
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
    return tunnel;
  }

  test('stays when a binding is added', async () => {
    const { sandbox } = await makeActors();
    using tunnel = await openPlain(sandbox);
    count += 1;
    const more = { auth: { type: 'bearer' }, hosts: [PLAIN] };
    await scene.product.createSecret(`secret_${count}`, mintCanary(), more);
    const binding = { env_key: 'LATER', secret_name: `secret_${count}` };
    await scene.product.admin.must('POST', `/sandboxes/${sandbox.id}/secrets`, binding);
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([]);
  });

  test('is closed when network rules no longer allow it, and a new one is refused', async () => {
    const { sandbox } = await makeActors();
    using tunnel = await openPlain(sandbox);
    const network = { allow_out: [HOST], deny_out: [] };
    await scene.product.admin.must('PATCH', `/sandboxes/${sandbox.id}`, { network });
    await expect(tunnel.reader.waitForEnd(WITHIN_MS)).resolves.toBeUndefined();
    const plan = { proxy: scene.product.proxy, authority: `${PLAIN}:443`, token: sandbox.token };
    using refused = await sendConnect(plan);
    expect(refused.response).toMatchObject({ status: 403, reason: 'host_not_allowed' });
  });

  test('is closed when the sandbox is deleted', async () => {
    const { sandbox } = await makeActors();
    using tunnel = await openPlain(sandbox);
    await drop(`/sandboxes/${sandbox.id}`);
    await expect(tunnel.reader.waitForEnd(WITHIN_MS)).resolves.toBeUndefined();
  });
});
