/**
 * I5 every internal range in every spelling and embedding: first judged alone, all of them, then through
 * every door of the real proxy. The neighbours of the ranges stay open, so that a guard that refuses
 * everything fails here too.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAddressGuard } from '../../src/egress/address-guard.ts';
import { Refusal } from '../../src/kernel/errors.ts';
import { readAddress } from '../../src/wire/address.ts';
import { parseHost } from '../../src/wire/host.ts';
import { dialProxy, proxyAuthorization, sendConnect } from '../support/client.ts';
import type { RawResponse } from '../support/client.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';
import { outcomeOf } from '../support/refusal.ts';
import {
  embedIpv4,
  IPV4_RANGES,
  IPV6_RANGES,
  OUTSIDE,
  spellIpv4,
  spellIpv6,
} from './internal-addresses.ts';

const guard = createAddressGuard({
  allowPrivate: [],
  listeners: () => [],
  localAddresses: () => [],
});

function classOf(host: string): string | null {
  try {
    const address = readAddress(parseHost(host).text);
    return address === undefined ? 'not an address' : guard.classify(address, 443);
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

describe('judged alone', () => {
  test.each(IPV4_RANGES)('%s to %s is %s however it is written', (first, last, expected) => {
    for (const address of new Set([first, last])) {
      for (const [way, text] of spellIpv4(address)) {
        expect(`${way} ${text} ${String(classOf(text))}`).toBe(`${way} ${text} ${expected}`);
      }
    }
  });

  test.each(IPV4_RANGES)('%s to %s is refused inside any IPv6 address', (first, last) => {
    for (const address of new Set([first, last])) {
      for (const [way, text] of embedIpv4(address)) {
        expect(`${way} ${text} ${String(classOf(text))}`).not.toMatch(/ (?:null|not an address)$/);
      }
    }
  });

  test.each(IPV6_RANGES)('%s to %s is %s however it is written', (first, last, expected) => {
    for (const address of new Set([first, last])) {
      for (const [way, text] of spellIpv6(address)) {
        expect(`${way} ${text} ${String(classOf(text))}`).toBe(`${way} ${text} ${expected}`);
      }
    }
  });

  test.each(OUTSIDE)('%s is outside, and so is what carries it', (address) => {
    const isIpv4 = !address.includes(':');
    const spellings = isIpv4 ? [...spellIpv4(address), ...embedIpv4(address)] : spellIpv6(address);
    // A wrapping that is special by itself, or whose other address is, stays closed.
    const open = spellings.filter(([way]) => !/local NAT64|compatible/.test(way));
    for (const [way, text] of open) {
      expect(`${way} ${text} ${String(classOf(text))}`).toBe(`${way} ${text} null`);
    }
  });

  test.each([
    '[fe80::1%eth0]',
    '[fe80::1%25eth0]',
    '[::1%lo]',
    '[::1%25lo]',
    '[::1%1]',
    '[fe80::1%]',
    'fe80::1%eth0',
    '[::ffff:127.0.0.1%lo]',
    '127.0.0.1%lo',
    '[127.0.0.1]',
    '[::1',
    '::1]',
    '[::1]x',
    '[:::1]',
    '[::1::]',
    '[0:0:0:0:0:0:0:0:1]',
    '[::ffff:127.0.0.256]',
    '[::ffff:0177.0.0.1]',
    '0x7f.0.0.1.1',
    '1.2.3.4.5',
    '127.0.0.08',
    '4294967296',
    '0x100000000',
    '256.0.0.1',
    '127.0.0.1:80',
    '127.0.0.1/8',
    '127.0.0.1#',
    '127.0.0.1@10.0.0.1',
    '%31%32%37.0.0.1',
    '127\t.0.0.1',
    '127..0.1',
  ])('scopes and what has no single reading: %j is refused (I6)', (text) => {
    expect(classOf(text)).toBe('bad_request');
  });
});

interface Doors {
  readonly product: Product;
  readonly sandbox: TestSandbox;
}

function refusalOf(response: RawResponse): string {
  return outcomeOf(response).replace(/^\d+ /, '');
}

async function plain({ product, sandbox }: Doors, host: string, more: readonly string[]) {
  using connection = await dialProxy(product.proxy);
  const credentials = ['Proxy-Authorization', proxyAuthorization(sandbox.token)];
  const fields = ['Host', host, ...credentials, ...more];
  return refusalOf(await connection.request({ path: `http://${host}/`, fields }));
}

const UPGRADE = ['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Key', 'k'];

/** Each asks for the host and says how it was refused. */
const DOORS: Readonly<Record<string, (doors: Doors, host: string) => Promise<string>>> = {
  CONNECT: async ({ product, sandbox }, host) => {
    const plan = { proxy: product.proxy, authority: `${host}:443`, token: sandbox.token };
    using answer = await sendConnect(plan);
    return answer.response.reason;
  },
  'absolute-form': (doors, host) => plain(doors, host, []),
  WebSocket: (doors, host) => plain(doors, host, [...UPGRADE, 'Sec-WebSocket-Version', '13']),
};

describe('through the proxy', () => {
  let doors: Doors;
  let watching: Doors;

  beforeAll(async () => {
    const product = await startProduct({
      settings: { egress: { allow_private: [] }, limits: { connect_timeout_ms: 500 } },
    });
    doors = { product, sandbox: await product.createSandbox() };
    // Neither a rule nor a sandbox that is read everywhere opens them.
    const eager = { network: { allow_out: ['0.0.0.0/0', '::/0'] }, more: { intercept: 'all' } };
    watching = { product, sandbox: await product.createSandbox(eager) };
  });

  afterAll(async () => {
    await doors.product[Symbol.asyncDispose]();
  });

  test.each(Object.keys(DOORS))('I5 %s: no range opens, in any spelling', async (name) => {
    const ask = DOORS[name];
    if (ask === undefined) throw new Error('no such door');
    const ipv4 = IPV4_RANGES.flatMap(([first, last], index) => {
      const all = [...spellIpv4(last), ...embedIpv4(last)];
      // Every range in its plain spelling and three others, which turn: all are used at every door.
      const turn = [0, 9, 18].map((step) => all[(index * 3 + step) % all.length] ?? all[0]);
      return [first, ...turn.map((spelling) => spelling?.[1] ?? first)];
    });
    const ipv6 = IPV6_RANGES.flatMap(([first, last]) => [`[${first}]`, `[${last}]`]);
    for (const host of [...ipv4, ...ipv6]) {
      const sent = Buffer.from(host).toString('latin1');
      for (const one of [doors, watching]) {
        const outcome = await ask(one, sent);
        expect(`${host} ${outcome}`).toMatch(/ (?:internal_address_denied|bad_request)$/);
      }
    }
  });

  test('the client is told the class, the address is in the audit of the admin alone', async () => {
    const { product } = doors;
    const sandbox = await product.createSandbox();
    const plan = {
      proxy: product.proxy,
      authority: '[64:ff9b::10.9.8.7]:443',
      token: sandbox.token,
    };
    using answer = await sendConnect(plan);
    expect(answer.response.text()).toContain('private');
    expect(answer.response.text()).not.toMatch(/10\.9\.8\.7|a09:807/);
  });
});
