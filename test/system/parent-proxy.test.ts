/**
 * All egress through a parent proxy: interceptions, tunnels, plain http and upgrades, with a password that is
 * a secret. Our own rules come first, whatever the parent would do.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startDnsServer } from '../egress/dns-server.ts';
import type { DnsServer } from '../egress/dns-server.ts';
import { mintCanary } from '../support/canary.ts';
import { dialProxy, proxyAuthorization } from '../support/client.ts';
import { Origin, valuesOf } from '../support/origin.ts';
import { eventually } from '../support/eventually.ts';
import { TestParentProxy } from '../support/parent-proxy.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';

const HOST = 'api.example.test';
const TUNNELLED = 'files.example.test';
const PLAIN = 'plain.example.test';
const DIRECT = 'direct.example.test';
const METADATA = 'metadata.example.test';
const value = mintCanary();
const password = mintCanary();
const authority = new TestAuthority();
let dns: DnsServer;
let origin: Origin;
let plainOrigin: Origin;
let parent: TestParentProxy;
let product: Product;
let sandbox: TestSandbox;

beforeAll(async () => {
  dns = await startDnsServer();
  for (const name of [HOST, TUNNELLED, PLAIN]) dns.zone.set(name, { a: ['127.0.0.1'] });
  dns.zone.set(METADATA, { a: ['169.254.169.254'] });
  const leaf = authority.mintLeaf([HOST, TUNNELLED, DIRECT]);
  origin = await Origin.start({
    leaf,
    onUpgrade: (_, socket) => {
      const fields = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
      socket.end(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n`);
    },
  });
  plainOrigin = await Origin.start();
  parent = await TestParentProxy.start({
    leaf: authority.mintLeaf(['127.0.0.1']),
    credentials: `company:${password}`,
    routes: {
      [`${HOST}:443`]: origin.address,
      [`${TUNNELLED}:443`]: origin.address,
      [`${PLAIN}:80`]: plainOrigin.address,
    },
  });
  product = await startProduct({
    originCa: authority.caPem,
    hosts: { [DIRECT]: origin.address },
    settings: {
      egress: {
        dns: { servers: [dns.address] },
        parent_proxy: {
          url: parent.url(),
          username: 'company',
          password_secret: 'parent',
          bypass: [DIRECT],
        },
      },
    },
  });
  const auth = { type: 'basic', username: 'company' };
  const hosts = ['127.0.0.1'];
  await product.createSecret('parent', password, { auth, hosts, ports: [parent.port] });
  const bearer = { auth: { type: 'bearer' }, hosts: [HOST, DIRECT] };
  await product.createSecret('api', value, bearer);
  sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
});

beforeEach(() => {
  parent.connects.length = 0;
  origin.clear();
});

afterAll(async () => {
  await product.assertNoLeak([value, password]);
  await product[Symbol.asyncDispose]();
  await Promise.all([parent.close(), origin.close(), plainOrigin.close(), dns.close()]);
});

async function get(host = HOST, path = '/') {
  using tunnel = await product.openTunnel(sandbox, `${host}:443`, authority.caPem);
  return await tunnel.request({ path });
}

const asked = (): readonly string[] => parent.connects.map((connect) => connect.authority);

test('I3: an intercepted request goes through it by name; its password goes to it alone', async () => {
  expect((await get()).status).toBe(200);
  expect(asked()).toEqual([`${HOST}:443`]);
  expect(origin.last.serverName).toBe(HOST);
  expect(valuesOf(origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${value}`]);
  expect(valuesOf(origin.last.rawHeaders, 'proxy-authorization')).toEqual([]);
  expect(parent.connects[0]?.rawHeaders.join()).not.toContain(value);
  const secret = await product.admin.must('GET', '/secrets/parent');
  expect(secret).toMatchObject({ last_used_at: expect.any(String) });
});

test('a tunnel goes through it, and what is bypassed does not', async () => {
  expect((await get(TUNNELLED)).status).toBe(200);
  expect(asked()).toEqual([`${TUNNELLED}:443`]);
  expect((await get(DIRECT)).status).toBe(200);
  expect(asked()).toHaveLength(1);
});

test('plain http and an upgrade go through it as well', async () => {
  using plain = await dialProxy(product.proxy);
  const fields = ['Host', PLAIN, 'Proxy-Authorization', proxyAuthorization(sandbox.token)];
  expect((await plain.request({ path: `http://${PLAIN}/`, fields })).status).toBe(200);
  expect(plainOrigin.last.url).toBe('/');
  expect(valuesOf(plainOrigin.last.rawHeaders, 'proxy-authorization')).toEqual([]);
  using tunnel = await product.openTunnel(sandbox, `${HOST}:443`);
  const upgrade = ['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Version', '13'];
  const key = ['Sec-WebSocket-Key', 'AAAAAAAAAAAAAAAAAAAAAA=='];
  expect((await tunnel.request({ path: '/', fields: [...upgrade, ...key] })).status).toBe(101);
  expect(asked()).toEqual([`${PLAIN}:80`, `${HOST}:443`]);
});

test('I1, I5: what our rules refuse, the parent is not asked for', async () => {
  await expect(product.openTunnel(sandbox, `${METADATA}:443`)).rejects.toThrow(
    'internal_address_denied',
  );
  const closed = await product.createSandbox({ network: { deny_out: [TUNNELLED] } });
  await expect(product.openTunnel(closed, `${TUNNELLED}:443`)).rejects.toThrow('host_denied');
  expect(asked()).toEqual([]);
});

describe('its refusals', () => {
  test.each([403, 502])(
    '%s of it is upstream_unreachable on the CONNECT of a tunnel',
    async (status) => {
      parent.behaviour = status;
      try {
        await expect(product.openTunnel(sandbox, `${TUNNELLED}:443`)).rejects.toThrow(
          '502 upstream_unreachable',
        );
      } finally {
        parent.behaviour = 'connect';
      }
      await eventually(async () => {
        const { data } = await product.admin.must(
          'GET',
          `/sandboxes/${sandbox.id}/network?limit=1`,
        );
        expect(data[0]).toMatchObject({ host: TUNNELLED, verdict: 'failed' });
      });
    },
  );

  test('a new password takes effect without a restart; none is sent when it was taken away', async () => {
    const rotated = mintCanary();
    parent.credentials = `company:${rotated}`;
    await product.admin.must('PATCH', '/secrets/parent', { value: rotated });
    await eventually(async () => {
      using tunnel = await product.openTunnel(sandbox, `${TUNNELLED}:443`, authority.caPem);
      expect((await tunnel.request({ path: '/' })).status).toBe(200);
    });
    await product.admin.must('PATCH', '/secrets/parent', { disabled: true });
    await eventually(async () => {
      parent.connects.length = 0;
      await expect(product.openTunnel(sandbox, `${TUNNELLED}:443`)).rejects.toThrow(
        '502 upstream_unreachable',
      );
      expect(parent.connects).toEqual([]);
    });
    await product.assertNoLeak(rotated);
    expect(product.output.stderr).toContain('it is disabled');
  });
});
