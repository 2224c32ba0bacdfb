/**
 * One exchange, described once: the row every exchange hands over exactly once (I4), and the row of a
 * tunnel. No value, no token, no query string; placeholders in a path stand as `{ENV_KEY}`.
 */
import type { AuditCode } from '../kernel/errors.ts';

export type Decision = 'allow' | 'tunnel' | 'intercept' | 'deny';

/** One secret used or concerned. An exchange with two secrets is listed under each. */
export interface AuditSecret {
  readonly secretId: string;
  readonly version: number;
}

interface AuditBase {
  /** Wall clock when it began, ms. */
  readonly tsMs: number;
  readonly organizationId: string;
  readonly sandboxId: string;
  readonly requestId: string;
  readonly host: string;
  readonly port: number;
  readonly decision: Decision;
  /** `null`: nothing went wrong. */
  readonly code: AuditCode | null;
  /** For the admin only: the internal address, the TLS fault, the source of a mismatch. */
  readonly detail: string | null;
  /** With `egress.mode: observe`: the code that would have refused what passed. */
  readonly wouldRefuse: AuditCode | null;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly latencyMs: number;
}

/** A request and its response. */
export interface ExchangeEvent extends AuditBase {
  readonly kind: 'exchange';
  readonly secrets: readonly AuditSecret[];
  readonly method: string;
  readonly scheme: 'http' | 'https';
  readonly path: string;
  /** What the client got; 0 when the connection ended before a head. */
  readonly status: number;
  /** What the origin said; `null` when it said nothing. */
  readonly upstreamStatus: number | null;
  readonly httpVersion: string;
  /** `1.1` (1.0 too) or `2`; `null` when the origin said nothing. */
  readonly upstreamHttpVersion: string | null;
}

/** A CONNECT: tunnelled, intercepted, refused or failed. One per CONNECT that was authenticated. */
export interface ConnectionEvent extends AuditBase {
  readonly kind: 'connection';
  readonly dstIp: string | null;
  readonly verdict: 'allowed' | 'blocked' | 'failed';
  /** The rule that decided, as `allow_out: api.example.com`, or `null`. */
  readonly matchRule: string | null;
  /** Secrets a refusal belongs to. */
  readonly secrets: readonly AuditSecret[];
}

export type AuditEvent = ExchangeEvent | ConnectionEvent;

/** The writing end. In memory, bounded, never blocks. */
export interface Trail {
  /**
   * Room for one more event of this sandbox? With `audit.on_full: refuse` the exchange asks before
   * anything is dialled; a granted reservation is used up by the `record` that follows.
   */
  reserve(sandboxId: string): boolean;
  /** Gives a reservation back when no event will follow. */
  release(sandboxId: string): void;
  /** Hands over one event. Drops (and counts, per sandbox) only when the queue is full. */
  record(event: AuditEvent): void;
}
