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
  /** Only what `egress.mode: observe` let pass. */
  readonly observed?: true;
}

/** A row of the whole trail. */
export interface TrailRow {
  readonly id: number;
  readonly event: AuditEvent;
  /** `null` once the sandbox was deleted. */
  readonly sandboxName: string | null;
}

/** A place in the order of the trail: by time, then id, both descending. */
export interface TrailPlace {
  readonly tsMs: number;
  readonly id: number;
}

/** What a narrowed key may see; `null`: everything. */
export interface TrailReach {
  readonly workspaceIds: readonly string[] | null;
  readonly secretIds: readonly string[] | null;
}

export interface TrailFilter extends TrailReach {
  readonly limit: number;
  /** Strictly older. With `secretId` the order is by id alone. */
  readonly before?: TrailPlace;
  /** Inclusive. */
  readonly sinceMs?: number;
  /** Exclusive. */
  readonly untilMs?: number;
  readonly sandboxId?: string;
  readonly secretId?: string;
  readonly host?: string;
  /** From, to, both inclusive. */
  readonly status?: readonly [from: number, to: number];
  readonly code?: string;
  /** Only what `egress.mode: observe` let pass. */
  readonly observed?: true;
}

/** `next: null` is the end. A page may be short, or empty, before it: a call looks at a bounded number of events. */
export interface TrailPage {
  readonly rows: readonly TrailRow[];
  readonly next: TrailPlace | null;
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
  /** `audit.chain: on`. */
  readonly isChained?: boolean;
}

/** One hash chain of an organization: its uses and refusals, or its plain traffic. */
export interface ChainState {
  readonly isImportant: boolean;
  /** The first row it ever had. */
  readonly startId: number;
  /** The last row that retention took, and its hash; before that, where the chain began. */
  readonly anchorId: number;
  readonly anchorHash: Uint8Array;
  readonly lastId: number;
  readonly lastHash: Uint8Array;
}

/** So many rows of a chain fit, up to `lastId`. */
export interface ChainPage {
  readonly rows: number;
  readonly lastId: number;
  readonly hash: Uint8Array;
  /** The first row that does not fit. */
  readonly brokenId: number | null;
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
  /** Everything of an organization, newest first. */
  listTrail(organizationId: string, filter: TrailFilter): Promise<TrailPage>;
  /** What came after an id, oldest first; `lastId` is where to go on. */
  listTrailAfter(
    organizationId: string,
    afterId: number,
    filter: TrailReach & { readonly limit: number },
  ): Promise<{ readonly rows: readonly TrailRow[]; readonly lastId: number }>;
  /** The id given last; 0 before the first event. */
  readLastEventId(): Promise<number>;
  /** Empty while `audit.chain` is off. */
  listChains(organizationId: string): Promise<readonly ChainState[]>;
  /** Recomputes rows of one chain, ascending, from behind a row whose hash is given. */
  verifyChainPage(
    organizationId: string,
    isImportant: boolean,
    place: { readonly afterId: number; readonly hash: Uint8Array; readonly untilId: number },
    limit: number,
  ): Promise<ChainPage>;
  /** Removes at most one batch; the number removed (0: done). */
  pruneEvents(retention: AuditRetention): Promise<number>;
}
