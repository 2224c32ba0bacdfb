/**
 * The usage book: last used and last answered times, requests by version, refused credentials, in memory,
 * flushed in batches at most every second and at the end. A batch that the store refused is sent again
 * unchanged under its number, so that nothing counts twice; times count in `pendingOf` until well after
 * the store has them, so that a reader of both misses nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startDeadline } from '../kernel/deadline.ts';
import type { Clock } from '../kernel/clock.ts';
import { mintId } from '../kernel/ids.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Logger } from '../kernel/logger.ts';
import { UsagePage } from './usage-page.ts';
import type { AuthFailure, UsageBook, UsageMark, UsageStore, UsedVersion } from './usage-store.ts';

export interface UsageBookOptions {
  readonly store: UsageStore;
  readonly logger: Logger;
  readonly clock: Clock;
  /** At most and by default 1,000. */
  readonly flushIntervalMs?: number;
}

export interface RunningUsageBook extends UsageBook {
  /** Called for every refused credential; returns the unsubscriber. */
  onAuthFailure(listener: (failure: AuthFailure) => void): () => void;
  /** Stops and flushes, trying for `deadlineMs` (5 s). */
  close(deadlineMs?: number): Promise<void>;
}

const RETRY_MS = 200;

export function startUsageBook(options: UsageBookOptions): RunningUsageBook {
  return new PagedUsageBook(options);
}

/** A page being stored, and what of it the store does not have yet. */
interface Sending {
  readonly page: UsagePage;
  readonly batches: { readonly sequence: number; readonly marks: readonly UsageMark[] }[];
}

class PagedUsageBook implements RunningUsageBook {
  readonly #options: UsageBookOptions;
  readonly #writer = mintId();
  readonly #timer: NodeJS.Timeout;
  readonly #listeners = new Set<(failure: AuthFailure) => void>();
  #sequence = 0;
  /** What was marked since the last page was cut. */
  #page = new UsagePage();
  #sending: Sending | null = null;
  /** What was stored last. */
  #settled = new UsagePage();
  #flushing: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #failing = false;
  #full = false;

  constructor(options: UsageBookOptions) {
    this.#options = options;
    this.#timer = setInterval(
      () => {
        // A failure is logged by #store, and the next second tries again.
        this.flush().catch(() => undefined);
      },
      Math.min(options.flushIntervalMs ?? 1_000, 1_000),
    );
    this.#timer.unref();
  }

  markUsed(secretId: string, versionId: string, atMs: number): void {
    this.#entryOf(secretId, versionId)?.noteUsed(atMs);
  }

  countRequest({ secretId, versionId, rotation }: UsedVersion): void {
    this.#entryOf(secretId, versionId)?.countRequest(rotation);
  }

  markAnswered(secretId: string, versionId: string, atMs: number): void {
    this.#entryOf(secretId, versionId)?.noteAnswered(atMs);
  }

  markAccepted(secretId: string, versionId: string): void {
    this.#entryOf(secretId, versionId)?.noteAccepted();
  }

  markAuthFailure(failure: AuthFailure): void {
    const { secretId, versionId, kind, atMs } = failure;
    this.#entryOf(secretId, versionId)?.noteAuthFailure(kind, atMs);
    for (const listener of this.#listeners) {
      try {
        listener(failure);
      } catch (error) {
        this.#options.logger.error({ err: error }, 'a listener to refused credentials failed');
      }
    }
  }

  onAuthFailure(listener: (failure: AuthFailure) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  pendingOf(secretId: string): ReturnType<UsageBook['pendingOf']> {
    let lastUsedAtMs: number | null = null;
    let lastAnsweredAtMs: number | null = null;
    for (const page of [this.#page, this.#sending?.page, this.#settled]) {
      for (const entry of page?.entriesOf(secretId) ?? []) {
        lastUsedAtMs = later(lastUsedAtMs, entry.lastUsedAtMs);
        lastAnsweredAtMs = later(lastAnsweredAtMs, entry.lastAnsweredAtMs);
      }
    }
    return { lastUsedAtMs, lastAnsweredAtMs };
  }

  flush(): Promise<void> {
    if (this.#flushing !== undefined) {
      // The one under way does not have what was marked since it began: all who ask share the next.
      this.#next ??= this.#flushing.catch(ignore).then(() => {
        this.#next = undefined;
        return this.flush();
      });
      return this.#next;
    }
    if (this.#sending === null && this.#page.size === 0) return Promise.resolve();
    this.#flushing = this.#store().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async close(deadlineMs = 5_000): Promise<void> {
    clearInterval(this.#timer);
    const deadline = startDeadline(deadlineMs);
    while (!(await deadline.race(this.flush()))) {
      if (deadline.passed) {
        this.#options.logger.error({}, 'last-used times were not stored before the end');
        break;
      }
      await deadline.race(sleep(RETRY_MS));
    }
    deadline.end();
  }

  #entryOf(secretId: string, versionId: string) {
    const waiting = this.#sending?.page.size ?? 0;
    const entry = this.#page.entryOf(secretId, versionId, waiting);
    if (entry === undefined && !this.#full) {
      this.#options.logger.error({}, 'the usage book is full: marks are lost');
      this.#full = true;
    }
    return entry;
  }

  async #store(): Promise<void> {
    try {
      // First what the store refused before, then what came since.
      if (this.#sending !== null) await this.#send(this.#sending);
      if (this.#page.size > 0) await this.#send(this.#cutPage());
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) {
        this.#options.logger.error(
          { err: error },
          'the store refused last-used times; trying again',
        );
      }
      this.#failing = true;
      throw error;
    }
  }

  #cutPage(): Sending {
    const page = this.#page;
    this.#page = new UsagePage();
    this.#full = false;
    const marks = page.marks();
    const batches: Sending['batches'] = [];
    for (let start = 0; start < marks.length; start += FIXED.storeBatchRowsMax) {
      this.#sequence += 1;
      const some = marks.slice(start, start + FIXED.storeBatchRowsMax);
      batches.push({ sequence: this.#sequence, marks: some });
    }
    this.#sending = { page, batches };
    return this.#sending;
  }

  async #send({ page, batches }: Sending): Promise<void> {
    for (let batch = batches[0]; batch !== undefined; batch = batches[0]) {
      const { sequence, marks } = batch;
      const atMs = this.#options.clock.nowMs();
      await this.#options.store.recordUsage(marks, { writer: this.#writer, sequence, atMs });
      batches.shift();
    }
    this.#settled = page;
    this.#sending = null;
  }
}

function later(one: number | null, other: number | null): number | null {
  if (one === null) return other;
  return other === null || one >= other ? one : other;
}

function ignore(): void {}
