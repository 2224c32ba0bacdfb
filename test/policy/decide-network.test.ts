/** Where a sandbox may go: Superserve's documented examples, the guard, ranges, ports, defaults. */
import { describe, expect, test } from 'vitest';
import { createAddressGuard } from '../../src/egress/address-guard.ts';
import { decideNetwork, type NetworkEnvironment } from '../../src/policy/decide-network.ts';
import type { NetworkDecision } from '../../src/policy/decision.ts';
import { parseNetworkEntry } from '../../src/policy/network-rules.ts';
import type { Snapshot } from '../../src/policy/snapshot.ts';
import { readAddress, type Address } from '../../src/wire/address.ts';
import { parseAuthority } from '../../src/wire/host.ts';
import { bound, NOW_MS, secret, snapshotOf } from './fixtures.ts';

const PUBLIC = '93.184.216.34';

function environment(overrides: Partial<NetworkEnvironment> = {}): NetworkEnvironment {
  return {
    guard: createAddressGuard({
      allowPrivate: [],
      listeners: () => [{ address: '127.0.0.1', port: 3128 }],
      localAddresses: () => ['127.0.0.1'],
    }),
    defaultVerdict: 'allow',
    mode: 'enforce',
    ports: [
      { from: 80, to: 80 },
      { from: 443, to: 443 },
      { from: 1024, to: 65_535 },
    ],
    ...overrides,
  };
}

function network(allowOut: readonly string[], denyOut: readonly string[] = []): Snapshot {
  return snapshotOf({ sandbox: { network: { allowOut, denyOut } } });
}

function addresses(texts: readonly string[]): readonly Address[] {
  return texts.map((text) => {
    const address = readAddress(text);
    if (address === undefined) throw new Error(`not an address: ${text}`);
    return address;
  });
}

function decide(
  snapshot: Snapshot,
  authority: string,
  resolved: readonly string[] | null = [PUBLIC],
  overrides: Partial<NetworkEnvironment> = {},
): NetworkDecision {
  const target = parseAuthority(authority, 443);
  const answers = resolved === null ? null : addresses(resolved);
  return decideNetwork(snapshot, target, answers, environment(overrides));
}

function outcome(decision: NetworkDecision): string {
  return decision.verdict === 'refuse' ? decision.refusal.code : decision.verdict;
}

function matchRule(decision: NetworkDecision): string | null {
  return decision.verdict === 'resolve' ? null : decision.matchRule;
}

describe('the network examples Superserve documents', () => {
  test('allow one host, deny the rest: exactly that host', () => {
    const snapshot = network(['api.openai.com'], ['0.0.0.0/0']);
    const allowed = decide(snapshot, 'api.openai.com');
    expect(outcome(allowed)).toBe('allow');
    expect(matchRule(allowed)).toBe('allow_out: api.openai.com');
    const denied = decide(snapshot, 'evil.example');
    expect(outcome(denied)).toBe('host_denied');
    expect(matchRule(denied)).toBe('deny_out: 0.0.0.0/0');
  });

  test('allow a wildcard and a range', () => {
    const snapshot = network(['*.github.com', '140.82.112.0/20'], ['0.0.0.0/0']);
    expect(outcome(decide(snapshot, 'api.github.com'))).toBe('allow');
    expect(outcome(decide(snapshot, 'a.b.github.com'))).toBe('allow');
    expect(outcome(decide(snapshot, 'github.com'))).toBe('host_denied');
    expect(outcome(decide(snapshot, 'github.com', ['140.82.121.4']))).toBe('allow');
    expect(outcome(decide(snapshot, '140.82.121.4'))).toBe('allow');
  });

  test('deny one range, allow the rest', () => {
    const snapshot = network([], ['93.184.216.0/24']);
    expect(outcome(decide(snapshot, 'example.com'))).toBe('host_denied');
    expect(outcome(decide(snapshot, 'example.com', ['1.1.1.1']))).toBe('allow');
    expect(outcome(decide(snapshot, 'example.com', ['1.1.1.1', PUBLIC]))).toBe('host_denied');
  });

  test('deny everything', () => {
    const snapshot = network([], ['0.0.0.0/0']);
    expect(outcome(decide(snapshot, 'example.com', ['2606:2800:220:1::1']))).toBe('host_denied');
    expect(outcome(decide(snapshot, '[2606:2800:220:1::1]'))).toBe('host_denied');
  });
});

describe('order of the rules', () => {
  test('a host in deny_out goes before the same host in allow_out', () => {
    const snapshot = network(['example.com'], ['example.com']);
    expect(outcome(decide(snapshot, 'example.com'))).toBe('host_denied');
  });

  test('an allow_out range must contain every answer', () => {
    const snapshot = network(['93.184.216.0/24'], []);
    expect(outcome(decide(snapshot, 'example.com', [PUBLIC, '93.184.216.35']))).toBe('allow');
    expect(outcome(decide(snapshot, 'example.com', [PUBLIC, '1.1.1.1']))).toBe('host_not_allowed');
  });

  test('an allow_out range goes before a deny_out range', () => {
    const snapshot = network([`${PUBLIC}/32`], ['0.0.0.0/0']);
    expect(outcome(decide(snapshot, PUBLIC))).toBe('allow');
  });

  test('a non-empty allow_out refuses what it does not name', () => {
    expect(outcome(decide(network(['a.example']), 'b.example'))).toBe('host_not_allowed');
  });

  test('an entry with a port covers that port only', () => {
    const snapshot = network(['example.com:8443', '[2606:2800::1]:443']);
    expect(outcome(decide(snapshot, 'example.com:8443'))).toBe('allow');
    expect(outcome(decide(snapshot, 'example.com:443'))).toBe('host_not_allowed');
    expect(outcome(decide(snapshot, '[2606:2800::1]:443'))).toBe('allow');
    expect(outcome(decide(snapshot, '[2606:2800::1]:8443'))).toBe('host_not_allowed');
  });

  test('a deny_out range also catches IPv4 inside NAT64 and 6to4', () => {
    const snapshot = network([], ['93.184.216.0/24']);
    expect(outcome(decide(snapshot, '[64:ff9b::5db8:d822]'))).toBe('host_denied');
    expect(outcome(decide(snapshot, '[2002:5db8:d822::1]'))).toBe('host_denied');
  });

  test('an IPv4 entry names the host in every number form', () => {
    const snapshot = network([], ['0x5d.184.216.34']);
    expect(parseNetworkEntry('0x5d.184.216.34').text).toBe(PUBLIC);
    expect(outcome(decide(snapshot, '1572395042'))).toBe('host_denied');
  });
});

describe('a name is resolved only where its rules leave something open', () => {
  test.each([
    ['host_denied', ['x.example'], ['x.example'], 'x.example'],
    ['host_not_allowed', ['a.example'], [], 'x.example'],
    ['host_denied', ['a.example'], ['0.0.0.0/0'], 'x.example'],
    ['port_denied', [], [], 'x.example:25'],
    ['resolve', [], [], 'x.example'],
    ['resolve', ['x.example'], ['0.0.0.0/0'], 'x.example'],
    ['resolve', ['10.0.0.0/8'], [], 'x.example'],
    ['resolve', [], ['10.0.0.0/8'], 'x.example'],
    ['host_not_allowed', ['10.0.0.0/8:8443'], [], 'x.example'],
  ] as const)('%s for allow %j deny %j: %s', (expected, allowOut, denyOut, target) => {
    expect(outcome(decide(network(allowOut, denyOut), target, null))).toBe(expected);
  });

  test('literals never need it', () => {
    expect(outcome(decide(network([]), PUBLIC, null))).toBe('allow');
  });

  test('no answers is no permission', () => {
    expect(outcome(decide(network(['x.example']), 'x.example', []))).toBe('dns_failed');
  });
});

describe('I5: internal addresses', () => {
  test.each([
    ['127.0.0.1', 'loopback'],
    ['0x7f.1', 'loopback'],
    ['2130706433', 'loopback'],
    ['[::1]', 'loopback'],
    ['[::ffff:10.0.0.1]', 'private'],
    ['10.0.0.1', 'private'],
    ['169.254.169.254', 'metadata'],
    ['[fd00:ec2::254]', 'metadata'],
    ['[64:ff9b::a9fe:a9fe]', 'metadata'],
    ['127.0.0.1:3128', 'listener'],
  ])('%s is refused as %s', (target, name) => {
    const decision = decide(network([target]), target, null);
    if (decision.verdict !== 'refuse') throw new Error('not refused');
    expect(decision.refusal.code).toBe('internal_address_denied');
    expect(decision.refusal.message).toContain(`(${name})`);
  });

  test('one internal answer refuses the name, even an allowed one; the message names no address', () => {
    const decision = decide(network(['x.example']), 'x.example', [PUBLIC, '10.1.2.3']);
    if (decision.verdict !== 'refuse') throw new Error('not refused');
    expect(decision.refusal.code).toBe('internal_address_denied');
    expect(decision.refusal.message + decision.refusal.hint).not.toContain('10.1.2.3');
    expect(decision.refusal.auditDetail).toContain('10.1.2.3');
    expect(decision.matchRule).toBe('guard: private');
  });

  test('the port that is dialled counts for the own listeners', () => {
    const guard = createAddressGuard({
      allowPrivate: ['127.0.0.0/8'],
      listeners: () => [{ address: '127.0.0.1', port: 3128 }],
      localAddresses: () => ['127.0.0.1'],
    });
    const redirected = { guard, dialPort: 3128 };
    expect(outcome(decide(network([]), 'x.example', ['127.0.0.1'], { guard }))).toBe('allow');
    expect(outcome(decide(network([]), 'x.example', ['127.0.0.1'], redirected))).toBe(
      'internal_address_denied',
    );
  });
});

describe('ports and default', () => {
  const bindings = [bound(secret('odd', { hosts: ['api.example.com'], ports: [22] }))];

  test('a bound secret opens its ports for its hosts only', () => {
    const snapshot = snapshotOf({ bound: bindings });
    expect(outcome(decide(snapshot, 'api.example.com:22'))).toBe('allow');
    expect(outcome(decide(snapshot, 'other.example.com:22'))).toBe('port_denied');
    expect(outcome(decide(snapshot, 'api.example.com:25'))).toBe('port_denied');
  });

  test('a detached one opens nothing', () => {
    const detached = [bound(secret('odd', { ports: [22] }), { detachedAtMs: NOW_MS })];
    const snapshot = snapshotOf({ bound: detached });
    expect(outcome(decide(snapshot, 'api.example.com:22'))).toBe('port_denied');
    expect(outcome(decide(snapshot, 'api.example.com', null, { defaultVerdict: 'deny' }))).toBe(
      'host_not_allowed',
    );
  });

  test('default deny allows the hosts of bindings, and nothing else even unresolved', () => {
    const snapshot = snapshotOf({ bound: bindings });
    const deny = { defaultVerdict: 'deny' } as const;
    const allowed = decide(snapshot, 'api.example.com', [PUBLIC], deny);
    expect(outcome(allowed)).toBe('allow');
    expect(matchRule(allowed)).toBe('binding: ODD_KEY');
    expect(outcome(decide(snapshot, 'other.example.com', null, deny))).toBe('host_not_allowed');
    expect(matchRule(decide(snapshot, 'other.example.com', null, deny))).toBe('default: deny');
  });

  test('default allow says so', () => {
    expect(matchRule(decide(network([]), 'x.example'))).toBe('default: allow');
  });
});

describe('egress.mode: observe', () => {
  const observed = (snapshot: Snapshot, authority: string, resolved?: readonly string[] | null) => {
    const decision = decide(snapshot, authority, resolved, { mode: 'observe' });
    return decision.verdict === 'refuse' ? decision.refusal.code : decision.observed;
  };

  test('what rules, ports and the default refuse passes and says what would refuse it', () => {
    const rules = network(['api.example.com'], ['evil.example', '203.0.113.0/24']);
    expect(observed(rules, 'evil.example')).toEqual({
      code: 'host_denied',
      matchRule: 'deny_out: evil.example',
    });
    expect(observed(rules, 'other.example')).toEqual({ code: 'host_not_allowed', matchRule: null });
    expect(observed(rules, 'api.example.com:25')).toEqual({
      code: 'port_denied',
      matchRule: 'egress.ports',
    });
    const ranges = network([], ['8.8.8.0/24']);
    expect(observed(ranges, 'dns.example', ['8.8.8.8'])).toEqual({
      code: 'host_denied',
      matchRule: 'deny_out: 8.8.8.0/24',
    });
    const byDefault = decide(network([]), 'x.example', [PUBLIC], {
      mode: 'observe',
      defaultVerdict: 'deny',
    });
    expect(byDefault).toMatchObject({
      verdict: 'allow',
      matchRule: 'default: deny',
      observed: { code: 'host_not_allowed' },
    });
  });

  test('a name is resolved though its rules refuse it; what is allowed observes nothing', () => {
    const rules = network(['api.example.com']);
    expect(decide(rules, 'other.example', null, { mode: 'observe' })).toMatchObject({
      verdict: 'resolve',
      observed: { code: 'host_not_allowed' },
    });
    expect(observed(rules, 'api.example.com')).toBeNull();
  });

  test('the address guard refuses all the same', () => {
    expect(observed(network([]), 'inside.example', ['10.0.0.1'])).toBe('internal_address_denied');
    expect(observed(network(['x.example']), '169.254.169.254')).toBe('internal_address_denied');
    expect(observed(network(['x.example']), 'inside.example', ['127.0.0.1'])).toBe(
      'internal_address_denied',
    );
  });
});

describe('entries', () => {
  test.each([
    ['API.Example.com', 'api.example.com'],
    ['*.Example.com:8443', '*.example.com:8443'],
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['10.0.0.0/8:443', '10.0.0.0/8:443'],
    ['2001:DB8::1', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[2001:db8::1]:443', '[2001:db8::1]:443'],
    ['[2001:db8::/32]:443', '[2001:db8::/32]:443'],
    ['::/0', '::/0'],
    ['localhost', 'localhost'],
    ['my_host', 'my_host'],
  ])('%s is written %s', (text, canonical) => {
    const entry = parseNetworkEntry(text);
    expect(entry.text).toBe(canonical);
    expect(parseNetworkEntry(canonical)).toEqual(entry);
  });

  test.each([
    '',
    'https://example.com',
    'example.com/x',
    'example.com:0',
    'example.com:70000',
    'example.com:https',
    '10.0.0.0/33',
    '10.0.0/8',
    '[10.0.0.1]:80',
    '*',
    'fe80::1%eth0',
  ])('%j is refused', (text) => expect(() => parseNetworkEntry(text)).toThrow(Error));
});
