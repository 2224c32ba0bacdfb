/**
 * The trail as it grows, for those who watch. What a watcher gets comes from the store, by id and in order,
 * so it can go on after any event it saw; the running trail only says that there is something new. A
 * watcher is asked for no more than it takes, nothing is queued for it, and watchers are bounded (I7).
 */
import { ControlError } from '../kernel/errors.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Actor } from '../organizations/actor.ts';
import { checkRole } from '../organizations/roles.ts';
import { inReach, reachOf } from './audit-log.ts';
import type { AuditStore, TrailRow } from './audit-store.ts';
import type { RunningTrail } from './trail.ts';

export interface LiveFeedDeps {
  readonly store: Pick<AuditStore, 'listTrailAfter' | 'readLastEventId'>;
  readonly trail: Pick<RunningTrail, 'subscribe' | 'queued'>;
  /** Default 15 seconds. */
  readonly heartbeatMs?: number;
}

export interface Watch {
  readonly actor: Actor;
  /** Go on after this event; `null`: from now on. */
  readonly afterId: number | null;
  /** Rejects once the key behind the watch is not valid any more; that ends the watch. */
  readonly recheck: () => Promise<unknown>;
  /** The watcher is gone. */
  readonly signal: AbortSignal;
}

/** No rows: still there, and nothing up to `lastId` was left out. */
export interface FeedPiece {
  readonly rows: readonly TrailRow[];
  readonly lastId: number;
}

const PIECE_ROWS = 200;
/** Between two readings: about as long as the trail takes to store what was recorded. */
const PAUSE_MS = 250;
const HEARTBEAT_MS = 15_000;

export class LiveFeed {
  readonly #deps: LiveFeedDeps;
  readonly #closing = new AbortController();
  readonly #byKey = new Map<string, number>();
  readonly #sleepers = new Set<() => void>();
  #watchers = 0;
  #recorded = 0;
  #unsubscribe: (() => void) | null = null;

  constructor(deps: LiveFeedDeps) {
    this.#deps = deps;
  }

  get watchers(): number {
    return this.#watchers;
  }

  /** The first piece comes at once. ControlError `rate_limited` when too many watch. */
  async *watch({ actor, afterId, recheck, signal }: Watch): AsyncGenerator<FeedPiece> {
    checkRole(actor, 'read');
    const leave = this.#enter(actor.apiKeyId);
    const over = AbortSignal.any([signal, this.#closing.signal]);
    try {
      const { store, trail } = this.#deps;
      const newestId = await store.readLastEventId();
      // An id from the future is of a database that was put back: what it names will come again.
      let lastId = Math.min(afterId ?? newestId, newestId);
      yield { rows: [], lastId };
      while (!over.aborted && (await isAccepted(recheck))) {
        const recorded = this.#recorded;
        const hasQueued = trail.queued > 0;
        const filter = { ...reachOf(actor), limit: PIECE_ROWS };
        const piece = await store.listTrailAfter(actor.organizationId, lastId, filter);
        lastId = piece.lastId;
        if (piece.rows.length > 0) {
          yield { rows: piece.rows.map((row) => inReach(actor, row)), lastId };
        }
        if (piece.rows.length === PIECE_ROWS) continue;
        await this.#sleep(PAUSE_MS, over);
        if (hasQueued || trail.queued > 0 || this.#recorded !== recorded) continue;
        await this.#sleep(this.#deps.heartbeatMs ?? HEARTBEAT_MS, over, true);
        if (this.#recorded === recorded) yield { rows: [], lastId };
      }
    } finally {
      leave();
    }
  }

  /** Ends every watch. */
  close(): void {
    this.#closing.abort();
  }

  #enter(apiKeyId: string): () => void {
    const ofKey = this.#byKey.get(apiKeyId) ?? 0;
    if (this.#watchers >= FIXED.watchersMax || ofKey >= FIXED.watchersPerKeyMax) {
      throw new ControlError('rate_limited', {
        message: 'Too many watch the events already.',
        retryAfterS: 5,
      });
    }
    this.#watchers += 1;
    this.#byKey.set(apiKeyId, ofKey + 1);
    // Only while somebody watches does an exchange pay for it: one increment and a look at a set.
    this.#unsubscribe ??= this.#deps.trail.subscribe(() => {
      this.#recorded += 1;
      if (this.#sleepers.size > 0) for (const wake of this.#sleepers) wake();
    });
    return () => this.#leave(apiKeyId);
  }

  #leave(apiKeyId: string): void {
    const ofKey = (this.#byKey.get(apiKeyId) ?? 1) - 1;
    if (ofKey === 0) this.#byKey.delete(apiKeyId);
    else this.#byKey.set(apiKeyId, ofKey);
    this.#watchers -= 1;
    if (this.#watchers > 0) return;
    this.#unsubscribe?.();
    this.#unsubscribe = null;
  }

  /** Until the time is over, the watch is, or (`orRecorded`) an event is recorded. */
  #sleep(timeMs: number, over: AbortSignal, orRecorded = false): Promise<void> {
    if (over.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        over.removeEventListener('abort', wake);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, timeMs);
      timer.unref();
      over.addEventListener('abort', wake);
      if (orRecorded) this.#sleepers.add(wake);
    });
  }
}

async function isAccepted(recheck: () => Promise<unknown>): Promise<boolean> {
  try {
    await recheck();
    return true;
  } catch {
    return false;
  }
}
