/**
 * Waits for something that is promised "within N": asks again until it holds. The last failure is what the
 * test reports, so a broken promise reads like the assertion it broke.
 */
import { setTimeout as delay } from 'node:timers/promises';

/** Runs `check` until it does not throw, for at most `withinMs`; returns its result. */
export async function eventually<T>(check: () => T | Promise<T>, withinMs = 3_000): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(20);
    }
  }
}
