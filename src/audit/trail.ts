/**
 * The trail: takes one event an exchange, at once and without waiting, and hands them to the store in
 * batches, in order, each exactly once, also when an answer of the store is lost. While the store fails it
 * keeps what it has and tries again; it refuses an event only when the queue has no room for its sandbox
 * (I4), and counts that.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startDeadline } from '../kernel/deadline.ts';
import { mintId } from '../kernel/ids.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Limits } from '../kernel/limits.ts';
import type { Logger } from '../kernel/logger.ts';
import type { AuditStore } from './audit-store.ts';
import type { AuditEvent, Trail } from './event.ts';
import { EventQueue } from './event-queue.ts';
import type { AuditSink } from './sink.ts';
import { TrailRoom } from './trail-room.ts';

export interface TrailOptions {
  readonly store: Pick<AuditStore, 'appendEvents'>;
  readonly limits: Pick<Limits, 'auditQueueMax'>;
  /** `refuse`: exchanges ask for room first (`reserve`); `drop`: they go on without. */
  readonly onFull: 'drop' | 'refuse';
  readonly sink: AuditSink | null;
  /** `audit.chain: on`. */
  readonly isChained?: boolean;
  readonly logger: Logger;
  readonly metrics: { auditDropped(count: number): void };
  /** Default 200: rows are visible within a second. */
  readonly flushIntervalMs?: number;
}

export interface RunningTrail extends Trail {
  /** Resolves when everything recorded so far is stored; rejects when the store fails now. */
  flush(): Promise<void>;
  /** Stores what is queued, trying for `deadlineMs` (5 s); resolves with the number of events lost. */
  close(deadlineMs?: number): Promise<number>;
  readonly queued: number;
  /** Events of this sandbox that found no room. */
  droppedOf(sandboxId: string): number;
  /** Sees every event as it is recorded; must not throw. Returns the unsubscriber. */
  subscribe(listener: (event: AuditEvent) => void): () => void;
}

const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 5_000;
/** Between two log lines about dropped events. */
const DROP_LOG_EVERY = 1_000;

export function startTrail(options: TrailOptions): RunningTrail {
  return new QueuedTrail(options);
}

class QueuedTrail implements RunningTrail {
  readonly #options: TrailOptions;
  readonly #intervalMs: number;
  readonly #room: TrailRoom;
  readonly #queue = new EventQueue();
  readonly #listeners = new Set<(event: AuditEvent) => void>();
  readonly #writer = mintId();
  #sequence = 0;
  /** The batch handed to the store, until the store has it. */
  #batch: readonly AuditEvent[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #retryMs = 0;
  #dropped = 0;
  #stored = 0;
  #closing: Promise<number> | undefined;

  constructor(options: TrailOptions) {
    this.#options = options;
    this.#intervalMs = options.flushIntervalMs ?? 200;
    this.#room = new TrailRoom(options.limits.auditQueueMax);
  }

  get queued(): number {
    return this.#batch.length + this.#queue.length;
  }

  reserve(sandboxId: string): boolean {
    return this.#options.onFull === 'drop' || this.#room.reserve(sandboxId);
  }

  release(sandboxId: string): void {
    if (this.#options.onFull === 'refuse') this.#room.release(sandboxId);
  }

  record(event: AuditEvent): void {
    for (const listener of this.#listeners) listener(event);
    if (!this.#room.admit(event.sandboxId)) {
      this.#drop(event);
      return;
    }
    this.#queue.push(event);
    // While the store fails the timer is the retry's; a full batch does not hurry it.
    if (this.#retryMs === 0 && this.#queue.length === FIXED.storeBatchRowsMax) this.#schedule(0);
    else if (this.#timer === undefined) this.#schedule(this.#intervalMs);
  }

  droppedOf(sandboxId: string): number {
    return this.#room.droppedOf(sandboxId);
  }

  subscribe(listener: (event: AuditEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async flush(): Promise<void> {
    // What is recorded meanwhile is for the next flush, or this one might never end.
    const target = this.#stored + this.queued;
    while (this.#stored < target) await this.#write();
  }

  close(deadlineMs = 5_000): Promise<number> {
    this.#closing ??= this.#close(deadlineMs);
    return this.#closing;
  }

  async #close(deadlineMs: number): Promise<number> {
    const deadline = startDeadline(deadlineMs);
    while (this.queued > 0 && !deadline.passed) {
      const written = await deadline.race(this.#write());
      if (!written) await deadline.race(sleep(RETRY_MIN_MS));
    }
    deadline.end();
    clearTimeout(this.#timer);
    const lost = this.queued;
    if (lost > 0) {
      this.#options.metrics.auditDropped(lost);
      this.#options.logger.error({ lost }, 'audit events were not stored before the end');
    }
    await this.#options.sink?.close();
    return lost;
  }

  #drop(event: AuditEvent): void {
    this.#options.metrics.auditDropped(1);
    if (this.#dropped % DROP_LOG_EVERY === 0) {
      this.#options.logger.error(
        { sandboxId: event.sandboxId, dropped: this.#dropped + 1 },
        'the audit queue is full: events are dropped',
      );
    }
    this.#dropped += 1;
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // A failure is logged by #write, and the timer is set again.
      this.#write().catch(() => undefined);
    }, delayMs);
    this.#timer.unref();
  }

  /** Writes one batch; a second caller waits for the first one's. */
  #write(): Promise<void> {
    this.#writing ??= this.#writeBatch().finally(() => {
      this.#writing = undefined;
      if (this.queued > 0 && this.#closing === undefined) this.#schedule(this.#nextDelayMs());
    });
    return this.#writing;
  }

  #nextDelayMs(): number {
    if (this.#retryMs > 0) return this.#retryMs;
    return this.#queue.length >= FIXED.storeBatchRowsMax ? 0 : this.#intervalMs;
  }

  async #writeBatch(): Promise<void> {
    if (this.#batch.length === 0) {
      this.#batch = this.#queue.take(FIXED.storeBatchRowsMax);
      if (this.#batch.length === 0) return;
      this.#sequence += 1;
      this.#options.sink?.write(this.#batch);
    }
    const isChained = this.#options.isChained === true;
    const batch = { writer: this.#writer, sequence: this.#sequence, isChained };
    try {
      await this.#options.store.appendEvents(this.#batch, batch);
    } catch (error) {
      if (this.#retryMs === 0) {
        this.#options.logger.error(
          { err: error, queued: this.queued },
          'the store refused audit events; trying again',
        );
      }
      this.#retryMs = Math.min(RETRY_MAX_MS, Math.max(RETRY_MIN_MS, this.#retryMs * 2));
      throw error;
    }
    this.#retryMs = 0;
    for (const event of this.#batch) this.#room.leave(event.sandboxId);
    this.#stored += this.#batch.length;
    this.#batch = [];
  }
}
