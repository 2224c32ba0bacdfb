/**
 * DNS as a weapon: names that resolve to internal addresses, answers that mix or change, servers that
 * never answer. The name server is a real one, asked over UDP by the product's own resolver.
 */
import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startDnsServer } from '../egress/dns-server.ts';
import type { DnsServer } from '../egress/dns-server.ts';
import { dialProxy, proxyAuthorization, sendConnect } from '../support/client.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';

/** The only internal address that is open, and one that is not; both on loopback, same port. */
const OPEN = '127.0.0.2';
const CLOSED = '127.0.0.3';

let dns: DnsServer;
let product: Product;
let sandbox: TestSandbox;
let port: number;
const servers: Server[] = [];
const dialled: string[] = [];

/** Records who is dialled; says its own address and closes. */
async function listen(address: string, at: number): Promise<number> {
  const server = net.createServer((socket) => {
    dialled.push(address);
    socket.on('error', () => {});
    socket.end(address);
  });
  servers.push(server);
  server.listen(at, address);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

beforeAll(async () => {
  port = await listen(OPEN, 0);
  await listen(CLOSED, port);
  await listen('127.0.0.1', port);
  dns = await startDnsServer();
  product = await startProduct({
    settings: {
      egress: { allow_private: [`${OPEN}/32`], dns: { servers: [dns.address], mode: 'resolver' } },
    },
  });
  sandbox = await product.createSandbox();
});

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  await dns.close();
  for (const server of servers) server.close();
});

beforeEach(() => {
  dialled.length = 0;
});

/** The address that answered through the tunnel, or the code of the refusal. */
async function reach(name: string): Promise<string> {
  const plan = { proxy: product.proxy, authority: `${name}:${port}`, token: sandbox.token };
  using answer = await sendConnect(plan);
  if (answer.response.status !== 200) return answer.response.reason;
  return (await answer.connection.reader.readToEnd()).toString();
}

test('a name of the open address is reached, so the test can fail', async () => {
  dns.zone.set('good.attack.test', { a: [OPEN] });
  expect(await reach('good.attack.test')).toBe(OPEN);
});

describe('I1 I5 a name with an internal answer is refused before anything is dialled', () => {
  test.each([
    ['loopback', { a: [CLOSED] }],
    ['loopback over IPv6', { aaaa: ['::1'] }],
    ['unspecified', { a: ['0.0.0.0'] }],
    ['unspecified over IPv6', { aaaa: ['::'] }],
    ['metadata', { a: ['169.254.169.254'] }],
    ['metadata over IPv6', { aaaa: ['fd00:ec2::254'] }],
    ['private', { a: ['10.0.0.1'] }],
    ['unique local', { aaaa: ['fd12:3456::1'] }],
    ['link local', { aaaa: ['fe80::1'] }],
    ['loopback as NAT64', { aaaa: ['64:ff9b::7f00:3'] }],
    ['loopback as 6to4', { aaaa: ['2002:7f00:3::1'] }],
    ['loopback as v4-mapped', { aaaa: ['::ffff:7f00:3'] }],
    ['loopback as v4-compatible', { aaaa: ['::7f00:3'] }],
    ['metadata as local NAT64', { aaaa: ['64:ff9b:1::a9fe:a9fe'] }],
    ['an open address and a closed one', { a: [OPEN, CLOSED] }],
    ['a closed address and an open one', { a: [CLOSED, OPEN] }],
    ['an open address and a closed one over IPv6', { a: [OPEN], aaaa: ['::1'] }],
    ['a public address and a private one', { a: ['198.41.0.4', '192.168.0.1'] }],
    ['a public address and metadata over IPv6', { a: ['198.41.0.4'], aaaa: ['fd00:ec2::254'] }],
  ])('%s', async (what, records) => {
    const name = `${what.toLowerCase().replaceAll(' ', '-')}.internal.attack.test`;
    dns.zone.set(name, records);
    expect(await reach(name)).toBe('internal_address_denied');
    expect(dialled).toEqual([]);
  });

  test('over plain http:// as well', async () => {
    dns.zone.set('plain.attack.test', { a: [CLOSED] });
    using connection = await dialProxy(product.proxy);
    const response = await connection.request({
      path: `http://plain.attack.test:${port}/`,
      fields: [
        'Host',
        `plain.attack.test:${port}`,
        'Proxy-Authorization',
        proxyAuthorization(sandbox.token),
      ],
    });
    expect(response.text()).toContain('internal_address_denied');
    expect(dialled).toEqual([]);
  });
});

test('I5 an answer that changes all the time never leads to the closed address', async () => {
  const name = 'rebind.attack.test';
  const answers = [[OPEN], [CLOSED], [OPEN, CLOSED], [OPEN]];
  let turn = 0;
  dns.zone.set(name, { a: [OPEN], ttlS: 0 });
  const flip = setInterval(() => {
    dns.zone.set(name, { a: answers[turn++ % answers.length] ?? [], ttlS: 0 });
  }, 1);
  const outcomes = new Set<string>();
  // Positive answers are kept for at least a second, so this sees several of them.
  const until = Date.now() + 4_000;
  while (Date.now() < until) {
    outcomes.add(await reach(name));
    await delay(20);
  }
  clearInterval(flip);
  expect(dialled).not.toContain(CLOSED);
  expect([...outcomes].filter((one) => one !== OPEN && one !== 'internal_address_denied')).toEqual(
    [],
  );
});

test('I5 a name that was good and turned bad is refused once its answer expired', async () => {
  const name = 'turned.attack.test';
  dns.zone.set(name, { a: [OPEN], ttlS: 0 });
  expect(await reach(name)).toBe(OPEN);
  dns.zone.set(name, { a: [CLOSED], ttlS: 0 });
  const later: string[] = [];
  while (later.at(-1) !== 'internal_address_denied' && later.length < 100) {
    later.push(await reach(name));
    await delay(50);
  }
  expect(later.at(-1)).toBe('internal_address_denied');
  expect(dialled).not.toContain(CLOSED);
});

test('eight names that never resolve hold back no other name', async () => {
  dns.zone.set('prompt.attack.test', { a: [OPEN] });
  let settled = 0;
  const silent = Array.from({ length: 8 }, async (_, index) => {
    const name = `silent-${index}.attack.test`;
    dns.zone.set(name, { isSilent: true });
    const outcome = await reach(name);
    settled += 1;
    return outcome;
  });
  expect(await reach('prompt.attack.test')).toBe(OPEN);
  expect(settled).toBe(0);
  expect(new Set(await Promise.all(silent))).toEqual(new Set(['dns_failed']));
});
