/**
 * How often one connection may do what costs us and not the client: reset streams, send control frames. A
 * bucket that fills up again with time. Floods end in a refusal, bursts of honest clients do not.
 */
import type { Clock } from '../src/kernel/clock.ts';

export interface AllowanceRate {
  /** At once. */
  readonly burst: number;
  /** And after that. */
  readonly perSecond: number;
}

export class FrameAllowance {
  readonly #clock: Clock;
  readonly #rate: AllowanceRate;
  #left: number;
  #filledMs: number;

  constructor(clock: Clock, rate: AllowanceRate) {
    this.#clock = clock;
    this.#rate = rate;
    this.#left = rate.burst;
    this.#filledMs = clock.monotonicMs();
  }

  /** False when it was one too many. */
  take(): boolean {
    if (this.#left < 1) this.#fill();
    this.#left -= 1;
    return this.#left >= 0;
  }

  /** What is useful makes up for what is not. */
  give(count: number): void {
    this.#left = Math.min(this.#rate.burst, this.#left + count);
  }

  #fill(): void {
    const nowMs = this.#clock.monotonicMs();
    const filled = ((nowMs - this.#filledMs) / 1_000) * this.#rate.perSecond;
    this.#filledMs = nowMs;
    this.#left = Math.min(this.#rate.burst, this.#left + filled);
  }
}
