/**
 * One page of the usage book: what happened to each version since the page was begun. Bounded by entries;
 * times only move forward, requests of an earlier rotation than the newest seen are not counted.
 */
import type { AuthFailureKind } from './auth-failure.ts';
import type { UsageMark } from './usage-store.ts';

/** Versions marked between two flushes; only a store that is away for long lets it get there. */
const ENTRIES_MAX = 200_000;

class UsageEntry implements UsageMark {
  readonly secretId: string;
  readonly versionId: string;
  lastUsedAtMs: number | null = null;
  lastAnsweredAtMs: number | null = null;
  rotation = 0;
  requests = 0;
  wasAccepted = false;
  authFailures = 0;
  lastAuthFailureAtMs: number | null = null;
  authFailureKind: AuthFailureKind | null = null;

  constructor(secretId: string, versionId: string) {
    this.secretId = secretId;
    this.versionId = versionId;
  }

  noteUsed(atMs: number): void {
    if (this.lastUsedAtMs === null || atMs > this.lastUsedAtMs) this.lastUsedAtMs = atMs;
  }

  noteAnswered(atMs: number): void {
    if (this.lastAnsweredAtMs === null || atMs > this.lastAnsweredAtMs)
      this.lastAnsweredAtMs = atMs;
  }

  countRequest(rotation: number): void {
    if (rotation < this.rotation) return;
    if (rotation > this.rotation) this.requests = 0;
    this.rotation = rotation;
    this.requests += 1;
  }

  noteAccepted(): void {
    this.wasAccepted = true;
    this.authFailures = 0;
  }

  noteAuthFailure(kind: AuthFailureKind, atMs: number): void {
    this.authFailures += 1;
    if (this.lastAuthFailureAtMs !== null && atMs < this.lastAuthFailureAtMs) return;
    this.lastAuthFailureAtMs = atMs;
    this.authFailureKind = kind;
  }
}

export class UsagePage {
  /** By secret, then by version: a reader asks by secret. */
  readonly #secrets = new Map<string, Map<string, UsageEntry>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** `undefined` when the page is full; `waiting` are entries of another page that count too. */
  entryOf(secretId: string, versionId: string, waiting = 0): UsageEntry | undefined {
    let versions = this.#secrets.get(secretId);
    const known = versions?.get(versionId);
    if (known !== undefined) return known;
    if (this.#size + waiting >= ENTRIES_MAX) return undefined;
    if (versions === undefined) {
      versions = new Map();
      this.#secrets.set(secretId, versions);
    }
    const entry = new UsageEntry(secretId, versionId);
    versions.set(versionId, entry);
    this.#size += 1;
    return entry;
  }

  entriesOf(secretId: string): Iterable<UsageMark> {
    return this.#secrets.get(secretId)?.values() ?? [];
  }

  /** Of a page that is not written to any more. */
  marks(): UsageMark[] {
    return [...this.#secrets.values()].flatMap((versions) => [...versions.values()]);
  }
}
