/**
 * Counts unknown API keys per address and says how long the answer to the next one waits. Addresses
 * that show valid keys never pass through here, so they are never slowed because of others. Bounded.
 */
import { BoundedMap } from '../kernel/bounded-map.ts';
import type { Clock } from '../kernel/clock.ts';
import { FIXED } from '../kernel/limits.ts';

const WINDOW_MS = 60_000;

interface Window {
  readonly startedMs: number;
  readonly count: number;
}

export class UnknownKeyWatch {
  readonly #windows = new BoundedMap<string, Window>(FIXED.watchedAddressesMax);
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts one unknown key of `address`; milliseconds to wait before it is refused. */
  noteUnknown(address: string): number {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#windows.get(address);
    const window =
      known === undefined || nowMs - known.startedMs >= WINDOW_MS
        ? { startedMs: nowMs, count: 1 }
        : { startedMs: known.startedMs, count: known.count + 1 };
    this.#windows.set(address, window);
    return window.count >= FIXED.unknownTokensPerMinute ? FIXED.unknownTokenDelayMs : 0;
  }
}
