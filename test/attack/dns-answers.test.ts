/**
 * Names whose DNS answers lead inside: loopback, metadata, one private among public, IPv6 spellings of
 * them, answers that change between check and connect, names that never resolve. A real DNS server on
 * loopback answers; the product resolves and judges by itself.
 */
import { networkInterfaces } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDnsServer } from '../egress/dns-server.ts';
import type { DnsServer } from '../egress/dns-server.ts';
import { mintCanary } from '../support/canary.ts';
import { dialProxy, proxyAuthorization, sendConnect } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { Origin } from '../support/origin.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';
import { outcomeOf } from '../support/refusal.ts';
import { TestAuthority } from '../support/test-authority.ts';

const PUBLIC = '203.0.114.10';
const BOUND = 'bound.rebind.test';
const LISTED = 'listed.example.test';
const value = mintCanary();
const authority = new TestAuthority();
let dns: DnsServer;
let inside: Origin;
let origin: Origin;

async function connect(product: Product, sandbox: TestSandbox, target: string): Promise<string> {
  const plan = { proxy: product.proxy, authority: target, token: sandbox.token };
  using answer = await sendConnect(plan);
  return answer.response.status === 200 ? 'allowed' : answer.response.reason;
}

beforeAll(async () => {
  dns = await startDnsServer();
  inside = await Origin.start();
  origin = await Origin.start({ leaf: authority.mintLeaf([BOUND, LISTED]) });
});

afterAll(async () => {
  await Promise.all([dns.close(), inside.close(), origin.close()]);
});

describe('nothing private is allowed', () => {
  let product: Product;
  let sandbox: TestSandbox;

  beforeAll(async () => {
    product = await startProduct({
      settings: {
        egress: { allow_private: [], dns: { servers: [dns.address] } },
        limits: { connect_timeout_ms: 500, dns_timeout_ms: 1_000 },
      },
    });
    await product.createSecret('bound', value, {
      auth: { type: 'bearer' },
      hosts: ['bound.mixed.test'],
    });
    sandbox = await product.createSandbox({ secrets: { KEY: 'bound' } });
  });

  afterAll(async () => {
    await product.assertNoLeak(value);
    await product[Symbol.asyncDispose]();
  });

  const names: readonly (readonly [string, { a?: string[]; aaaa?: string[] }])[] = [
    ['127.0.0.1', { a: ['127.0.0.1'] }],
    ['another loopback address', { a: ['127.8.9.10'] }],
    ['the unspecified address', { a: ['0.0.0.0'] }],
    ['metadata', { a: ['169.254.169.254'] }],
    ['container metadata', { a: ['169.254.170.2'] }],
    ['a private address', { a: ['10.0.0.5'] }],
    ['two answers of which the second is private', { a: [PUBLIC, '192.168.1.1'] }],
    ['two answers of which the first is private', { a: ['10.0.0.5', PUBLIC] }],
    ['a public A and a loopback AAAA', { a: [PUBLIC], aaaa: ['::1'] }],
    ['a loopback A and a public AAAA', { a: ['127.0.0.1'], aaaa: ['2600:1::1'] }],
    ['v4-mapped loopback', { aaaa: ['::ffff:7f00:1'] }],
    ['NAT64 of loopback', { aaaa: ['64:ff9b::7f00:1'] }],
    ['6to4 of a private address', { aaaa: ['2002:a00:1::1'] }],
    ['a unique local address', { aaaa: ['fd12::1'] }],
    ['IPv6 metadata', { aaaa: ['fd00:ec2::254'] }],
    ['a link-local address', { aaaa: ['fe80::1'] }],
  ];
  test.each(names.map(([what, records], i) => ({ what, records, i })))(
    'I1 a name that resolves to $what',
    async ({ records, i }) => {
      const name = `n${i}.internal.test`;
      dns.zone.set(name, records);
      const target = `${name}:${inside.port}`;
      expect(await connect(product, sandbox, target)).toBe('internal_address_denied');
      using connection = await dialProxy(product.proxy);
      const credentials = ['Proxy-Authorization', proxyAuthorization(sandbox.token)];
      const fields = ['Host', target, ...credentials];
      const plain = await connection.request({ path: `http://${target}/`, fields });
      expect(outcomeOf(plain)).toBe('403 internal_address_denied');
      expect(inside.connectionCount).toBe(0);
    },
  );

  test('I1 a bound name with one private answer is not even intercepted', async () => {
    dns.zone.set('bound.mixed.test', { a: [PUBLIC, '127.0.0.1'] });
    expect(await connect(product, sandbox, 'bound.mixed.test:443')).toBe('internal_address_denied');
  });

  test('I1 allow_out names the host, the guard still refuses its address', async () => {
    dns.zone.set('allowed.internal.test', { a: ['127.0.0.1'] });
    const network = { allow_out: ['allowed.internal.test', '127.0.0.0/8'], deny_out: [] };
    const eager = await product.createSandbox({ network });
    const target = `allowed.internal.test:${inside.port}`;
    expect(await connect(product, eager, target)).toBe('internal_address_denied');
    expect(await connect(product, eager, `127.0.0.1:${inside.port}`)).toBe(
      'internal_address_denied',
    );
  });

  const spellings = [
    '0x7f.1',
    '0x7f.0x0.0x0.0x1',
    '0X7F000001',
    '127.0.1',
    '127.1',
    '0177.1',
    '0177.0000.0000.0001',
    '2130706433',
    '017700000001',
    '127.0.0.1.',
    '%31%32%37.0.0.1',
    '①②⑦.0.0.1',
    '127。0。0。1',
    '[::ffff:127.0.0.1]',
    '[::FFFF:7F00:1]',
    '[0:0:0:0:0:ffff:7f00:0001]',
    '[::127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[64:ff9b::127.0.0.1]',
    '[2002:7f00:0001::]',
    '[2001:0000:4136:e378:8000:63bf:80ff:fffe]',
    '[0000:0000:0000:0000:0000:0000:0000:0001]',
    '[::1%25lo]',
    '[::1%lo]',
    '::1',
    '4294967297',
    '127.0.0.1.1',
    '0x7f.0x0.0x0.0x1.0x1',
    '256.0.0.1',
    '127.0.0.1@',
    '[127.0.0.1]',
  ];
  test.each(spellings)('I1 the literal %s', async (host) => {
    const outcome = await connect(product, sandbox, `${host}:${inside.port}`);
    expect(['internal_address_denied', 'bad_request', 'dns_failed']).toContain(outcome);
    expect(inside.connectionCount).toBe(0);
  });
});

describe('answers that change', () => {
  let product: Product;
  let sandbox: TestSandbox;

  beforeAll(async () => {
    product = await startProduct({
      originCa: authority.caPem,
      settings: {
        egress: { allow_private: ['127.0.0.1/32'], dns: { servers: [dns.address] } },
      },
    });
    await product.createSecret('bound', value, {
      auth: { type: 'bearer' },
      hosts: [BOUND],
      ports: [443, origin.port],
    });
    sandbox = await product.createSandbox({ secrets: { KEY: 'bound' } });
  });

  afterAll(async () => {
    await product.assertNoLeak(value);
    await product[Symbol.asyncDispose]();
  });

  test('I5 between check and connect: one question, and the checked answer is dialled', async () => {
    const name = 'flips.rebind.test';
    dns.zone.set(name, { a: ['127.0.0.1'], ttlS: 0 });
    dns.asked.length = 0;
    expect(await connect(product, sandbox, `${name}:${inside.port}`)).toBe('allowed');
    expect(dns.asked.filter((question) => question === `${name} a`)).toHaveLength(1);
  });

  test('I5 inside an open tunnel a new answer is judged anew, for the next request', async () => {
    dns.zone.set(BOUND, { a: ['127.0.0.1'], ttlS: 1 });
    using tunnel = await product.openTunnel(sandbox, `${BOUND}:${origin.port}`);
    const fields = ['Host', `${BOUND}:${origin.port}`];
    expect((await tunnel.request({ path: '/before', fields })).status).toBe(200);
    dns.zone.set(BOUND, { a: ['127.0.0.2'], ttlS: 1 });
    origin.clear();
    const refused = await eventually(async () => {
      const answer = await tunnel.request({ path: '/after', fields });
      expect(answer.status).not.toBe(200);
      return answer;
    }, 5_000);
    expect(outcomeOf(refused)).toBe('403 internal_address_denied');
    dns.zone.set(BOUND, { a: ['169.254.169.254'], ttlS: 1 });
    await delay(1_100);
    expect(outcomeOf(await tunnel.request({ path: '/after', fields }))).toBe(
      '403 internal_address_denied',
    );
  });
});

describe('allow_private: 0.0.0.0/0', () => {
  let product: Product;
  let sandbox: TestSandbox;

  beforeAll(async () => {
    product = await startProduct({
      settings: {
        proxy: { listen: '0.0.0.0:0' },
        egress: { allow_private: ['0.0.0.0/0', '::/0'], dns: { servers: [dns.address] } },
        limits: { connect_timeout_ms: 500 },
      },
    });
    sandbox = await product.createSandbox();
  });

  afterAll(async () => {
    await product[Symbol.asyncDispose]();
  });

  test.each([
    ['AWS', { a: ['169.254.169.254'] }],
    ['ECS', { a: ['169.254.170.2'] }],
    ['EKS', { a: ['169.254.170.23'] }],
    ['Alibaba', { a: ['100.100.100.200'] }],
    ['Azure', { a: ['168.63.129.16'] }],
    ['Oracle', { a: ['192.0.0.192'] }],
    ['AWS over IPv6', { aaaa: ['fd00:ec2::254'] }],
    ['EKS over IPv6', { aaaa: ['fd00:ec2::23'] }],
    ['Google over IPv6', { aaaa: ['fd20:ce::254'] }],
    ['AWS as NAT64', { aaaa: ['64:ff9b::a9fe:a9fe'] }],
    ['AWS as v4-mapped', { aaaa: ['::ffff:a9fe:a9fe'] }],
  ])('I1 metadata stays closed behind a name: %s', async (what, records) => {
    const name = `${what.toLowerCase().replaceAll(' ', '-')}.metadata.test`;
    dns.zone.set(name, records);
    expect(await connect(product, sandbox, `${name}:80`)).toBe('internal_address_denied');
  });

  test('I1 own listeners stay closed by every local address and by a name for it', async () => {
    const locals = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    const hosts = locals
      .filter(({ address }) => !address.startsWith('fe80'))
      .map(({ address, family }) => (family === 'IPv6' ? `[${address}]` : address));
    expect(hosts).toContain('127.0.0.1');
    const adminPort = Number(new URL(product.admin.origin).port);
    for (const [i, host] of [...hosts, '127.7.7.7', '0.0.0.0', '[::]'].entries()) {
      const bare = host.replace(/^\[|\]$/g, '');
      const name = `local${i}.own.test`;
      dns.zone.set(name, bare.includes(':') ? { aaaa: [bare] } : { a: [bare] });
      for (const port of [product.proxy.port, adminPort]) {
        for (const target of [`${host}:${port}`, `${name}:${port}`]) {
          const outcome = await connect(product, sandbox, target);
          expect(`${target} ${outcome}`).toBe(`${target} internal_address_denied`);
        }
      }
    }
  });

  test('other services of this machine are open then: the list above is not vacuous', async () => {
    dns.zone.set('service.own.test', { a: ['127.0.0.1'] });
    expect(await connect(product, sandbox, `service.own.test:${inside.port}`)).toBe('allowed');
  });
});

describe('eight names that never resolve', () => {
  let product: Product;

  beforeAll(async () => {
    product = await startProduct({
      hosts: { [LISTED]: origin.address },
      settings: {
        egress: { dns: { servers: [dns.address] } },
        limits: { dns_timeout_ms: 4_000, dns_lookups_per_sandbox_max: 8 },
      },
    });
    dns.zone.set('quick.example.test', { a: ['127.0.0.1'] });
  });

  afterAll(async () => {
    await product[Symbol.asyncDispose]();
  });

  test('I7 hold up neither another sandbox, nor a listed name, nor more than their share', async () => {
    const [stuck, other] = [await product.createSandbox(), await product.createSandbox()];
    const done: string[] = [];
    const silent = Array.from({ length: 8 }, async (_, i) => {
      const name = `silent${i}.example.test`;
      dns.zone.set(name, { isSilent: true });
      const outcome = await connect(product, stuck, `${name}:443`);
      done.push('silent');
      return outcome;
    });
    await eventually(() => {
      const asked = new Set(dns.asked.filter((question) => question.startsWith('silent')));
      expect(asked.size).toBeGreaterThanOrEqual(8);
    });
    expect(await connect(product, stuck, `${LISTED}:443`)).toBe('allowed');
    expect(await connect(product, other, `${LISTED}:443`)).toBe('allowed');
    expect(await connect(product, other, `quick.example.test:${inside.port}`)).toBe('allowed');
    expect(await connect(product, stuck, 'ninth.example.test:443')).toBe('dns_failed');
    expect(done).toEqual([]);
    expect(await Promise.all(silent)).toEqual(Array<string>(8).fill('dns_failed'));
  });
});
