/** Which secrets would tie when a sandbox may use them all. */
import { expect, test } from 'vitest';
import { findAmbiguities } from '../../src/policy/ambiguity.ts';
import { decideExchange } from '../../src/policy/decide-exchange.ts';
import type { Secret } from '../../src/secrets/secret.ts';
import { bound, head, NOW_MS, secret, snapshotOf } from './fixtures.ts';

const bearer = { type: 'bearer' } as const;
const withPaths = (...paths: string[]): Partial<Secret> => ({
  auth: { perHost: [{ ...bearer, hosts: ['api.example.com'], paths }] },
});

const CASES: readonly (readonly [string, Partial<Secret>, Partial<Secret>, boolean])[] = [
  ['the same host and field', {}, {}, true],
  ['another field', {}, { auth: { type: 'api-key', header: 'x-key', prefix: '' } }, false],
  ['another host', {}, { hosts: ['other.example.com'] }, false],
  ['a wildcard gives way to a name', {}, { hosts: ['*.example.com'] }, false],
  ['two wildcards', { hosts: ['*.example.com'] }, { hosts: ['*.example.com'] }, true],
  ['a higher priority', {}, { priority: 1 }, false],
  ['no port in common', {}, { ports: [8443] }, false],
  ['one is disabled', {}, { disabled: true }, false],
  ['a rule for paths goes first', {}, withPaths('/v1/**'), false],
  ['the same path', withPaths('/v1/**'), withPaths('/v1/**'), true],
  ['paths apart', withPaths('/v1/**'), withPaths('/v2/**'), false],
  ['a longer path goes first', withPaths('/v1/**'), withPaths('/v1/users/**'), false],
  [
    'what the other strips',
    {},
    {
      auth: { type: 'api-key', header: 'x-key', prefix: '' },
      alsoStrip: { headers: ['authorization'], query: [] },
    },
    true,
  ],
];

test.each(CASES)('%s', (_what, one, other, isAmbiguous) => {
  const snapshot = snapshotOf({ bound: [bound(secret('a', one)), bound(secret('b', other))] });
  const found = findAmbiguities(snapshot.index, 10);
  expect(found.map(({ secretNames }) => secretNames)).toEqual(isAmbiguous ? [['a', 'b']] : []);
  // The decider says the same of a request there.
  const hosts = isAmbiguous ? [found[0]?.host ?? ''] : ['api.example.com'];
  for (const host of hosts) {
    const request = head(`GET https://${host.replace('*', 'api')}/v1/users/me`);
    const decision = decideExchange(snapshot, request, { nowMs: NOW_MS });
    const code = decision.verdict === 'refuse' ? decision.refusal.code : null;
    expect(code === 'ambiguous_secret').toBe(isAmbiguous);
  }
});

test('only those a secret takes part in, and no more than asked for', () => {
  const snapshot = snapshotOf({ bound: ['a', 'b', 'c'].map((name) => bound(secret(name))) });
  expect(findAmbiguities(snapshot.index, 10)).toHaveLength(3);
  expect(findAmbiguities(snapshot.index, 10, 'id-c')).toHaveLength(2);
  expect(findAmbiguities(snapshot.index, 1)).toHaveLength(1);
});
