import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { connect } from 'node:net';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAdmin, type AdminListener, type AdminListenOptions } from '../../admin-api/start.ts';
import { StartError } from '../../src/kernel/errors.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/limits.ts';
import { TestAuthority } from '../support/test-authority.ts';
import { startAdminFixture, type AdminFixture } from './admin-fixture.ts';

let admin: AdminFixture;
let options: AdminListenOptions;
let listener: AdminListener;

beforeAll(async () => {
  admin = await startAdminFixture();
  options = {
    handler: admin.handler,
    listen: { host: '127.0.0.1', port: 0 },
    logger: admin.deps.logger,
    limits: DEFAULT_LIMITS,
  };
  listener = await startAdmin(options);
});
afterAll(async () => {
  await listener.close();
  await admin[Symbol.asyncDispose]();
});

async function sendRaw(bytes: string): Promise<string> {
  const [host, port] = listener.address.split(':');
  const socket = connect(Number(port), host);
  await once(socket, 'connect');
  socket.write(bytes);
  return text(socket);
}

test('serves on a free port, with the address of the peer', async () => {
  let seen = '';
  const own = await startAdmin({
    ...options,
    handler: async (_request, peer) => {
      seen = peer.address;
      return new Response('ok');
    },
  });
  expect((await fetch(`http://${own.address}/`)).status).toBe(200);
  expect(seen).toBe('127.0.0.1');
  await own.close();
});

test('a port that is taken is a start error that names it', async () => {
  const port = Number(listener.address.split(':')[1]);
  const second = startAdmin({ ...options, listen: { host: '127.0.0.1', port } });
  await expect(second).rejects.toThrow(StartError);
  await expect(second).rejects.toThrow(String(port));
});

test('a body that is too large is answered, not cut off', async () => {
  const response = await fetch(`http://${listener.address}/secrets`, {
    method: 'POST',
    headers: { 'x-api-key': admin.key },
    body: 'a'.repeat(4 * 1024 * 1024),
  });
  expect(response.status).toBe(413);
  const after = await fetch(`http://${listener.address}/healthz`);
  expect(after.status).toBe(200);
});

test('what is not HTTP, or a host that is none, is refused and nothing breaks', async () => {
  expect(await sendRaw('\x16\x03\x01\r\n\r\n')).toContain('400');
  const strange = 'GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n';
  expect(await sendRaw(strange)).toMatch(/^HTTP\/1\.1 400/);
  expect((await fetch(`http://${listener.address}/healthz`)).status).toBe(200);
});

test('over TLS where a certificate is given', async () => {
  const authority = new TestAuthority();
  const own = await startAdmin({ ...options, tls: authority.mintLeaf(['127.0.0.1']) });
  const request = get(`https://${own.address}/healthz`, { ca: authority.caPem });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  expect(response.statusCode).toBe(200);
  expect(await text(response)).toContain('ok');
  await own.close();
});

test('closing lets go of kept-alive connections', async () => {
  const own = await startAdmin(options);
  await fetch(`http://${own.address}/healthz`);
  await own.close();
  await expect(fetch(`http://${own.address}/healthz`)).rejects.toThrow('fetch failed');
});
