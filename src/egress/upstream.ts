/**
 * The seam between the data plane and everything that talks to origins. Two ways behind it: undici for
 * ordinary exchanges, `node:http.request` on the same connector for what undici cannot carry
 * (`Expect: 100-continue`, request trailers, `OPTIONS *`). HTTP/2 becomes a third without a change here.
 *
 * Observer order, asserted in tests: `onHeadWritten` (0 or 1 time per attempt) → `onInformation`* →
 * `onResponse` → `onData`* → `onEnd`; `onFailure` may come at any point instead and is the last call.
 * After `abort()` nothing is called any more.
 */
import type { Readable } from 'node:stream';
import type { Refusal } from '../kernel/errors.ts';
import type { Address } from '../wire/address.ts';

/** Which pool: spec section 7. Certificates are verified for `host`; `addresses` have been checked. */
export interface Origin {
  readonly organizationId: string;
  /** For `egress.pool_scope: sandbox`. */
  readonly sandboxId: string;
  readonly scheme: 'https' | 'http';
  /** Canonical host: SNI, name check, `Host`. */
  readonly host: string;
  readonly port: number;
  /** Checked and permitted for this sandbox, in order of preference; never empty (I5). */
  readonly addresses: readonly Address[];
  /** Overrides `port` for dialling only (`egress.hosts: name → address:port`). */
  readonly dialPort: number;
}

export interface UpstreamRequest {
  readonly origin: Origin;
  readonly method: string;
  /** Origin-form or `*`. */
  readonly target: string;
  /**
   * Field lines without what the connection owns (`Host`, `Connection`, `Keep-Alive`, `Content-Length`,
   * `Transfer-Encoding`, `Expect`, `Upgrade`, `TE`); the seam adds those. Flat name, value array.
   */
  readonly fields: readonly string[];
  /** `Host` as it goes out. */
  readonly hostField: string;
  /** `null`: no body. */
  readonly body: Readable | null;
  /** `null` with a body: chunked. */
  readonly contentLength: number | null;
  readonly expectContinue: boolean;
  /** `TE: trailers` was asked for. */
  readonly acceptsTrailers: boolean;
  /** Names announced in `Trailer`; with it request trailers travel. Read from the body's source after its end. */
  readonly requestTrailers: (() => readonly string[]) | null;
  /** This request may be sent again on a new connection if no byte of the response came. */
  readonly replayable: boolean;
}

export interface UpstreamResponseHead {
  readonly status: number;
  readonly statusText: string;
  readonly fields: readonly string[];
}

export interface UpstreamObserver {
  /** The head was written to a connection whose certificate (for https) was verified. */
  onHeadWritten(): void;
  /** 100 (with `expectContinue`), 103 and other 1xx but 101. */
  onInformation(head: UpstreamResponseHead): void;
  onResponse(head: UpstreamResponseHead): void;
  /** False asks for `resume()` to be awaited before more. */
  onData(chunk: Buffer): boolean;
  /** `trailers`: flat name, value array. */
  onEnd(trailers: readonly string[]): void;
  /**
   * `upstream_unreachable`, `upstream_timeout`, `upstream_tls_failed`, `upstream_protocol_error`, with
   * the RFC 9209 type. After `onResponse` it means the response is incomplete.
   */
  onFailure(refusal: Refusal): void;
}

/** A running exchange. */
export interface UpstreamExchange {
  /** After `onData` returned false. */
  resume(): void;
  /** Destroys the connection (or resets the stream). */
  abort(): void;
}

export interface Upstream {
  dispatch(request: UpstreamRequest, observer: UpstreamObserver): UpstreamExchange;
  /** Closes idle connections whose pool `isDenied` now, and destroys the busy ones of it. */
  closeWhere(
    isDenied: (origin: Omit<Origin, 'addresses'> & { readonly address: Address }) => boolean,
  ): void;
  /** Open connections, for the gauge and the bound. */
  readonly connections: number;
  close(): Promise<void>;
}
