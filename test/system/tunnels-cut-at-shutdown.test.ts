/**
 * A download through a tunnel was cut off at SIGTERM as soon as no intercepted exchange ran: the proxy does
 * not know what a tunnel carries, but it sees that bytes move.
 */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HttpConnection, sendConnect } from '../support/client.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';

const HOST = 'files.example.test';
const PIECES = 12;
const EVERY_MS = 150;
let product: Product;
let sandbox: TestSandbox;
const sockets = new Set<Socket>();

/** Sends what it was asked for, piece by piece, for longer than a tunnel may be silent. */
const origin = createServer((socket) => {
  sockets.add(socket);
  socket.on('error', () => {});
  socket.once('data', () => {
    let sent = 0;
    const timer = setInterval(() => {
      sent += 1;
      socket.write(`piece ${sent}\n`);
      if (sent < PIECES) return;
      clearInterval(timer);
      socket.end();
    }, EVERY_MS);
    socket.once('close', () => clearInterval(timer));
  });
});

beforeAll(async () => {
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  const { port } = origin.address() as AddressInfo;
  product = await startProduct({ hosts: { [HOST]: `127.0.0.1:${port}` } });
  sandbox = await product.createSandbox();
});

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  for (const socket of sockets) socket.destroy();
  origin.close();
});

async function openRaw(): Promise<Socket> {
  const authority = `${HOST}:443`;
  const socket = connect(product.proxy.port, product.proxy.host);
  const plan = { proxy: product.proxy, authority, token: sandbox.token };
  const { response } = await sendConnect(plan, new HttpConnection(socket, authority));
  expect(response.status).toBe(200);
  socket.removeAllListeners('data');
  return socket;
}

test('I4 a tunnel that carries something at SIGTERM comes to its end; a silent one does not wait', async () => {
  const idle = await openRaw();
  const busy = await openRaw();
  let received = '';
  busy.on('data', (chunk: Buffer) => {
    received += chunk.toString();
  });
  const began = new Promise((resolve) => busy.once('data', resolve));
  busy.write('all of it');
  await began;
  const idleEnded = new Promise((resolve) => idle.once('close', resolve));
  idle.on('error', () => {}).resume();
  await product.stop();
  await idleEnded;
  expect(received).toContain(`piece ${PIECES}\n`);
});
