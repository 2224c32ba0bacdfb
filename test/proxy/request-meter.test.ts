/**
 * `RequestMeter`: never more than the limit in any 60 seconds, never less than it allows, and a wait that
 * is long enough; nothing at all for a sandbox without limits.
 */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { RequestMeter } from '../../proxy/request-meter.ts';
import { Refusal } from '../../src/kernel/errors.ts';

const MINUTE_MS = 60_000;

function start(limits: { requestsPerMinute?: number; concurrent?: number }) {
  let nowMs = 5_000_000;
  let running = 0;
  const clock = { nowMs: () => 0, monotonicMs: () => nowMs };
  const meter = new RequestMeter(clock, { runningCount: () => running });
  const snapshot = {
    sandboxId: 'one',
    limits: {
      requestsPerMinute: limits.requestsPerMinute ?? null,
      concurrent: limits.concurrent ?? null,
    },
  };
  return {
    advance: (ms: number) => {
      nowMs += ms;
    },
    run: (count: number) => {
      running = count;
    },
    now: () => nowMs,
    /** `0`: let in; otherwise the `Retry-After`. */
    ask: (sandboxId = 'one'): number => {
      try {
        meter.admit({ ...snapshot, sandboxId });
        return 0;
      } catch (error) {
        if (!(error instanceof Refusal) || error.code !== 'rate_limited') throw error;
        return error.retryAfterS ?? -1;
      }
    },
  };
}

test('in any 60 seconds there are at most as many as the limit, and all of them when it is idle', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.integer({ min: 0, max: 9_000 }), { minLength: 1, maxLength: 200 }),
      (requestsPerMinute, gaps) => {
        const { ask, advance, now } = start({ requestsPerMinute });
        const admitted: number[] = [];
        for (const gapMs of gaps) {
          advance(gapMs);
          if (ask() === 0) admitted.push(now());
          const recent = admitted.filter((atMs) => atMs > now() - MINUTE_MS);
          expect(recent.length).toBeLessThanOrEqual(requestsPerMinute);
        }
        expect(admitted.length).toBeGreaterThanOrEqual(Math.min(requestsPerMinute, gaps.length));
      },
    ),
  );
});

test('who waits as long as it was told is let in', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 30 }),
      (requestsPerMinute, gaps) => {
        const { ask, advance } = start({ requestsPerMinute });
        for (const gapMs of gaps) {
          advance(gapMs);
          const waitS = ask();
          if (waitS === 0) continue;
          expect(waitS).toBeLessThanOrEqual(61);
          advance(waitS * 1_000);
          expect(ask()).toBe(0);
        }
      },
    ),
  );
});

test('one sandbox does not use up the minute of another', () => {
  const { ask } = start({ requestsPerMinute: 1 });
  expect([ask('one'), ask('other')]).toEqual([0, 0]);
  expect(ask('one')).toBeGreaterThan(0);
});

test('as many at once as the limit says, and what was refused does not count for the minute', () => {
  const { ask, run } = start({ concurrent: 2, requestsPerMinute: 3 });
  run(2);
  expect([ask(), ask(), ask(), ask()]).toEqual([1, 1, 1, 1]);
  run(1);
  expect([ask(), ask(), ask()]).toEqual([0, 0, 0]);
  expect(ask()).toBeGreaterThan(1);
});

test('a sandbox without limits is not counted', () => {
  const { ask, run } = start({});
  run(1_000_000);
  expect(ask()).toBe(0);
});
