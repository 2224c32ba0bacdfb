/** Through the parent proxy: what it is asked for, what it is told, and what its failures are called. */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { createDialer } from '../../src/egress/dial.ts';
import { createParentProxy } from '../../src/egress/parent-proxy.ts';
import type { ParentProxyOptions } from '../../src/egress/parent-proxy.ts';
import { createTrust } from '../../src/egress/trust.ts';
import { Refusal } from '../../src/kernel/errors.ts';
import { Hidden } from '../../src/kernel/hidden.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/limits.ts';
import type { Limits } from '../../src/kernel/limits.ts';
import { parseHostPattern } from '../../src/policy/host-pattern.ts';
import { parseHost } from '../../src/wire/host.ts';
import { parseCidr } from '../../src/wire/ranges.ts';
import { TestParentProxy } from '../support/parent-proxy.ts';
import { TestAuthority } from '../support/test-authority.ts';

const HOST = 'api.example.com';
const PARENT_NAME = 'proxy.example.com';
const LOCAL = { family: 4 as const, text: '127.0.0.1' };
const authority = new TestAuthority();
const trust = createTrust({ extraCaPems: [authority.caPem] });
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function startParent(options: Parameters<typeof TestParentProxy.start>[0] = {}) {
  const parent = await TestParentProxy.start(options);
  closers.push(() => parent.close());
  return parent;
}

/** Says who it is and then repeats what it is sent. */
async function startEcho(): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.write('hello ');
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

interface Plan extends Partial<Omit<ParentProxyOptions, 'limits'>> {
  readonly limits?: Partial<Limits>;
}

function dialerThrough(parent: { readonly port: number }, { limits, ...more }: Plan = {}) {
  const all = { ...DEFAULT_LIMITS, ...limits };
  const through = createParentProxy({
    scheme: 'http',
    authority: { host: parseHost(PARENT_NAME), port: parent.port },
    bypass: { hosts: [], ranges: [] },
    connectTo: 'name',
    fixedNames: new Set(),
    credentials: null,
    resolver: { resolve: () => ({ addresses: [LOCAL], dialPort: null }) },
    guard: { classify: () => null },
    trust,
    ...more,
    limits: all,
  });
  return createDialer({ trust, limits: all, parent: through });
}

function targetAt(port: number, more: { dialPort?: number; host?: string } = {}) {
  const { host = HOST, dialPort = port } = more;
  return {
    organizationId: 'org_1',
    host,
    port,
    dialPort,
    addresses: [LOCAL],
    clientIdentity: null,
  };
}

async function readAll(socket: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

async function refusalOf(promise: Promise<unknown>): Promise<Refusal> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Refusal);
  return error as Refusal;
}

describe('what the parent is asked for', () => {
  test('the name, and what the far end says first is not lost; half-open is kept', async () => {
    const port = await startEcho();
    const parent = await startParent({ routes: { [`${HOST}:${port}`]: `127.0.0.1:${port}` } });
    const dialer = dialerThrough(parent);
    const socket = await dialer.dialTcp(targetAt(port));
    socket.end('and back');
    expect(await readAll(socket)).toBe('hello and back');
    expect(parent.connects).toMatchObject([{ authority: `${HOST}:${port}`, credentials: null }]);
    expect(dialer.addressOf(socket)).toEqual(LOCAL);
  });

  test.each([
    ['the address that was checked, where the operator wants that', { connectTo: 'address' }],
    ['the address of a name that egress.hosts gave', { fixedNames: new Set([HOST]) }],
  ] as const)('%s', async (_, plan) => {
    const port = await startEcho();
    const parent = await startParent();
    (await dialerThrough(parent, plan).dialTcp(targetAt(port))).destroy();
    expect(parent.connects.map((connect) => connect.authority)).toEqual([`127.0.0.1:${port}`]);
  });

  test('the address and port that egress.hosts gave, where it gave a port', async () => {
    const dialPort = await startEcho();
    const parent = await startParent();
    (await dialerThrough(parent).dialTcp(targetAt(443, { dialPort }))).destroy();
    expect(parent.connects.map((connect) => connect.authority)).toEqual([`127.0.0.1:${dialPort}`]);
  });

  test('one address after another, until it reaches one', async () => {
    const port = await startEcho();
    const parent = await startParent({ routes: { [`[2001:db8::1]:${port}`]: '127.0.0.1:1' } });
    const addresses = [{ family: 6 as const, text: '2001:db8::1' }, LOCAL];
    const dialer = dialerThrough(parent, { connectTo: 'address' });
    const socket = await dialer.dialTcp({ ...targetAt(port), addresses });
    expect(dialer.addressOf(socket)).toEqual(LOCAL);
    expect(parent.connects.map((connect) => connect.authority)).toEqual([
      `[2001:db8::1]:${port}`,
      `127.0.0.1:${port}`,
    ]);
    socket.destroy();
  });

  test.each([
    ['by name', { hosts: [parseHostPattern('*.example.com', 'any')], ranges: [] }],
    ['by range', { hosts: [], ranges: [parseCidr('127.0.0.0/8')] }],
  ])('nothing for what is bypassed %s', async (_, bypass) => {
    const port = await startEcho();
    const parent = await startParent();
    (await dialerThrough(parent, { bypass }).dialTcp(targetAt(port))).destroy();
    expect(parent.connects).toEqual([]);
  });

  test('a range that has not every address of a name does not bypass', async () => {
    const port = await startEcho();
    const parent = await startParent({ routes: { [`${HOST}:${port}`]: `127.0.0.1:${port}` } });
    const bypass = { hosts: [], ranges: [parseCidr('127.0.0.0/8')] };
    const addresses = [LOCAL, { family: 4 as const, text: '192.0.2.1' }];
    const dialer = dialerThrough(parent, { bypass });
    (await dialer.dialTcp({ ...targetAt(port), addresses })).destroy();
    expect(parent.connects).toHaveLength(1);
  });
});

describe('what the parent is told', () => {
  test('the password, once a connection, and it counts as used', async () => {
    const port = await startEcho();
    const routes = { [`${HOST}:${port}`]: `127.0.0.1:${port}` };
    const parent = await startParent({ credentials: 'wp:p:ss', routes });
    let sent = 0;
    const password = new Hidden('p:ss');
    const credentials = async () => ({ username: 'wp', password, onSent: () => (sent += 1) });
    (await dialerThrough(parent, { credentials }).dialTcp(targetAt(port))).destroy();
    expect([parent.connects[0]?.credentials, sent]).toEqual(['wp:p:ss', 1]);
  });

  test('nothing before its own certificate was verified', async () => {
    const port = await startEcho();
    const routes = { [`${HOST}:${port}`]: `127.0.0.1:${port}` };
    const good = await startParent({ leaf: authority.mintLeaf([PARENT_NAME]), routes });
    (await dialerThrough(good, { scheme: 'https' }).dialTcp(targetAt(port))).destroy();
    expect(good.connects).toHaveLength(1);
    const bad = await startParent({ leaf: authority.mintLeaf(['other.example.com']) });
    const refusal = await refusalOf(
      dialerThrough(bad, { scheme: 'https' }).dialTcp(targetAt(port)),
    );
    expect(refusal.code).toBe('upstream_tls_failed');
    expect(refusal.message).toContain('to the parent proxy');
    expect(refusal.message).toContain('another host');
    expect(bad.connects).toEqual([]);
  });

  test('TLS to the origin inside TLS to the parent, verified for the origin', async () => {
    const { certPem: cert, keyPem: key } = authority.mintLeaf([HOST]);
    const server = createTlsServer({ cert, key }, (socket) => socket.end('secret'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    const parent = await startParent({
      leaf: authority.mintLeaf([PARENT_NAME]),
      routes: { [`${HOST}:${port}`]: `127.0.0.1:${port}`, [`o.test:${port}`]: `127.0.0.1:${port}` },
    });
    const dialer = dialerThrough(parent, { scheme: 'https' });
    const socket = await dialer.dialTls(targetAt(port), { alpn: ['http/1.1'] });
    expect(dialer.addressOf(socket)).toEqual(LOCAL);
    expect(await readAll(socket)).toBe('secret');
    const other = dialer.dialTls(targetAt(port, { host: 'o.test' }), { alpn: ['http/1.1'] });
    expect((await refusalOf(other)).message).toContain('another host');
  });
});

describe('a parent that', () => {
  test.each([
    [407, 'answered 407'],
    [403, 'answered 403'],
    [502, 'answered 502'],
    [100, 'answered 100'],
    ['break', 'could not be reached'],
    ['garbage', 'could not be reached'],
  ] as const)('answers %s is upstream_unreachable and says so', async (behaviour, message) => {
    const parent = await startParent();
    parent.behaviour = behaviour;
    const refusal = await refusalOf(dialerThrough(parent).dialTcp(targetAt(443)));
    expect(refusal.code).toBe('upstream_unreachable');
    expect(refusal.message).toContain('parent proxy');
    expect(refusal.message).toContain(message);
  });

  test('does not answer is a timeout', async () => {
    const parent = await startParent();
    parent.behaviour = 'hang';
    const dialer = dialerThrough(parent, { limits: { connectTimeoutMs: 100 } });
    const refusal = await refusalOf(dialer.dialTcp(targetAt(443)));
    expect(refusal.code).toBe('upstream_timeout');
    expect(refusal.message).toContain('parent proxy');
  });

  test('is not there is named, not taken for the origin', async () => {
    const parent = await startParent();
    const { port } = parent;
    await parent.close();
    closers.pop();
    const refusal = await refusalOf(dialerThrough({ port }).dialTcp(targetAt(443)));
    expect([refusal.code, refusal.message]).toEqual([
      'upstream_unreachable',
      'The parent proxy refused the connection.',
    ]);
  });

  test('has no address is named, not taken for the host', async () => {
    const resolver = { resolve: () => Promise.reject(new Refusal('dns_failed')) };
    const refusal = await refusalOf(
      dialerThrough({ port: 1 }, { resolver }).dialTcp(targetAt(443)),
    );
    expect([refusal.code, refusal.message]).toEqual([
      'upstream_unreachable',
      'The name of the parent proxy could not be resolved.',
    ]);
  });

  test('is this proxy itself is not dialled', async () => {
    const parent = await startParent();
    const guard = { classify: () => 'listener' as const };
    const refusal = await refusalOf(dialerThrough(parent, { guard }).dialTcp(targetAt(443)));
    expect(refusal.message).toContain('this proxy itself');
    expect(parent.connects).toEqual([]);
  });

  test('is waited for no longer than the client waits', async () => {
    const parent = await startParent();
    parent.behaviour = 'hang';
    const abort = new AbortController();
    const pending = dialerThrough(parent).dialTcp(targetAt(443), { signal: abort.signal });
    await expect.poll(() => parent.connects.length).toBe(1);
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(pending).rejects.toBe(reason);
  });
});
