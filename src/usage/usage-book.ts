/**
 * The usage book: last used and last answered times in memory, only ever forward, flushed in batches at
 * most every second and at the end. What the store refused is kept and sent again; a mark counts in
 * `pendingOf` until well after the store has it, so that a reader of both misses nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startDeadline } from '../kernel/deadline.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Logger } from '../kernel/logger.ts';
import type { UsageBook, UsageMark, UsageStore } from './usage-store.ts';

export interface UsageBookOptions {
  readonly store: UsageStore;
  readonly logger: Logger;
  /** At most and by default 1,000. */
  readonly flushIntervalMs?: number;
}

export interface RunningUsageBook extends UsageBook {
  /** Resolves when everything marked so far is stored; rejects when the store fails. */
  flush(): Promise<void>;
  /** Stops and flushes, trying for `deadlineMs` (5 s). */
  close(deadlineMs?: number): Promise<void>;
}

/** One version's times since the last flush. */
interface Entry {
  readonly secretId: string;
  readonly versionId: string;
  lastUsedAtMs: number | null;
  lastAnsweredAtMs: number | null;
}

/** By secret, then by version: a reader asks by secret. */
type Page = Map<string, Map<string, Entry>>;

/** Versions marked between two flushes; only a store that is away for long lets it get there. */
const ENTRIES_MAX = 200_000;
const RETRY_MS = 200;

export function startUsageBook(options: UsageBookOptions): RunningUsageBook {
  return new PagedUsageBook(options);
}

class PagedUsageBook implements RunningUsageBook {
  readonly #options: UsageBookOptions;
  readonly #timer: NodeJS.Timeout;
  /** What the store does not have yet. */
  #page: Page = new Map();
  #entries = 0;
  /** What is being stored, or was stored last. */
  #settled: Page = new Map();
  #flushing: Promise<void> | undefined;
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
    const entry = this.#entry(secretId, versionId);
    if (entry !== undefined) entry.lastUsedAtMs = later(entry.lastUsedAtMs, atMs);
  }

  markAnswered(secretId: string, versionId: string, atMs: number): void {
    const entry = this.#entry(secretId, versionId);
    if (entry !== undefined) entry.lastAnsweredAtMs = later(entry.lastAnsweredAtMs, atMs);
  }

  pendingOf(secretId: string): ReturnType<UsageBook['pendingOf']> {
    let lastUsedAtMs: number | null = null;
    let lastAnsweredAtMs: number | null = null;
    for (const page of [this.#page, this.#settled]) {
      for (const entry of page.get(secretId)?.values() ?? []) {
        lastUsedAtMs = later(lastUsedAtMs, entry.lastUsedAtMs);
        lastAnsweredAtMs = later(lastAnsweredAtMs, entry.lastAnsweredAtMs);
      }
    }
    return { lastUsedAtMs, lastAnsweredAtMs };
  }

  async flush(): Promise<void> {
    // A flush under way does not have what was marked since it began.
    while (this.#flushing !== undefined) await this.#flushing;
    if (this.#entries === 0) return;
    this.#flushing = this.#store().finally(() => {
      this.#flushing = undefined;
    });
    await this.#flushing;
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

  #entry(secretId: string, versionId: string): Entry | undefined {
    let versions = this.#page.get(secretId);
    const known = versions?.get(versionId);
    if (known !== undefined) return known;
    if (this.#entries >= ENTRIES_MAX) {
      if (!this.#full) this.#options.logger.error({}, 'the usage book is full: marks are lost');
      this.#full = true;
      return undefined;
    }
    if (versions === undefined) {
      versions = new Map();
      this.#page.set(secretId, versions);
    }
    const entry = { secretId, versionId, lastUsedAtMs: null, lastAnsweredAtMs: null };
    versions.set(versionId, entry);
    this.#entries += 1;
    return entry;
  }

  async #store(): Promise<void> {
    const page = this.#page;
    this.#page = new Map();
    this.#entries = 0;
    this.#full = false;
    this.#settled = page;
    const marks = [...page.values()].flatMap((versions): UsageMark[] => [...versions.values()]);
    try {
      for (let start = 0; start < marks.length; start += FIXED.storeBatchRowsMax) {
        await this.#options.store.recordUsage(marks.slice(start, start + FIXED.storeBatchRowsMax));
      }
      this.#failing = false;
    } catch (error) {
      // All of it again: the store keeps the later of two times.
      for (const mark of marks) this.#keep(mark);
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

  #keep(mark: UsageMark): void {
    const entry = this.#entry(mark.secretId, mark.versionId);
    if (entry === undefined) return;
    entry.lastUsedAtMs = later(entry.lastUsedAtMs, mark.lastUsedAtMs);
    entry.lastAnsweredAtMs = later(entry.lastAnsweredAtMs, mark.lastAnsweredAtMs);
  }
}

function later(one: number | null, other: number | null): number | null {
  if (one === null) return other;
  return other === null || one >= other ? one : other;
}
