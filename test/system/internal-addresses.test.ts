/**
 * The guard from outside (proxy section 3): internal addresses in every spelling, names that resolve to
 * them, metadata and own listeners that no wide range opens.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dialProxy, proxyAuthorization, sendConnect } from '../support/client.ts';
import { Origin } from '../support/origin.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';
import { RawOrigin } from '../support/raw-origin.ts';

let product: Product;
let sandbox: TestSandbox;
let origin: Origin;

async function connect(authority: string, over: Product = product): Promise<string> {
  const plan = { proxy: over.proxy, authority, token: sandbox.token };
  using answer = await sendConnect(plan);
  return answer.response.status === 200 ? 'allowed' : answer.response.reason;
}

describe('nothing private is allowed', () => {
  beforeAll(async () => {
    origin = await Origin.start();
    product = await startProduct({
      settings: { egress: { allow_private: [] } },
      hosts: {
        'loopback.example.test': '127.0.0.1',
        'loopback6.example.test': '[::1]:443',
        'metadata.example.test': '169.254.169.254',
        'mapped.example.test': '[::ffff:10.0.0.1]:443',
      },
    });
    sandbox = await product.createSandbox();
  });

  afterAll(async () => {
    await product[Symbol.asyncDispose]();
    await origin.close();
  });

  const spellings = [
    '127.0.0.1',
    '127.1',
    '127.255.255.254',
    '2130706433',
    '0x7f000001',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '017700000001',
    '0',
    '0.0.0.0',
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '169.254.169.254',
    '169.254.170.2',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    '192.0.2.1',
    '198.18.0.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[64:ff9b::7f00:1]',
    '[64:ff9b::10.0.0.1]',
    '[2002:7f00:1::]',
    '[2002:0a00:0001::1]',
    '[fe80::1]',
    '[fc00::1]',
    '[fd00:ec2::254]',
    '[fd20:ce::254]',
    '[ff02::1]',
    '[2001:db8::1]',
    'loopback.example.test',
    'LOOPBACK.Example.test.',
    'loopback6.example.test',
    'metadata.example.test',
    'mapped.example.test',
    'localhost',
  ];
  test.each(spellings)('%s is refused and not dialled', async (host) => {
    expect(await connect(`${host}:${host.includes('example') ? 443 : origin.port}`)).toBe(
      'internal_address_denied',
    );
    expect(origin.connectionCount).toBe(0);
  });

  test('the class is named, the address is not', async () => {
    const authority = 'metadata.example.test:443';
    using answer = await sendConnect({ proxy: product.proxy, authority, token: sandbox.token });
    expect(answer.response.text()).toContain('metadata');
    expect(answer.response.text()).not.toContain('169.254');
  });

  test('over plain http:// as well', async () => {
    using connection = await dialProxy(product.proxy);
    const host = `127.0.0.1:${origin.port}`;
    const credentials = proxyAuthorization(sandbox.token);
    const answer = await connection.request({
      path: `http://${host}/`,
      fields: ['Host', host, 'Proxy-Authorization', credentials],
    });
    expect(answer.status).toBe(403);
    expect(answer.json()).toMatchObject({ error: { code: 'internal_address_denied' } });
  });
});

describe('everything private is allowed', () => {
  let open: Product;

  beforeAll(async () => {
    open = await startProduct({
      settings: { egress: { allow_private: ['0.0.0.0/0', '::/0'] } },
      hosts: { 'metadata.example.test': '169.254.169.254' },
    });
    sandbox = await open.createSandbox();
  });

  afterAll(async () => {
    await open[Symbol.asyncDispose]();
  });

  test.each([
    '169.254.169.254:80',
    '[::ffff:169.254.169.254]:80',
    '[fd00:ec2::254]:80',
    '100.100.100.200:80',
    'metadata.example.test:80',
  ])('metadata stays closed: %s', async (authority) => {
    expect(await connect(authority, open)).toBe('internal_address_denied');
  });

  test.each(['127.0.0.1', 'localhost', '0.0.0.0', '127.1', '[::ffff:127.0.0.1]'])(
    'its own listeners stay closed: %s',
    async (host) => {
      const adminPort = new URL(open.admin.origin).port;
      for (const port of [open.proxy.port, adminPort]) {
        expect(await connect(`${host}:${port}`, open)).toBe('internal_address_denied');
      }
    },
  );

  test('other loopback services are open then', async () => {
    await using raw = await RawOrigin.start();
    expect(await connect(`127.0.0.1:${raw.port}`, open)).toBe('allowed');
  });
});

describe('metadata by exact address', () => {
  test('opens that address and no other', async () => {
    await using exact = await startProduct({
      settings: {
        egress: { allow_private: ['169.254.169.254'] },
        limits: { connect_timeout_ms: 300 },
      },
    });
    sandbox = await exact.createSandbox();
    expect(await connect('169.254.169.254:80', exact)).toMatch(/^(allowed|upstream_)/);
    expect(await connect('169.254.170.2:80', exact)).toBe('internal_address_denied');
  });
});
