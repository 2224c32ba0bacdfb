/**
 * A name with two addresses of which one answers: rules that narrow to exclude that one close the
 * WebSocket that goes there (proxy section 5.3).
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDnsServer } from '../egress/dns-server.ts';
import type { DnsServer } from '../egress/dns-server.ts';
import { mintCanary } from '../support/canary.ts';
import { Origin } from '../support/origin.ts';
import { startProduct } from '../support/product.ts';
import type { Product } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';

const HOST = 'two.example.test';
const DEAD = '127.0.0.2';
const ALIVE = '127.0.0.3';
let dns: DnsServer;
let origin: Origin;
let product: Product;

beforeAll(async () => {
  dns = await startDnsServer();
  dns.zone.set(HOST, { a: [DEAD, ALIVE] });
  const authority = new TestAuthority();
  origin = await Origin.start({
    host: ALIVE,
    leaf: authority.mintLeaf([HOST]),
    onUpgrade: (_request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\n');
      socket.write('Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    },
  });
  product = await startProduct({
    originCa: authority.caPem,
    settings: { egress: { dns: { servers: [dns.address], mode: 'resolver' } } },
  });
});

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  await origin.close();
  await dns.close();
});

test('a WebSocket to the address that is denied now is closed', async () => {
  const more = { auth: { type: 'bearer' }, hosts: [HOST], ports: [origin.port] };
  await product.createSecret('api', mintCanary(), more);
  const sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
  using tunnel = await product.openTunnel(sandbox, `${HOST}:${origin.port}`);
  const upgrade = ['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Version', '13'];
  const fields = [...upgrade, 'Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='];
  expect((await tunnel.request({ path: '/live', fields })).status).toBe(101);
  const network = { allow_out: [], deny_out: [`${ALIVE}/32`] };
  await product.admin.must('PATCH', `/sandboxes/${sandbox.id}`, { network });
  await expect(tunnel.reader.waitForEnd(2_000)).resolves.toBeUndefined();
});
