/** The steps of a rotation: which follow, what each keeps, and that they are read back as they were stored. */
import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { formatState, parseState, takeStep, trustedRoots } from '../../src/ca/authority-state.ts';
import type { AuthorityState, RotationStep } from '../../src/ca/authority-state.ts';
import { mintRoot } from '../../src/ca/root.ts';
import { ControlError } from '../../src/kernel/errors.ts';

const NOW_MS = Date.UTC(2027, 4, 6);
const first: AuthorityState = { phase: 'steady', active: mintRoot(NOW_MS) };
const at = { nowMs: NOW_MS, overlapMs: null };
const overlap = takeStep(first, 'begin', at);
const switched = takeStep(overlap, 'switch', at);

test('begin adds a root beside the one that signs, under a name of its own', () => {
  expect(overlap).toMatchObject({ phase: 'overlap', active: first.active, switchAtMs: null });
  const [old, next] = trustedRoots(overlap).map(({ certPem }) => new X509Certificate(certPem));
  expect(old?.toString()).toBe(first.active.certPem);
  expect(next?.subject).not.toBe(old?.subject);
  expect(next?.validToDate.getUTCFullYear()).toBe(2037);
});

test('after the switch the new root signs and both are trusted', () => {
  expect(switched.phase).toBe('switched');
  expect(switched.active).not.toEqual(first.active);
  expect(trustedRoots(switched).map(({ certPem }) => certPem)).toEqual(
    trustedRoots(overlap)
      .map(({ certPem }) => certPem)
      .toReversed(),
  );
});

test('finish leaves the new one, cancel the old one; the key of the other is gone', () => {
  expect(trustedRoots(takeStep(switched, 'finish', at))).toEqual([switched.active]);
  expect(takeStep(overlap, 'cancel', at)).toEqual(first);
  expect(takeStep(switched, 'cancel', at)).toEqual(first);
  const finished = formatState(takeStep(switched, 'finish', at));
  expect(finished).not.toContain(first.active.keyPem.split('\n')[1]);
});

test('the time of the switch counts from the beginning', () => {
  const timed = takeStep(first, 'begin', { nowMs: NOW_MS, overlapMs: 5_000 });
  expect(timed).toMatchObject({ switchAtMs: NOW_MS + 5_000 });
  expect(parseState(formatState(timed))).toEqual(timed);
});

test('one that is over is replaced at once; the way back stays open, for clocks that were wrong', () => {
  const late = { nowMs: NOW_MS + 4_000 * 24 * 3_600_000, overlapMs: 5_000 };
  const replaced = takeStep(first, 'begin', late);
  expect(replaced).toMatchObject({ phase: 'switched', retired: first.active });
  expect(new X509Certificate(replaced.active.certPem).validToDate.getTime()).toBeGreaterThan(
    late.nowMs,
  );
  expect(takeStep(replaced, 'cancel', at)).toEqual(first);
});

const STEPS: readonly RotationStep[] = ['begin', 'switch', 'finish', 'cancel'];
const FOLLOWS: Readonly<Record<AuthorityState['phase'], readonly RotationStep[]>> = {
  steady: ['begin'],
  overlap: ['switch', 'cancel'],
  switched: ['finish', 'cancel'],
};

test.each([first, overlap, switched])('from $phase no other step follows', (state) => {
  for (const step of STEPS.filter((one) => !FOLLOWS[state.phase].includes(one))) {
    expect(() => takeStep(state, step, at)).toThrow(ControlError);
  }
});

test.each([first, overlap, switched])('$phase is read back as it was stored', (state) => {
  expect(parseState(formatState(state))).toEqual(state);
});

test('what is stored without a rotation is what the first version stored', () => {
  const { certPem, keyPem } = first.active;
  expect(formatState(first)).toBe(certPem + keyPem);
});

test.each([
  ['no key', first.active.certPem],
  ['the key of another root', first.active.certPem + mintRoot(NOW_MS).keyPem],
  ['an unknown phase', JSON.stringify({ phase: 'x', active: formatState(first) })],
  [
    'an overlap without the next one',
    JSON.stringify({ phase: 'overlap', active: formatState(first) }),
  ],
])('%s is not read', (_, text) => {
  expect(() => parseState(text)).toThrow(Error);
});
