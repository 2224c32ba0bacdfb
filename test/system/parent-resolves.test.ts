/**
 * `egress.parent_proxy.resolve: parent`: names that only the parent proxy resolves reach it by name, judged by
 * name alone; what has an address here is judged by it as always.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startDnsServer } from '../egress/dns-server.ts';
import type { DnsServer } from '../egress/dns-server.ts';
import { mintCanary } from '../support/canary.ts';
import { dialProxy, proxyAuthorization } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { Origin, valuesOf } from '../support/origin.ts';
import { TestParentProxy } from '../support/parent-proxy.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';

const HOST = 'api.corp.example.test';
const TUNNELLED = 'files.corp.example.test';
const PLAIN = 'plain.corp.example.test';
const BYPASSED = 'direct.corp.example.test';
const FIXED = 'fixed.corp.example.test';
const INSIDE = 'inside.corp.example.test';
const OWN = 'gateway.corp.example.test';
const value = mintCanary();
const authority = new TestAuthority();
let dns: DnsServer;
let origin: Origin;
let plainOrigin: Origin;
let parent: TestParentProxy;
let product: Product;
let sandbox: TestSandbox;

beforeAll(async () => {
  // Knows the bypassed name alone: every other look-up would fail.
  dns = await startDnsServer();
  dns.zone.set(BYPASSED, { a: ['127.0.0.1'] });
  origin = await Origin.start({ leaf: authority.mintLeaf([HOST, TUNNELLED, BYPASSED, FIXED]) });
  plainOrigin = await Origin.start();
  parent = await TestParentProxy.start({
    routes: {
      [`${HOST}:443`]: origin.address,
      [`${TUNNELLED}:443`]: origin.address,
      [`${PLAIN}:80`]: plainOrigin.address,
    },
  });
  product = await startProduct({
    originCa: authority.caPem,
    hosts: { [FIXED]: origin.address, [INSIDE]: '169.254.169.254' },
    settings: {
      proxy: { public_url: `http://${OWN}:3128` },
      egress: {
        dns: { servers: [dns.address] },
        parent_proxy: {
          url: parent.url(),
          resolve: 'parent',
          // The range has the parent's own address, and must not be taken for the origin's.
          bypass: [BYPASSED, '127.0.0.0/8'],
        },
      },
    },
  });
  await product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST] });
  sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
});

beforeEach(() => {
  parent.connects.length = 0;
  dns.asked.length = 0;
});

afterAll(async () => {
  await product.assertNoLeak(value);
  await product[Symbol.asyncDispose]();
  await Promise.all([parent.close(), origin.close(), plainOrigin.close(), dns.close()]);
});

const asked = (): readonly string[] => parent.connects.map((connect) => connect.authority);

async function get(host: string, holder = sandbox): Promise<number> {
  using tunnel = await product.openTunnel(holder, `${host}:443`, authority.caPem);
  return (await tunnel.request({ path: '/' })).status;
}

async function lastRow(holder = sandbox) {
  const { data } = await product.admin.must('GET', `/sandboxes/${holder.id}/network?limit=1`);
  return data[0];
}

test('an intercepted request with its secret, a tunnel and plain http go to it by name, unresolved', async () => {
  using tunnel = await product.openTunnel(sandbox, `${HOST}:443`);
  expect((await tunnel.request({ path: '/' })).status).toBe(200);
  // Another request on a pooled connection.
  expect((await tunnel.request({ path: '/' })).status).toBe(200);
  expect(valuesOf(origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${value}`]);
  expect(await get(TUNNELLED)).toBe(200);
  using plain = await dialProxy(product.proxy);
  const fields = ['Host', PLAIN, 'Proxy-Authorization', proxyAuthorization(sandbox.token)];
  expect((await plain.request({ path: `http://${PLAIN}/`, fields })).status).toBe(200);
  expect(asked()).toEqual([`${HOST}:443`, `${TUNNELLED}:443`, `${PLAIN}:80`]);
  expect(dns.asked).toEqual([]);
});

test('I5: the trail shows the address that was connected to, which is the parent', async () => {
  expect(await get(TUNNELLED)).toBe(200);
  await eventually(async () => {
    expect(await lastRow()).toMatchObject({ host: TUNNELLED, dst_ip: '127.0.0.1' });
  });
});

test('what has an address here, or bypasses the parent, is judged by its addresses', async () => {
  expect(await get(FIXED)).toBe(200);
  // Bypassed by range, as without `resolve: parent`.
  expect(asked()).toEqual([]);
  await expect(product.openTunnel(sandbox, `${INSIDE}:443`)).rejects.toThrow(
    'internal_address_denied',
  );
  await expect(product.openTunnel(sandbox, '169.254.169.254:80')).rejects.toThrow(
    'internal_address_denied',
  );
  await expect(product.openTunnel(sandbox, `${BYPASSED}:1`)).rejects.toThrow('port_denied');
  const bypassed = `${BYPASSED}:${origin.port}`;
  using tunnel = await product.openTunnel(sandbox, bypassed, authority.caPem);
  expect((await tunnel.request({ path: '/' })).status).toBe(200);
  expect(dns.asked.join()).toContain(BYPASSED);
  expect(asked()).toEqual([]);
});

describe('I1: refused by name, and the parent is not asked', () => {
  test.each([
    'db',
    'metadata.google.internal',
    'metadata.goog',
    'vault.internal',
    'printer.local',
    'api.default.svc',
    OWN,
    `${OWN.toUpperCase()}.`,
  ])('%s', async (name) => {
    await expect(product.openTunnel(sandbox, `${name}:443`)).rejects.toThrow(
      'internal_address_denied',
    );
    expect(asked()).toEqual([]);
    expect(dns.asked).toEqual([]);
  });

  test.each([
    [{ deny_out: [TUNNELLED] }, 'host_denied'],
    [{ allow_out: [HOST] }, 'host_not_allowed'],
    // Entries that need addresses: nobody can tell, so no.
    [{ deny_out: ['192.0.2.0/24'] }, 'host_denied'],
    [{ allow_out: ['192.0.2.0/24'] }, 'host_not_allowed'],
    [{ allow_out: ['192.0.2.0/24'], deny_out: ['0.0.0.0/0'] }, 'host_not_allowed'],
    [{ allow_out: [HOST], deny_out: ['0.0.0.0/0'] }, 'host_denied'],
  ])('%j: %s', async (network, code) => {
    const narrowed = await product.createSandbox({ network });
    await expect(product.openTunnel(narrowed, `${TUNNELLED}:443`)).rejects.toThrow(code);
    expect(asked()).toEqual([]);
  });

  test.each([
    { allow_out: [TUNNELLED], deny_out: ['0.0.0.0/0'] },
    { allow_out: ['*.corp.example.test'], deny_out: ['192.0.2.0/24'] },
    { allow_out: ['0.0.0.0/0'] },
    { deny_out: ['192.0.2.0/24:22'] },
  ])('but %j needs no address', async (network) => {
    const narrowed = await product.createSandbox({ network });
    expect(await get(TUNNELLED, narrowed)).toBe(200);
  });
});

test('explain tells the same, and which entry it is', async () => {
  const narrowed = await product.createSandbox({ network: { deny_out: ['192.0.2.0/24'] } });
  const question = { method: 'GET', url: `https://${TUNNELLED}/`, resolve: true };
  const refused = await product.admin.must('POST', '/explain', {
    ...question,
    sandbox: narrowed.id,
  });
  expect(refused).toMatchObject({
    code: 'host_denied',
    network: { verdict: 'blocked', match_rule: 'deny_out: 192.0.2.0/24' },
  });
  expect(refused.hint).toContain('allow_out');
  const open = await product.admin.must('POST', '/explain', { ...question, sandbox: sandbox.id });
  expect(open).toMatchObject({ network: { verdict: 'allowed', match_rule: 'default: allow' } });
});

test('rules that are narrowed close what is open; rules that still allow it do not', async () => {
  const holder = await product.createSandbox();
  const tunnel = await product.openTunnel(holder, `${TUNNELLED}:443`, authority.caPem);
  expect((await tunnel.request({ path: '/' })).status).toBe(200);
  await product.admin.must('PATCH', `/sandboxes/${holder.id}`, {
    network: { allow_out: [TUNNELLED], deny_out: ['0.0.0.0/0'] },
  });
  expect((await tunnel.request({ path: '/' })).status).toBe(200);
  await product.admin.must('PATCH', `/sandboxes/${holder.id}`, {
    network: { deny_out: ['192.0.2.0/24'] },
  });
  await eventually(() => {
    expect(tunnel.socket.destroyed || tunnel.socket.readableEnded).toBe(true);
  });
  await eventually(async () => {
    expect(await lastRow(holder)).toMatchObject({ error_code: 'closed_by_policy' });
  });
});
