/** Storage contract of `last_used_at`: monotonic, in batches, without touching `updated_at`. */
export interface UsageMark {
  readonly secretId: string;
  readonly versionId: string;
  readonly lastUsedAtMs: number | null;
  readonly lastAnsweredAtMs: number | null;
}

export interface UsageStore {
  /** At most `FIXED.storeBatchRowsMax` marks; keeps the later of stored and given. */
  recordUsage(marks: readonly UsageMark[]): Promise<void>;
}

/** The writing and reading end in memory. `now` readings are wall clock, ms. */
export interface UsageBook {
  /** The head with this version injected was written to a verified origin connection. */
  markUsed(secretId: string, versionId: string, atMs: number): void;
  /** The origin answered such an exchange. */
  markAnswered(secretId: string, versionId: string, atMs: number): void;
  /** What is not flushed yet, so that API reads include it. */
  pendingOf(secretId: string): {
    readonly lastUsedAtMs: number | null;
    readonly lastAnsweredAtMs: number | null;
  };
}
