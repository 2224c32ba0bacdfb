import { expect, test } from 'vitest';
import { FIXED } from '../../src/kernel/limits.ts';
import { UnknownKeyWatch } from '../../src/organizations/unknown-key-watch.ts';

function watchAt(): { watch: UnknownKeyWatch; advance: (ms: number) => void } {
  let nowMs = 0;
  const watch = new UnknownKeyWatch({ nowMs: () => nowMs, monotonicMs: () => nowMs });
  return {
    watch,
    advance(ms) {
      nowMs += ms;
    },
  };
}

test('the twentieth unknown key of a minute waits, the nineteenth does not', () => {
  const { watch } = watchAt();
  const waits = Array.from({ length: 21 }, () => watch.noteUnknown('192.0.2.1'));
  expect(waits.slice(0, 19)).toEqual(Array.from({ length: 19 }, () => 0));
  expect(waits.slice(19)).toEqual([FIXED.unknownTokenDelayMs, FIXED.unknownTokenDelayMs]);
});

test('another address does not wait', () => {
  const { watch } = watchAt();
  for (let count = 0; count < 30; count += 1) watch.noteUnknown('192.0.2.1');
  expect(watch.noteUnknown('192.0.2.2')).toBe(0);
});

test('a minute later it begins anew', () => {
  const { watch, advance } = watchAt();
  for (let count = 0; count < 30; count += 1) watch.noteUnknown('192.0.2.1');
  advance(60_000);
  expect(watch.noteUnknown('192.0.2.1')).toBe(0);
});
