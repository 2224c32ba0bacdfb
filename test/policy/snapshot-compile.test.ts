/** Compilation: what becomes a tombstone, how many stay, and the sandbox's own gates. */
import { describe, expect, test } from 'vitest';
import { FIXED } from '../../src/kernel/limits.ts';
import { decideIntercept } from '../../src/policy/decide-intercept.ts';
import { decideSandbox, isSourceAllowed } from '../../src/policy/decide-sandbox.ts';
import { parseHostPattern } from '../../src/policy/host-pattern.ts';
import type { Snapshot } from '../../src/policy/snapshot.ts';
import { readAddress } from '../../src/wire/address.ts';
import { parseAuthority } from '../../src/wire/host.ts';
import { bound, NOW_MS, secret, snapshotOf } from './fixtures.ts';

describe('tombstones', () => {
  test('the newest detached ones stay, up to the limit; living ones always', () => {
    const detached = Array.from({ length: 100 }, (_, index) =>
      bound(secret(`dead${index}`), { envKey: `D${index}`, detachedAtMs: NOW_MS + index }),
    );
    const snapshot = snapshotOf({ bound: [bound(secret('alive')), ...detached] });
    expect(snapshot.bindings).toHaveLength(1 + FIXED.tombstonesPerSandboxMax);
    const keys = snapshot.bindings.map(({ envKey }) => envKey);
    expect(keys).toContain('ALIVE_KEY');
    expect(keys).toContain('D99');
    expect(keys).not.toContain('D35');
  });

  test('a binding attached to a dead secret outlives older detached ones', () => {
    const detached = Array.from({ length: 64 }, (_, index) =>
      bound(secret(`dead${index}`), { envKey: `D${index}`, detachedAtMs: NOW_MS + index }),
    );
    const revoked = bound(secret('gone'), { deleted: true });
    const keys = snapshotOf({ bound: [revoked, ...detached] }).bindings.map(({ envKey }) => envKey);
    expect(keys).toContain('GONE_KEY');
    expect(keys).not.toContain('D0');
  });
});

describe('tunnel or intercept', () => {
  const snapshot = snapshotOf({
    bound: [
      bound(secret('key', { hosts: ['api.example.com', '*.wild.example'] })),
      bound(secret('old', { hosts: ['old.example.com'] }), { detachedAtMs: NOW_MS }),
      bound(secret('off', { hosts: ['off.example.com'], disabled: true })),
      bound(secret('gone', { hosts: ['gone.example.com'] }), { deleted: true }),
    ],
    sandbox: { network: { allowOut: ['plain.example'], denyOut: [] } },
  });
  const at = (authority: string, never: readonly string[] = [], policy: Snapshot = snapshot) =>
    decideIntercept(
      policy,
      parseAuthority(authority, 443),
      never.map((text) => parseHostPattern(text, 'any')),
    );

  test.each([
    'api.example.com',
    'API.example.com.:443',
    'api.example.com:8443',
    'a.wild.example',
    'old.example.com',
    'off.example.com',
    'gone.example.com',
  ])('%s is intercepted', (authority) => expect(at(authority)).toBe('intercept'));

  test.each([
    'plain.example',
    'example.com',
    'wild.example',
    'a.b.wild.example',
    'api.example.com.evil.example',
    '93.184.216.34',
  ])('%s is tunnelled', (authority) => expect(at(authority)).toBe('tunnel'));

  test('never_intercept goes first, intercept: all looks everywhere', () => {
    expect(at('api.example.com', ['*.example.com'])).toBe('tunnel');
    const all = snapshotOf({ sandbox: { interceptAll: true } });
    expect(at('any.example', [], all)).toBe('intercept');
    expect(at('any.example', ['any.example'], all)).toBe('tunnel');
  });
});

describe('the sandbox itself', () => {
  test('paused, expired', () => {
    expect(decideSandbox(snapshotOf({}), NOW_MS)).toBeNull();
    expect(decideSandbox(snapshotOf({ sandbox: { status: 'paused' } }), NOW_MS)?.code).toBe(
      'sandbox_paused',
    );
    const ending = snapshotOf({ sandbox: { expiresAtMs: NOW_MS } });
    expect(decideSandbox(ending, NOW_MS - 1)).toBeNull();
    expect(decideSandbox(ending, NOW_MS)?.code).toBe('sandbox_expired');
  });

  test('source ranges', () => {
    const snapshot = snapshotOf({ sandbox: { sourceCidrs: ['10.0.0.0/8', '::1'] } });
    const from = (text: string, policy: Snapshot = snapshot): boolean => {
      const address = readAddress(text);
      if (address === undefined) throw new Error('not an address');
      return isSourceAllowed(policy, address);
    };
    expect([from('10.9.9.9'), from('::1'), from('127.0.0.1')]).toEqual([true, true, false]);
    expect(from('127.0.0.1', snapshotOf({}))).toBe(true);
  });
});
