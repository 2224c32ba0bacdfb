/**
 * The only place that reads the time of day. Everything else is handed a `Clock`, so tests can set it
 * and a jump of the wall clock cannot stretch a timeout: durations use the monotonic reading.
 */
export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start; never goes backwards. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
