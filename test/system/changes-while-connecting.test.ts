/**
 * A CONNECT waits for name servers and for the origin. What changes meanwhile counts before the 200, and
 * whoever waits is counted: bursts do not pass the limit of a sandbox together (proxy sections 1 and 5.3).
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDnsServer } from '../egress/dns-server.ts';
import type { DnsServer } from '../egress/dns-server.ts';
import { mintCanary } from '../support/canary.ts';
import { dialProxy, proxyAuthorization, startTls } from '../support/client.ts';
import type { HttpConnection } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { Origin } from '../support/origin.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';

const SHARE = 5;
let dns: DnsServer;
let origin: Origin;
let product: Product;
let count = 0;

beforeAll(async () => {
  dns = await startDnsServer();
  const authority = new TestAuthority();
  origin = await Origin.start({ leaf: authority.mintLeaf(['*.example.test']) });
  product = await startProduct({
    originCa: authority.caPem,
    settings: {
      egress: { dns: { servers: [dns.address], mode: 'resolver' } },
      limits: { dns_timeout_ms: 2_400, connections_per_sandbox_max: SHARE },
    },
  });
});

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  await origin.close();
  await dns.close();
});

/** A name whose servers say nothing until `answer` is called. */
function mintSilentName(): { name: string; answer: () => void } {
  count += 1;
  const name = `silent-${count}.example.test`;
  dns.zone.set(name, { isSilent: true });
  return { name, answer: () => dns.zone.set(name, { a: ['127.0.0.1'] }) };
}

/** A CONNECT whose name is being looked up. */
async function startConnect(sandbox: TestSandbox, name: string): Promise<HttpConnection> {
  const connection = await dialProxy(product.proxy);
  const authority = `${name}:${origin.port}`;
  const token = proxyAuthorization(sandbox.token);
  connection.send(`CONNECT ${authority} HTTP/1.1\r\nProxy-Authorization: ${token}\r\n\r\n`);
  await eventually(() => expect(dns.asked).toContain(`${name} a`));
  return connection;
}

interface Row {
  readonly kind: string;
  readonly host: string;
  readonly error_code?: string | null;
  readonly detail?: string | null;
}

async function rowOf(sandbox: TestSandbox, host: string): Promise<Row | undefined> {
  const path = `/sandboxes/${sandbox.id}/network?limit=100`;
  const { data } = (await product.admin.must('GET', path)) as { data: Row[] };
  return data.find((row) => row.host === host);
}

test('I7 a burst of CONNECTs that all wait is counted before it waits', async () => {
  const sandbox = await product.createSandbox();
  const { name } = mintSilentName();
  const first = await startConnect(sandbox, name);
  const others = await Promise.all(
    Array.from({ length: SHARE * 3 }, () => startConnect(sandbox, name)),
  );
  const reasons = await Promise.all(
    [first, ...others].map(async (connection) => (await connection.readHead()).reason),
  );
  expect(reasons.filter((reason) => reason === 'dns_failed')).toHaveLength(SHARE);
  expect(reasons.filter((reason) => reason === 'too_many_connections')).toHaveLength(SHARE * 2 + 1);
});

test('network rules narrowed meanwhile refuse it', async () => {
  const sandbox = await product.createSandbox();
  const { name, answer } = mintSilentName();
  using connection = await startConnect(sandbox, name);
  const network = { allow_out: [], deny_out: [name] };
  await product.admin.must('PATCH', `/sandboxes/${sandbox.id}`, { network });
  answer();
  expect((await connection.readHead()).reason).toBe('host_denied');
});

test('a sandbox deleted meanwhile gets no tunnel', async () => {
  const sandbox = await product.createSandbox();
  const { name, answer } = mintSilentName();
  using connection = await startConnect(sandbox, name);
  await product.admin.must('DELETE', `/sandboxes/${sandbox.id}`);
  answer();
  await expect(connection.readHead()).rejects.toThrow(/ended|closed|reset|ECONN/i);
});

test('a pause ends it, and its row says by policy', async () => {
  const sandbox = await product.createSandbox();
  const { name } = mintSilentName();
  using connection = await startConnect(sandbox, name);
  await product.admin.must('POST', `/sandboxes/${sandbox.id}/pause`);
  await connection.reader.waitForEnd();
  await eventually(async () => {
    expect(await rowOf(sandbox, name)).toMatchObject({ error_code: 'closed_by_policy' });
  });
});

test('a secret bound meanwhile is injected', async () => {
  const sandbox = await product.createSandbox();
  const { name, answer } = mintSilentName();
  const value = mintCanary();
  const port = origin.port;
  const more = { auth: { type: 'bearer' }, hosts: [name], ports: [port] };
  await product.createSecret('late', value, more);
  using connection = await startConnect(sandbox, name);
  const binding = { env_key: 'LATE', secret_name: 'late' };
  await product.admin.must('POST', `/sandboxes/${sandbox.id}/secrets`, binding);
  answer();
  expect((await connection.readHead()).status).toBe(200);
  using tunnel = await startTls(connection, `${name}:${port}`, { ca: product.caPem });
  expect((await tunnel.request({ path: '/' })).status).toBe(200);
  expect(origin.last.rawHeaders).toContain(`Bearer ${value}`);
});

test('a client that hangs up meanwhile is recorded as such', async () => {
  const sandbox = await product.createSandbox();
  const { name, answer } = mintSilentName();
  const connection = await startConnect(sandbox, name);
  connection.socket.resetAndDestroy();
  answer();
  await eventually(async () => {
    expect(await rowOf(sandbox, name)).toMatchObject({ error_code: 'client_aborted' });
  }, 6_000);
});
