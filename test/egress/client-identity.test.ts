/** Connections that show a client certificate: shared by nobody else, resumed by nobody else, retired. */
import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createTrust } from '../../src/egress/trust.ts';
import type { ClientIdentity, UpstreamRequest } from '../../src/egress/upstream.ts';
import { Hidden } from '../../src/kernel/hidden.ts';
import { FIXED } from '../../src/kernel/limits.ts';
import { TestAuthority } from '../support/test-authority.ts';
import { originAt, requestTo, run, start } from './exchange-recorder.ts';
import { closeAll, settle, upstreamWith } from './upstream-kit.ts';

const HOST = 'api.example.com';
const authority = new TestAuthority();
const leaf = authority.mintLeaf([HOST]);
const trust = createTrust({ extraCaPems: [authority.caPem] });
const names: (string | undefined)[] = [];
const sockets: TLSSocket[] = [];
const held: (() => void)[] = [];
let port = 0;

/** HTTP/1.1 and HTTP/2; `/held` is answered when the test says so. */
const server = createSecureServer({
  cert: leaf.certPem,
  key: leaf.keyPem,
  ca: authority.caPem,
  requestCert: true,
  rejectUnauthorized: false,
  allowHTTP1: true,
});
server.on('secureConnection', (socket: TLSSocket) => {
  names.push(socket.getPeerCertificate()?.subject?.CN?.toString());
  sockets.push(socket);
  socket.on('error', () => undefined);
});
server.on('request', (request, response) => {
  const finish = (): void => void response.end('ok');
  if (request.url === '/held') held.push(finish);
  else finish();
});

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});

afterEach(async () => {
  for (const finish of held.splice(0)) finish();
  await closeAll();
  names.length = 0;
  sockets.length = 0;
});

afterAll(() => {
  server.close();
});

function identity(id: string): ClientIdentity {
  const { certPem, keyPem } = authority.mintLeaf([`client ${id}`], { client: true });
  return { id, secretId: `secret of ${id}`, pem: new Hidden(certPem + keyPem) };
}

function requestWith(
  clientIdentity: ClientIdentity | null,
  more: Partial<UpstreamRequest> = {},
): UpstreamRequest {
  return requestTo(originAt(port, { scheme: 'https', port: 443, clientIdentity }), more);
}

describe.each(['http/1.1', 'h2'] as const)('over %s', (protocol) => {
  test('each certificate, and none, has connections of its own; the same one shares', async () => {
    const upstream = upstreamWith({ trust });
    const [one, other] = [identity('one'), identity('other')];
    for (const shown of [one, other, null, one, other, null]) {
      const exchange = await run(upstream, requestWith(shown, { protocol }));
      expect(exchange.head?.status).toBe(200);
      await settle();
    }
    expect(names).toEqual(['client one', 'client other', undefined]);
  });

  test('retired: idle ones are closed, busy ones finish and take nothing more', async () => {
    const upstream = upstreamWith({ trust });
    const [gone, kept] = [identity('gone'), identity('kept')];
    await run(upstream, requestWith(kept, { protocol }));
    await run(upstream, requestWith(gone, { protocol }));
    await settle();
    const busy = start(upstream, requestWith(gone, { protocol, target: '/held' }));
    await expect.poll(() => held.length).toBe(1);
    upstream.retireWhere(({ clientIdentity }) => clientIdentity?.id === 'gone');
    await run(upstream, requestWith(gone, { protocol }));
    await settle();
    upstream.retireWhere(({ clientIdentity }) => clientIdentity?.id === 'gone');
    for (const finish of held.splice(0)) finish();
    await busy.done;
    expect(busy.body).toBe('ok');
    await expect
      .poll(() => sockets.map((socket: Socket) => socket.destroyed))
      .toEqual([false, true, true]);
    expect(names).toEqual(['client kept', 'client gone', 'client gone']);
  });
});

test('one that the TLS library does not take is credential_unavailable, and nothing is dialled', async () => {
  const broken = { ...identity('broken'), pem: new Hidden('not a certificate') };
  const exchange = await run(upstreamWith({ trust }), requestWith(broken));
  expect(exchange.failure?.code).toBe('credential_unavailable');
  expect(names).toEqual([]);
});

test('I7: contexts are kept for a bounded number of certificates', () => {
  const set = createTrust({ extraCaPems: [] }).setFor(HOST);
  const first = identity('first');
  const context = set.contextFor(first);
  expect(set.contextFor(first)).toBe(context);
  const { certPem, keyPem } = authority.mintLeaf(['many'], { client: true });
  const pem = new Hidden(certPem + keyPem);
  for (let i = 0; i < FIXED.clientCertificateContextsMax; i += 1) {
    set.contextFor({ id: String(i), secretId: '', pem });
  }
  expect(set.contextFor(first)).not.toBe(context);
});
