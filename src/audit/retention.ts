/**
 * The retention job: every minute it removes what is too old or too much, a batch at a time with a pause
 * between, so that the store's thread is free for policy reads. A clock that jumps forward makes everything
 * look old, and what is removed is gone: it is believed only when it has stood for a day.
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
/** Between two looks the two readings of the clock differ by less, unless somebody set it. */
const JUMP_MS = DAY_MS;

export function startRetention(options: RetentionOptions): Retention {
  const closing = new AbortController();
  const trustedNowMs = startJumpGuard(options);
  let running: Promise<number> | undefined;

  async function pruneAll(): Promise<number> {
    const { retentionDays, importantRowsMax, plainRowsMax } = options;
    const olderThanMs = retentionDays === null ? 0 : trustedNowMs() - retentionDays * DAY_MS;
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

/** The wall clock, without a jump forward of the last day. */
function startJumpGuard({
  clock,
  logger,
}: Pick<RetentionOptions, 'clock' | 'logger'>): () => number {
  let baseMs = clock.nowMs() - clock.monotonicMs();
  let sinceMs: number | null = null;
  return () => {
    const [nowMs, monotonicMs] = [clock.nowMs(), clock.monotonicMs()];
    const expectedMs = baseMs + monotonicMs;
    if (nowMs - expectedMs < JUMP_MS) {
      sinceMs = null;
      // Small corrections add up.
      baseMs = nowMs - monotonicMs;
      return nowMs;
    }
    if (sinceMs === null) {
      sinceMs = monotonicMs;
      logger.warn(
        { days: Math.round((nowMs - expectedMs) / DAY_MS) },
        'the clock jumped forward: audit events are not removed for their age during the next day',
      );
    }
    if (monotonicMs - sinceMs < DAY_MS) return expectedMs;
    baseMs = nowMs - monotonicMs;
    return nowMs;
  };
}
