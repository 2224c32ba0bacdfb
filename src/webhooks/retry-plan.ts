/** When a delivery is tried again, and when it is given up: ten attempts over about a day. Pure. */
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const WAITS_MS: readonly number[] = [
  5 * SECOND,
  30 * SECOND,
  2 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
  HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
];

/** `null`: that was the last. `attempts`: made so far. `spread`, 0 to 1, keeps many from coming at once. */
export function nextAttemptMs(attempts: number, nowMs: number, spread: number): number | null {
  const waitMs = WAITS_MS[attempts - 1];
  return waitMs === undefined ? null : nowMs + Math.round(waitMs * (1 + spread / 5));
}
