/**
 * Holds sandboxes to their `limits`: requests in any 60 seconds, and exchanges and tunnels at once. What
 * is beyond is refused (`rate_limited`) before anything is dialled and does not count. Counts whole
 * seconds, so that a sandbox costs a few hundred bytes and no timer; the oldest second counts until all of
 * it has passed. Sandboxes without limits cost nothing.
 */
import { BoundedMap } from '../src/kernel/bounded-map.ts';
import type { Clock } from '../src/kernel/clock.ts';
import { Refusal } from '../src/kernel/errors.ts';
import { FIXED } from '../src/kernel/limits.ts';
import type { Snapshot } from '../src/policy/snapshot.ts';
import type { OpenConnections } from './open-connections.ts';

/** 60 whole seconds, and the one that is not over yet. */
const SLOTS = 61;
const BUSY_RETRY_AFTER_S = 1;

type Metered = Pick<Snapshot, 'sandboxId' | 'limits'>;

export class RequestMeter {
  readonly #clock: Clock;
  readonly #open: Pick<OpenConnections, 'runningCount'>;
  readonly #windows = new BoundedMap<string, MinuteWindow>(FIXED.meteredSandboxesMax);

  constructor(clock: Clock, open: Pick<OpenConnections, 'runningCount'>) {
    this.#clock = clock;
    this.#open = open;
  }

  /**
   * Counts one more exchange or tunnel, or throws Refusal `rate_limited`. The caller enters it among what
   * runs before anything is waited for, so that a burst cannot pass together.
   */
  admit(snapshot: Metered): void {
    const refusal = this.judge(snapshot);
    if (refusal !== null) throw refusal;
    if (snapshot.limits.requestsPerMinute === null) return;
    this.#windowOf(snapshot.sandboxId).add(this.#second());
  }

  /** What `admit` would throw now, `null` if nothing; counts nothing. */
  judge({ sandboxId, limits }: Metered): Refusal | null {
    const { concurrent, requestsPerMinute } = limits;
    if (concurrent !== null && this.#open.runningCount(sandboxId) >= concurrent) {
      return new Refusal('rate_limited', {
        message: `This sandbox may have ${concurrent} requests or tunnels open at once.`,
        retryAfterS: BUSY_RETRY_AFTER_S,
      });
    }
    if (requestsPerMinute === null) return null;
    const waitS = this.#windowOf(sandboxId).waitS(this.#second(), requestsPerMinute);
    if (waitS === 0) return null;
    return new Refusal('rate_limited', {
      message: `This sandbox may make ${requestsPerMinute} requests a minute.`,
      retryAfterS: waitS,
    });
  }

  #second(): number {
    return Math.floor(this.#clock.monotonicMs() / 1_000);
  }

  #windowOf(sandboxId: string): MinuteWindow {
    let window = this.#windows.get(sandboxId);
    if (window === undefined) {
      window = new MinuteWindow();
      this.#windows.set(sandboxId, window);
    }
    return window;
  }
}

/** How many there were in each of the last seconds. */
class MinuteWindow {
  readonly #counts = new Uint32Array(SLOTS);
  #newest = 0;
  #total = 0;

  /** How many seconds until there is room for one more; 0 if there is. */
  waitS(second: number, max: number): number {
    this.#forgetBefore(second);
    return this.#total >= max ? this.#secondsUntilBelow(max) : 0;
  }

  add(second: number): void {
    this.#forgetBefore(second);
    const slot = second % SLOTS;
    this.#counts[slot] = this.#at(slot) + 1;
    this.#total += 1;
  }

  #forgetBefore(second: number): void {
    const passed = Math.min(second - this.#newest, SLOTS);
    for (let step = 1; step <= passed; step += 1) {
      const slot = (this.#newest + step) % SLOTS;
      this.#total -= this.#at(slot);
      this.#counts[slot] = 0;
    }
    this.#newest = Math.max(this.#newest, second);
  }

  #secondsUntilBelow(max: number): number {
    let left = this.#total;
    for (let waitS = 1; waitS < SLOTS; waitS += 1) {
      left -= this.#at((this.#newest + waitS) % SLOTS);
      if (left < max) return waitS;
    }
    return SLOTS;
  }

  #at(slot: number): number {
    return this.#counts[slot] ?? 0;
  }
}
