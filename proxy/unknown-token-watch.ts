/**
 * Slows down guessing, and nothing else: from the 20th unknown token a minute of one address, its 407s
 * are delayed by a second. Valid tokens never pass through here, so nobody is locked out behind one NAT.
 */
import { BoundedMap } from '../src/kernel/bounded-map.ts';
import type { Clock } from '../src/kernel/clock.ts';
import { FIXED } from '../src/kernel/limits.ts';

const WINDOW_MS = 60_000;

interface Count {
  readonly sinceMs: number;
  count: number;
}

export class UnknownTokenWatch {
  readonly #clock: Clock;
  readonly #counts = new BoundedMap<string, Count>(FIXED.watchedAddressesMax);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts one unknown token; how long its 407 must wait, in milliseconds. */
  delayMs(address: string): number {
    const nowMs = this.#clock.monotonicMs();
    const seen = this.#counts.get(address);
    if (seen === undefined || nowMs - seen.sinceMs > WINDOW_MS) {
      this.#counts.set(address, { sinceMs: nowMs, count: 1 });
      return 0;
    }
    seen.count += 1;
    return seen.count >= FIXED.unknownTokensPerMinute ? FIXED.unknownTokenDelayMs : 0;
  }
}
