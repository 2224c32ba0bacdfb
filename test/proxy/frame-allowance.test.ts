/** The bucket that tells floods from bursts. */
import { describe, expect, test } from 'vitest';
import { FrameAllowance } from '../../proxy/frame-allowance.ts';

function allowanceAt(rate: { burst: number; perSecond: number }) {
  let nowMs = 5_000;
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  const allowance = new FrameAllowance(clock, rate);
  const takeAll = (): number => {
    let taken = 0;
    while (taken < 10_000 && allowance.take()) taken += 1;
    return taken;
  };
  return {
    allowance,
    takeAll,
    wait: (ms: number) => {
      nowMs += ms;
    },
  };
}

describe('FrameAllowance', () => {
  test('a burst, and no more', () => {
    expect(allowanceAt({ burst: 10, perSecond: 5 }).takeAll()).toBe(10);
  });

  test('fills up with time, never beyond the burst', () => {
    const { allowance, wait } = allowanceAt({ burst: 10, perSecond: 5 });
    for (let i = 0; i < 10; i += 1) expect(allowance.take()).toBe(true);
    wait(1_000);
    for (let i = 0; i < 5; i += 1) expect(allowance.take()).toBe(true);
    expect(allowance.take()).toBe(false);
    const rested = allowanceAt({ burst: 10, perSecond: 5 });
    rested.takeAll();
    rested.wait(3_600_000);
    expect(rested.takeAll()).toBe(10);
  });

  test('what is useful makes up for what is not', () => {
    const { allowance, takeAll } = allowanceAt({ burst: 10, perSecond: 0 });
    for (let i = 0; i < 1_000; i += 1) {
      expect(allowance.take()).toBe(true);
      allowance.give(1);
    }
    expect(takeAll()).toBe(10);
  });
});
