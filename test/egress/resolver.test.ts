/** Names to addresses: the order of sources, the cache, and what a silent server may not do. */
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Resolution, Resolver } from '../../src/egress/resolve.ts';
import { startResolver } from '../../src/egress/resolver.ts';
import type { ResolverOptions } from '../../src/egress/resolver.ts';
import { StartError } from '../../src/kernel/errors.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/limits.ts';
import { startDnsServer } from './dns-server.ts';
import type { DnsServer } from './dns-server.ts';

let dns: DnsServer;
let nowMs = 0;
const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
const resolvers: Resolver[] = [];
const directory = mkdtempSync(join(tmpdir(), 'sallyport-hosts-'));

beforeAll(async () => {
  dns = await startDnsServer();
});
beforeEach(() => {
  dns.zone.clear();
  dns.asked.length = 0;
});
afterEach(() => {
  for (const resolver of resolvers.splice(0)) resolver.close();
});
afterAll(async () => {
  await dns.close();
  rmSync(directory, { recursive: true });
});

function resolverWith(options: Partial<ResolverOptions> = {}): Resolver {
  const resolver = startResolver({
    hosts: {},
    hostsFile: null,
    servers: [dns.address],
    mode: 'resolver',
    limits: { ...DEFAULT_LIMITS, dnsTimeoutMs: 600 },
    clock,
    ...options,
  });
  resolvers.push(resolver);
  return resolver;
}

const nameOf = (text: string) => ({ kind: 'name' as const, text });
const texts = (resolution: Resolution) => resolution.addresses.map(({ text }) => text);

async function failureOf(outcome: Resolution | Promise<Resolution>) {
  return Promise.resolve(outcome).then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('where an address comes from', () => {
  test('literals need nobody', () => {
    const resolver = resolverWith();
    expect(resolver.resolve({ kind: 'ipv4', text: '192.0.2.1' }, 's')).toEqual({
      addresses: [{ family: 4, text: '192.0.2.1' }],
      dialPort: null,
    });
    expect(resolver.resolve({ kind: 'ipv6', text: '2001:db8::1' }, 's')).toMatchObject({
      addresses: [{ family: 6, text: '2001:db8::1' }],
    });
  });

  test('egress.hosts gives an address and perhaps a port, at once', () => {
    const resolver = resolverWith({
      hosts: {
        'A.example.com': '192.0.2.1',
        'b.example.com': '192.0.2.2:8443',
        'c.example.com': '[2001:db8::3]:8443',
        'd.example.com': '2001:db8::4',
      },
    });
    const answer = (name: string) => resolver.resolve(nameOf(name), 's') as Resolution;
    expect([texts(answer('a.example.com')), answer('a.example.com').dialPort]).toEqual([
      ['192.0.2.1'],
      null,
    ]);
    expect([texts(answer('b.example.com')), answer('b.example.com').dialPort]).toEqual([
      ['192.0.2.2'],
      8443,
    ]);
    expect([texts(answer('c.example.com')), answer('c.example.com').dialPort]).toEqual([
      ['2001:db8::3'],
      8443,
    ]);
    expect([texts(answer('d.example.com')), answer('d.example.com').dialPort]).toEqual([
      ['2001:db8::4'],
      null,
    ]);
    expect(dns.asked).toEqual([]);
  });

  test.each(['nowhere', '192.0.2.1:0', '192.0.2.1:70000', '', 'api.example.com:443'])(
    'an entry %j is refused at start',
    (text) => {
      expect(() => resolverWith({ hosts: { 'a.example.com': text } })).toThrow(StartError);
    },
  );

  test('localhost and below is loopback and never asked for (RFC 6761)', () => {
    const resolver = resolverWith();
    for (const name of ['localhost', 'app.localhost']) {
      expect(texts(resolver.resolve(nameOf(name), 's') as Resolution)).toEqual([
        '127.0.0.1',
        '::1',
      ]);
    }
    expect(dns.asked).toEqual([]);
  });

  test('the hosts file comes before the network and is re-read when it changes', async () => {
    const hostsFile = join(directory, 'hosts');
    writeFileSync(
      hostsFile,
      '# c\n192.0.2.7  Files.example.com alias # x\n2001:db8::7 files.example.com\n',
    );
    const resolver = resolverWith({ hostsFile });
    const answer = (name: string) => resolver.resolve(nameOf(name), 's') as Resolution;
    expect(texts(answer('files.example.com'))).toEqual(['192.0.2.7', '2001:db8::7']);
    expect(texts(answer('alias'))).toEqual(['192.0.2.7']);
    writeFileSync(hostsFile, '192.0.2.8 files.example.com\n');
    utimesSync(hostsFile, 1, 1);
    expect(texts(answer('files.example.com'))).toHaveLength(2);
    nowMs += 1_000;
    expect(texts(answer('files.example.com'))).toEqual(['192.0.2.8']);
    rmSync(hostsFile);
    nowMs += 1_000;
    dns.zone.set('files.example.com', { rcode: 3 });
    expect(await failureOf(resolver.resolve(nameOf('files.example.com'), 's'))).toBeDefined();
  });

  test('A and AAAA together, IPv4 first, by absolute name', async () => {
    dns.zone.set('both.example.com', { a: ['192.0.2.1', '192.0.2.2'], aaaa: ['2001:db8::1'] });
    const resolution = await resolverWith().resolve(nameOf('both.example.com'), 's');
    expect(texts(resolution)).toEqual(['192.0.2.1', '192.0.2.2', '2001:db8::1']);
    expect(dns.asked.sort()).toEqual(['both.example.com a', 'both.example.com aaaa']);
  });

  test('a name with one family only, and one whose AAAA question gets no answer', async () => {
    dns.zone.set('six.example.com', { aaaa: ['2001:db8::6'] });
    dns.zone.set('dropped.example.com', { a: ['192.0.2.4'], isSilent: 'aaaa' });
    const resolver = resolverWith();
    expect(texts(await resolver.resolve(nameOf('six.example.com'), 's'))).toEqual(['2001:db8::6']);
    expect(texts(await resolver.resolve(nameOf('dropped.example.com'), 's'))).toEqual([
      '192.0.2.4',
    ]);
  });

  test('mode system asks the machine', async () => {
    const resolver = resolverWith({ mode: 'system' });
    const failure = await failureOf(resolver.resolve(nameOf('nothing.invalid'), 's'));
    expect(failure).toMatchObject({ code: 'dns_failed' });
    expect(dns.asked).toEqual([]);
  });
});

describe('the cache', () => {
  test.each([
    [0, 1_000],
    [5, 5_000],
    [3_600, 60_000],
  ])('a TTL of %i s holds for %i ms', async (ttlS, heldMs) => {
    dns.zone.set('ttl.example.com', { a: ['192.0.2.1'], ttlS });
    const resolver = resolverWith();
    await resolver.resolve(nameOf('ttl.example.com'), 's');
    nowMs += heldMs - 1;
    expect(resolver.resolve(nameOf('ttl.example.com'), 's')).not.toBeInstanceOf(Promise);
    nowMs += 1;
    expect(resolver.resolve(nameOf('ttl.example.com'), 's')).toBeInstanceOf(Promise);
  });

  test('a failure is remembered for two seconds', async () => {
    const resolver = resolverWith();
    const ask = () => failureOf(resolver.resolve(nameOf('gone.example.com'), 's'));
    expect(await ask()).toMatchObject({ code: 'dns_failed', proxyError: 'dns_error' });
    const askedOnce = dns.asked.length;
    expect(await ask()).toMatchObject({ code: 'dns_failed' });
    expect(dns.asked).toHaveLength(askedOnce);
    nowMs += 2_000;
    dns.zone.set('gone.example.com', { a: ['192.0.2.9'] });
    expect(texts(await resolver.resolve(nameOf('gone.example.com'), 's'))).toEqual(['192.0.2.9']);
  });

  test('one flight a name', async () => {
    dns.zone.set('one.example.com', { a: ['192.0.2.1'] });
    const resolver = resolverWith();
    await Promise.all(
      Array.from({ length: 50 }, async (_, i) =>
        resolver.resolve(nameOf('one.example.com'), `s${i}`),
      ),
    );
    expect(dns.asked).toHaveLength(2);
  });

  test('I7: it holds no more than its bound', async () => {
    for (const i of [1, 2, 3]) dns.zone.set(`n${i}.example.com`, { a: ['192.0.2.1'] });
    const limits = { ...DEFAULT_LIMITS, dnsCacheMax: 2 };
    const resolver = resolverWith({ limits });
    for (const i of [1, 2, 3]) await resolver.resolve(nameOf(`n${i}.example.com`), 's');
    expect(resolver.resolve(nameOf('n1.example.com'), 's')).toBeInstanceOf(Promise);
    expect(resolver.resolve(nameOf('n3.example.com'), 's')).not.toBeInstanceOf(Promise);
  });
});

describe('a server that does not answer', () => {
  test('times out as dns_timeout', async () => {
    dns.zone.set('silent.example.com', { isSilent: true });
    const failure = await failureOf(resolverWith().resolve(nameOf('silent.example.com'), 's'));
    expect(failure).toMatchObject({ code: 'dns_failed', proxyError: 'dns_timeout' });
  });

  test('holds up no other name and no other sandbox', async () => {
    for (let i = 0; i < 16; i += 1) dns.zone.set(`silent${i}.example.com`, { isSilent: true });
    dns.zone.set('fine.example.com', { a: ['192.0.2.1'] });
    const resolver = resolverWith({ hosts: { 'listed.example.com': '192.0.2.5' } });
    const silent = Array.from({ length: 16 }, (_, i) =>
      failureOf(resolver.resolve(nameOf(`silent${i}.example.com`), 'greedy')),
    );
    expect(resolver.resolve(nameOf('listed.example.com'), 'greedy')).not.toBeInstanceOf(Promise);
    let isSilentDone = false;
    void Promise.all(silent).then(() => (isSilentDone = true));
    expect(texts(await resolver.resolve(nameOf('fine.example.com'), 'other'))).toEqual([
      '192.0.2.1',
    ]);
    expect(isSilentDone).toBe(false);
    const refused = await failureOf(resolver.resolve(nameOf('more.example.com'), 'greedy'));
    expect(refused).toMatchObject({ code: 'dns_failed', proxyError: 'dns_error' });
    expect(String(refused)).toContain('16 name look-ups');
    await Promise.all(silent);
    expect(
      await failureOf(resolver.resolve(nameOf('more.example.com'), 'greedy')),
    ).not.toMatchObject({
      message: expect.stringContaining('look-ups') as string,
    });
  });
});
