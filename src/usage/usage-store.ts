/**
 * Storage contract of use: `last_used_at`, requests by version, refused credentials. Times only move
 * forward; in batches, without touching `updated_at`.
 */
import type { AuthFailureKind } from './auth-failure.ts';

/** What happened to one version since the last batch. */
export interface UsageMark {
  readonly secretId: string;
  readonly versionId: string;
  readonly lastUsedAtMs: number | null;
  readonly lastAnsweredAtMs: number | null;
  /** Requests decided in this rotation of the secret; of an earlier one than stored: not counted. */
  readonly rotation: number;
  readonly requests: number;
  /** Was it accepted? Then `authFailures` counts from there, else from what is stored. */
  readonly wasAccepted: boolean;
  readonly authFailures: number;
  readonly lastAuthFailureAtMs: number | null;
  readonly authFailureKind: AuthFailureKind | null;
}

/** Which batch of which writer this is, so that one whose answer got lost can be sent again. */
export interface UsageBatch {
  /** Unique to one run of one process. */
  readonly writer: string;
  /** Ascending from 1. One that is not above the last stored of its writer is stored already. */
  readonly sequence: number;
  /** Wall clock when it was cut. */
  readonly atMs: number;
}

export interface UsageStore {
  /** At most `FIXED.storeBatchRowsMax` marks; keeps the later of stored and given times. */
  recordUsage(marks: readonly UsageMark[], batch?: UsageBatch): Promise<void>;
}

/** A version that went out on a request. */
export interface UsedVersion {
  readonly secretId: string;
  readonly versionId: string;
  /** Of the secret, as the decision saw it. */
  readonly rotation: number;
}

/** An origin refused the credential we put on. */
export interface AuthFailure {
  readonly organizationId: string;
  readonly sandboxId: string;
  readonly secretId: string;
  readonly versionId: string;
  readonly version: number;
  readonly host: string;
  readonly kind: AuthFailureKind;
  readonly atMs: number;
}

/** The writing and reading end in memory. `atMs` readings are wall clock, ms. */
export interface UsageBook {
  /** The head with this version injected was written to a verified origin connection. */
  markUsed(secretId: string, versionId: string, atMs: number): void;
  /** Once a request, when its head with this version went out first. */
  countRequest(used: UsedVersion): void;
  /** The origin answered such an exchange. */
  markAnswered(secretId: string, versionId: string, atMs: number): void;
  /** The answer says that the credential was accepted. */
  markAccepted(secretId: string, versionId: string): void;
  markAuthFailure(failure: AuthFailure): void;
  /** What is not flushed yet, so that API reads include it. */
  pendingOf(secretId: string): {
    readonly lastUsedAtMs: number | null;
    readonly lastAnsweredAtMs: number | null;
  };
  /** Stores what was marked before the call, so that a read of the store has it. Rejects when it fails. */
  flush(): Promise<void>;
}
