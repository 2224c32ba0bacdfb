/** Storage contract of the trail: append in batches, read newest first, prune. */
import type { AuditEvent, ConnectionEvent, ExchangeEvent } from './event.ts';

export interface SecretAuditRow {
  /** Ascending in the organization. */
  readonly id: number;
  readonly event: ExchangeEvent | ConnectionEvent;
  /** `null` once the sandbox was deleted. */
  readonly sandboxName: string | null;
  readonly secretId: string;
  readonly version: number;
}

export interface SecretAuditFilter {
  readonly limit: number;
  readonly beforeId?: number;
  readonly status?: '2xx' | '3xx' | '4xx' | '5xx' | 'errors';
}

/** A row of a sandbox's network log. `secretId` only on requests that used one. */
export interface NetworkRow {
  readonly id: number;
  readonly event: AuditEvent;
}

export interface NetworkFilter {
  readonly limit: number;
  /** Strictly older than this place in the order `(ts, kind, id)` descending. */
  readonly before?: {
    readonly tsMs: number;
    readonly kind: AuditEvent['kind'];
    readonly id: number;
  };
  readonly beforeMs?: number;
  readonly sinceMs?: number;
  /** Drops `exchange` rows. */
  readonly verdict?: 'allowed' | 'blocked' | 'failed';
}

export interface AuditRetention {
  readonly olderThanMs: number;
  /** Rows per organization of exchanges that used a secret or were refused. */
  readonly importantRowsMax: number;
  /** Rows per organization of plain traffic. */
  readonly plainRowsMax: number;
}

/** Which batch of which writer this is, so that one whose answer got lost can be sent again. */
export interface AuditBatch {
  /** Unique to one run of one process. */
  readonly writer: string;
  /** Ascending from 1. One that is not above the last stored of its writer is stored already. */
  readonly sequence: number;
}

export interface AuditStore {
  /** At most `FIXED.storeBatchRowsMax` events; ids are given in order of the array. */
  appendEvents(events: readonly AuditEvent[], batch?: AuditBatch): Promise<void>;
  listSecretAudit(
    organizationId: string,
    secretId: string,
    filter: SecretAuditFilter,
  ): Promise<readonly SecretAuditRow[]>;
  listNetwork(
    organizationId: string,
    sandboxId: string,
    filter: NetworkFilter,
  ): Promise<readonly NetworkRow[]>;
  /** Removes at most one batch; the number removed (0: done). */
  pruneEvents(retention: AuditRetention): Promise<number>;
}
