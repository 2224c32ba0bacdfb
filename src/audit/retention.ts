/**
 * The retention job: every minute it removes what is too old or too much, a batch at a time with a pause
 * between, so that the store's thread is free for policy reads.
 */
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { AuditStore } from './audit-store.ts';

export interface RetentionOptions {
  readonly store: Pick<AuditStore, 'pruneEvents'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** `null`: no limit of age. */
  readonly retentionDays: number | null;
  readonly importantRowsMax: number;
  readonly plainRowsMax: number;
  /** Default one minute. */
  readonly intervalMs?: number;
}

export interface Retention {
  /** One round now; resolves with the number of rows removed. */
  prune(): Promise<number>;
  close(): Promise<void>;
}

const DAY_MS = 86_400_000;
const PAUSE_MS = 20;

export function startRetention(options: RetentionOptions): Retention {
  const closing = new AbortController();
  let running: Promise<number> | undefined;

  async function pruneAll(): Promise<number> {
    const { clock, retentionDays, importantRowsMax, plainRowsMax } = options;
    const olderThanMs = retentionDays === null ? 0 : clock.nowMs() - retentionDays * DAY_MS;
    let total = 0;
    while (!closing.signal.aborted) {
      const removed = await options.store.pruneEvents({
        olderThanMs,
        importantRowsMax,
        plainRowsMax,
      });
      if (removed === 0) break;
      total += removed;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    return total;
  }

  function prune(): Promise<number> {
    running ??= pruneAll().finally(() => {
      running = undefined;
    });
    return running;
  }

  const timer = setInterval(() => {
    prune().catch((error: unknown) => {
      options.logger.warn({ err: error }, 'audit retention failed; it runs again in a minute');
    });
  }, options.intervalMs ?? 60_000);
  timer.unref();

  return {
    prune,
    async close() {
      closing.abort();
      clearInterval(timer);
      await running?.catch(() => undefined);
    },
  };
}
