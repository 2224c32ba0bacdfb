/**
 * I5 the ways around a guard that only looks at what a CONNECT names: aliases in DNS, redirects, another
 * host inside an open tunnel by HTTP/1.1, HTTP/2 and WebSocket, answers that change under them, and every
 * listener of this instance. Each comes with what must stay possible, so that none is refused for nothing.
 */
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDnsServer } from '../egress/dns-server.ts';
import type { DnsServer } from '../egress/dns-server.ts';
import { mintCanary } from '../support/canary.ts';
import { dialProxy, proxyAuthorization, sendConnect } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { openHttp2 } from '../support/http2-client.ts';
import { Origin } from '../support/origin.ts';
import { redirect } from '../support/origin-replies.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';
import { outcomeOf } from '../support/refusal.ts';
import { TestAuthority } from '../support/test-authority.ts';

const HOST = 'api.doors.test';
const OPEN = '127.0.0.1';
const value = mintCanary();
const authority = new TestAuthority();
let dns: DnsServer;
let origin: Origin;
/** Where nobody may get: the same port on an address that is not allowed. */
let inside: Origin;
let product: Product;
let sandbox: TestSandbox;

beforeAll(async () => {
  dns = await startDnsServer();
  inside = await Origin.start({ host: '127.0.0.9' });
  origin = await Origin.start({
    leaf: authority.mintLeaf([HOST]),
    handlers: {
      '/metadata': redirect('http://169.254.169.254/latest/meta-data/'),
      '/inside': redirect(`http://127.0.0.9:${inside.port}/`),
    },
    onUpgrade: (_request, socket) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
      );
    },
  });
  dns.zone.set(HOST, { a: [OPEN], ttlS: 1 });
  product = await startProduct({
    originCa: authority.caPem,
    settings: {
      egress: { allow_private: [`${OPEN}/32`], dns: { servers: [dns.address] } },
      limits: { connect_timeout_ms: 1_000 },
    },
  });
  const ports = [443, origin.port];
  await product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST], ports });
  sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
});

afterAll(async () => {
  await product.assertNoLeak(value);
  await product[Symbol.asyncDispose]();
  await Promise.all([dns.close(), origin.close(), inside.close()]);
});

const target = (): string => `${HOST}:${origin.port}`;

async function connect(to: string, over = product, who = sandbox): Promise<string> {
  using answer = await sendConnect({ proxy: over.proxy, authority: to, token: who.token });
  return answer.response.status === 200 ? 'allowed' : answer.response.reason;
}

/** Plain HTTP through the proxy, as a client that follows redirects sends it. */
async function getPlain(url: string): Promise<string> {
  using connection = await dialProxy(product.proxy);
  const credentials = ['Proxy-Authorization', proxyAuthorization(sandbox.token)];
  const fields = ['Host', new URL(url).host, ...credentials];
  return outcomeOf(await connection.request({ path: url, fields }));
}

describe('aliases in DNS', () => {
  function chain(name: string, length: number, end: { a?: string[]; aaaa?: string[] }): string {
    const at = (step: number): string => `${name}${step}.alias.test`;
    for (let step = 0; step < length; step += 1) dns.zone.set(at(step), { cname: at(step + 1) });
    dns.zone.set(at(length), end);
    return at(0);
  }

  test.each([1, 2, 8])('a chain of %i to an open address is followed', async (length) => {
    const name = chain(`open${length}-`, length, { a: [OPEN] });
    expect(await connect(`${name}:${origin.port}`)).toBe('allowed');
  });

  test.each([
    [1, 'loopback', { a: ['127.0.0.9'] }],
    [3, 'metadata', { a: ['169.254.169.254'] }],
    [3, 'IPv6 metadata', { aaaa: ['fd00:ec2::254'] }],
    [8, 'a private address', { a: ['10.0.0.1'] }],
    [2, 'an open address and a private one', { a: [OPEN, '192.168.0.1'] }],
    [2, 'an open address and NAT64 of a private one', { a: [OPEN], aaaa: ['64:ff9b::a00:1'] }],
  ])('a chain of %i to %s is refused', async (length, what, end) => {
    const name = chain(`${what.toLowerCase().replaceAll(' ', '-')}-`, length, end);
    expect(await connect(`${name}:${inside.port}`)).toBe('internal_address_denied');
    const plain = await getPlain(`http://${name}:${inside.port}/`);
    expect(plain).toBe('403 internal_address_denied');
  });

  test('an alias of a name that the hosts file has, and a chain to itself, lead nowhere', async () => {
    dns.zone.set('to-localhost.alias.test', { cname: 'localhost' });
    dns.zone.set('ring.alias.test', { cname: 'ring.alias.test' });
    for (const name of ['to-localhost', 'ring']) {
      expect(await connect(`${name}.alias.test:${inside.port}`)).toBe('dns_failed');
    }
  });
});

describe('redirects', () => {
  test.each(['/metadata', '/inside'])('%s goes to the client, nobody follows it', async (path) => {
    using tunnel = await product.openTunnel(sandbox, target());
    const answer = await tunnel.request({ path, fields: ['Host', target()] });
    expect(answer.status).toBe(302);
    const location = answer.field('location') ?? '';
    expect(location).toMatch(/^http:/);
    // The client follows: a request of its own, judged like any other.
    expect(await getPlain(location)).toBe('403 internal_address_denied');
  });
});

describe('another host inside an open tunnel', () => {
  const elsewhere = (): readonly string[] => [
    '169.254.169.254',
    `127.0.0.9:${inside.port}`,
    `[::ffff:127.0.0.9]:${inside.port}`,
    'localhost',
  ];

  test('by the Host of HTTP/1.1', async () => {
    for (const host of elsewhere()) {
      using tunnel = await product.openTunnel(sandbox, target());
      const answer = await tunnel.request({ path: '/', fields: ['Host', host] });
      expect(`${host} ${outcomeOf(answer)}`).toBe(`${host} 421 misdirected_request`);
    }
  });

  test('by absolute-form, whatever its scheme', async () => {
    for (const host of elsewhere()) {
      for (const scheme of ['http', 'https', 'ws']) {
        using tunnel = await product.openTunnel(sandbox, target());
        const answer = await tunnel.request({
          path: `${scheme}://${host}/`,
          fields: ['Host', host],
        });
        expect(`${host} ${outcomeOf(answer)}`).toMatch(
          / (?:421 misdirected_request|400 bad_request)$/,
        );
      }
    }
  });

  test('by a WebSocket handshake', async () => {
    for (const host of elsewhere()) {
      using tunnel = await product.openTunnel(sandbox, target());
      const upgrade = ['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Key', 'k'];
      const fields = ['Host', host, ...upgrade, 'Sec-WebSocket-Version', '13'];
      const answer = await tunnel.request({ path: '/', fields });
      expect(`${host} ${outcomeOf(answer)}`).toBe(`${host} 421 misdirected_request`);
    }
  });

  test('by the :authority of HTTP/2, stream by stream', async () => {
    using tunnel = await openHttp2(product, sandbox, target());
    for (const host of elsewhere()) {
      const answer = await tunnel.request({ path: '/', authority: host });
      expect(`${host} ${answer.status}`).toBe(`${host} 421`);
      const beside = await tunnel.request({ path: '/', fields: ['host', host] });
      expect(`${host} ${beside.status}`).toBe(`${host} 421`);
    }
    expect((await tunnel.request({ path: '/', authority: target() })).status).toBe(200);
  });
});

describe('an answer that turns inside while a tunnel is open', () => {
  async function turn(addresses: readonly string[], ask: () => Promise<string>): Promise<void> {
    dns.zone.set(HOST, { a: addresses, ttlS: 1 });
    await eventually(async () => {
      expect(await ask()).toMatch(/^403/);
    }, 6_000);
    dns.zone.set(HOST, { a: [OPEN], ttlS: 1 });
    await eventually(async () => {
      expect(await ask()).not.toMatch(/^403/);
    }, 6_000);
  }

  test.each([['127.0.0.9'], ['169.254.169.254']])('to %s: HTTP/2', async (address) => {
    using tunnel = await openHttp2(product, sandbox, target());
    const ask = async (): Promise<string> => {
      const answer = await tunnel.request({ path: '/', authority: target() });
      return `${answer.status} ${answer.text()}`;
    };
    expect(await ask()).toMatch(/^200/);
    await turn([OPEN, address], ask);
  });

  test('to 127.0.0.9: WebSocket', async () => {
    const ask = async (): Promise<string> => {
      using tunnel = await product.openTunnel(sandbox, target());
      const upgrade = ['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Key', 'k'];
      const fields = ['Host', target(), ...upgrade, 'Sec-WebSocket-Version', '13'];
      tunnel.sendRequest({ path: '/', fields });
      return String((await tunnel.readHead()).status);
    };
    expect(await ask()).toBe('101');
    dns.zone.set(HOST, { a: ['127.0.0.9'], ttlS: 1 });
    // A new tunnel is refused as well, by its CONNECT.
    await eventually(async () => {
      await expect(ask()).rejects.toThrow('internal_address_denied');
    }, 6_000);
    dns.zone.set(HOST, { a: [OPEN], ttlS: 1 });
    await eventually(async () => expect(await ask()).toBe('101'), 6_000);
  });
});

describe('the listeners of this instance', () => {
  let all: Product;
  let who: TestSandbox;

  beforeAll(async () => {
    all = await startProduct({
      settings: {
        proxy: { listen: '127.0.0.1:0', tls_listen: '127.0.0.1:0' },
        metrics: { listen: '127.0.0.1:0' },
        egress: { allow_private: ['0.0.0.0/0', '::/0'], dns: { servers: [dns.address] } },
        limits: { connect_timeout_ms: 500 },
      },
    });
    who = await all.createSandbox({ more: { intercept: 'all' } });
  });

  afterAll(async () => {
    await all[Symbol.asyncDispose]();
  });

  /** What the product's process listens on, as the kernel says. */
  async function listeningPorts(): Promise<number[]> {
    const { readFile, readdir, readlink } = await import('node:fs/promises');
    const folder = `/proc/${all.pid}/fd`;
    const links = await Promise.all(
      (await readdir(folder)).map((name) => readlink(`${folder}/${name}`).catch(() => '')),
    );
    const sockets = new Set(links.map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]));
    const tables = await Promise.all(
      ['tcp', 'tcp6'].map((name) => readFile(`/proc/${all.pid}/net/${name}`, 'utf8')),
    );
    return tables
      .flatMap((table) => table.split('\n').slice(1))
      .map((line) => line.trim().split(/\s+/))
      .filter((columns) => columns[3] === '0A' && sockets.has(columns[9]))
      .map((columns) => Number.parseInt(columns[1]?.split(':')[1] ?? '', 16));
  }

  test('all four are closed by every local address, and by names and wrappings of it', async () => {
    const ports = await listeningPorts();
    expect(ports).toHaveLength(4);
    expect(ports).toContain(all.proxy.port);
    const local = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .filter(({ address }) => !address.startsWith('fe80'))
      .map(({ address, family }) => (family === 'IPv6' ? `[${address}]` : address));
    dns.zone.set('own.doors.test', { a: ['127.0.0.1'] });
    dns.zone.set('alias.doors.test', { cname: 'own.doors.test' });
    const wrapped = ['[::ffff:127.0.0.1]', '[64:ff9b::127.0.0.1]', '[2002:7f00:1::]', '0', '127.1'];
    const names = ['localhost', 'own.doors.test', 'alias.doors.test'];
    for (const host of [...new Set(local), ...wrapped, ...names]) {
      for (const port of ports) {
        const outcome = await connect(`${host}:${port}`, all, who);
        expect(`${host}:${port} ${outcome}`).toBe(`${host}:${port} internal_address_denied`);
      }
    }
    expect(await connect(`127.0.0.1:${inside.port}`, all, who)).toBe('allowed');
  });
});

test('I1 nobody was let in by any of these doors', () => {
  expect(inside.connectionCount).toBe(0);
  expect(origin.connectionCount).toBeGreaterThan(0);
});
