/** The decider's part of an overlapping rotation: which version a permit is for, and when (I2). */
import { describe, expect, test } from 'vitest';
import { decideExchange } from '../../src/policy/decide-exchange.ts';
import type { BoundSecret } from '../../src/policy/policy-store.ts';
import type { Secret } from '../../src/secrets/secret.ts';
import { bound, head, NOW_MS, secret, snapshotOf } from './fixtures.ts';

const ENDS_AT_MS = NOW_MS + 1_000;

/** Rotated from version 1 to 2 with an overlap. */
function overlapping(changes: Partial<Secret> = {}): BoundSecret {
  const overlap = { versionId: 'version-before', version: 1, endsAtMs: ENDS_AT_MS };
  const one = bound(secret('key', { version: 2, rotation: 2, overlap, ...changes }));
  if (one.version === null) throw new Error('it has a version');
  return { ...one, overlapVersion: { ...one.version, id: 'version-before', version: 1 } };
}

function versionsFor(bindings: readonly BoundSecret[], isOverlapRetry: boolean, nowMs = NOW_MS) {
  const request = head('GET https://api.example.com/v1');
  const snapshot = snapshotOf({ bound: bindings });
  const decision = decideExchange(snapshot, request, { nowMs, isOverlapRetry });
  if (decision.verdict === 'refuse') return decision.refusal.code;
  return decision.winners.map(({ version, versionId, permit, rotation, overlapEndsAtMs }) => {
    expect(permit.scope.version).toMatchObject({ id: versionId, version });
    return [version, rotation, overlapEndsAtMs];
  });
}

describe('an overlapping rotation', () => {
  test('the active version first; the one before only for the retry', () => {
    expect(versionsFor([overlapping()], false)).toEqual([[2, 2, ENDS_AT_MS]]);
    expect(versionsFor([overlapping()], true)).toEqual([[1, 2, ENDS_AT_MS]]);
  });

  test('ends to the millisecond', () => {
    expect(versionsFor([overlapping()], true, ENDS_AT_MS - 1)).toEqual([[1, 2, ENDS_AT_MS]]);
    expect(versionsFor([overlapping()], true, ENDS_AT_MS)).toEqual([[2, 2, null]]);
  });

  test('never brings back what was cut off, destroyed, or not asked for', () => {
    expect(versionsFor([overlapping({ oldestUsableVersion: 2 })], true)).toEqual([[2, 2, null]]);
    expect(versionsFor([{ ...overlapping(), overlapVersion: null }], true)).toEqual([[2, 2, null]]);
    expect(versionsFor([overlapping({ overlap: null })], true)).toEqual([[2, 2, null]]);
  });

  test('is no way around a refusal', () => {
    expect(versionsFor([overlapping({ disabled: true })], true)).toBe('credential_disabled');
    expect(versionsFor([overlapping({ expiresAtMs: NOW_MS })], true)).toBe('credential_expired');
    expect(versionsFor([overlapping({ methods: ['POST'] })], true)).toBe(
      'credential_not_permitted',
    );
  });

  test('leaves other secrets of the request as they are', () => {
    const auth = { type: 'api-key', header: 'X-Other' } as const;
    const other = bound(secret('other', { auth }), { envKey: 'OTHER' });
    const versions = versionsFor([overlapping(), other], true);
    expect(versions).toEqual([
      [1, 2, ENDS_AT_MS],
      [1, 1, null],
    ]);
  });
});
