/**
 * The seam between the data plane and everything that talks to origins. Three ways behind it: HTTP/2 where
 * the client speaks it and the origin offers it; undici for ordinary HTTP/1.1 exchanges; and
 * `node:http.request` for what undici cannot carry (`Expect: 100-continue`, request trailers, `OPTIONS *`).
 *
 * Observer order, asserted in tests: `onHeadWritten` (0 or 1 time per attempt) → `onInformation`* →
 * `onResponse` → `onData`* → `onEnd`; `onFailure` may come at any point instead and is the last call.
 * After `abort()` nothing is called any more.
 */
import type { Readable } from 'node:stream';
import type { Refusal } from '../kernel/errors.ts';
import type { Hidden } from '../kernel/hidden.ts';
import type { Address } from '../wire/address.ts';

/** A certificate that we show to the origin (mTLS): one version of a secret. */
export interface ClientIdentity {
  /** Of the version: part of the key of pools and TLS sessions. */
  readonly id: string;
  readonly secretId: string;
  /** PEM: the chain, end entity first, and its private key. */
  readonly pem: Hidden;
}

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
  /** `addresses` and `dialPort` are the parent proxy's, the one place that can resolve `host`. */
  readonly isByParent?: true;
  /** `null`: none is shown. */
  readonly clientIdentity: ClientIdentity | null;
}

export interface UpstreamRequest {
  readonly origin: Origin;
  /** What the client speaks. Only `h2` may be answered over HTTP/2: nothing is upgraded, either way. */
  readonly protocol: 'http/1.1' | 'h2';
  readonly method: string;
  /** Origin-form or `*`. */
  readonly target: string;
  /**
   * Field lines without what the connection owns (`Host`, `Connection`, `Keep-Alive`, `Content-Length`,
   * `Transfer-Encoding`, `Expect`, `Upgrade`, `TE`); the seam adds those. Flat name, value array.
   */
  readonly fields: readonly string[];
  /**
   * Lower-case names of what carries a secret, `:path` among them: HTTP/2 sends these as literals that no
   * hop may index (RFC 7541 7.1.3). Means nothing to HTTP/1.1.
   */
  readonly neverIndexed: readonly string[];
  /** `Host` (or `:authority`) as it goes out. */
  readonly hostField: string;
  /** `null`: no body. */
  readonly body: Readable | null;
  /** `null` with a body: chunked. */
  readonly contentLength: number | null;
  readonly expectContinue: boolean;
  /** `TE: trailers` was asked for. */
  readonly acceptsTrailers: boolean;
  /**
   * Read from the body's source after its end. An HTTP/1.1 client announces trailers, so `null` means none;
   * an HTTP/2 client does not: always given with a body, and an HTTP/1.1 origin gets them only when a
   * `Trailer` field announced them.
   */
  readonly requestTrailers: (() => readonly string[]) | null;
  /** This request may be sent again on a new connection if no byte of the response came. */
  readonly replayable: boolean;
}

export interface UpstreamResponseHead {
  readonly status: number;
  readonly statusText: string;
  readonly fields: readonly string[];
  /** Lower-case names that came as never-indexed literals and must go on as such (RFC 7541 7.1.3). */
  readonly neverIndexed?: readonly string[];
  /** Set where it is not HTTP/1.x. */
  readonly isHttp2?: true;
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
   * the RFC 9209 type. After `onResponse` it means the response is incomplete. `http2ErrorCode`: the
   * origin reset its stream with it (RFC 9113 7).
   */
  onFailure(refusal: Refusal, http2ErrorCode?: number): void;
}

/** A running exchange. */
export interface UpstreamExchange {
  /** After `onData` returned false. */
  resume(): void;
  /** Destroys the connection, or resets the stream with this code (default CANCEL). */
  abort(http2ErrorCode?: number): void;
}

export interface Upstream {
  dispatch(request: UpstreamRequest, observer: UpstreamObserver): UpstreamExchange;
  /** Closes idle connections whose pool `isDenied` now, and destroys the busy ones of it. */
  closeWhere(
    isDenied: (origin: Omit<Origin, 'addresses'> & { readonly address: Address }) => boolean,
  ): void;
  /** Closes idle connections whose pool `isOver`; the busy ones end with the exchanges on them. */
  retireWhere(isOver: (origin: Omit<Origin, 'addresses'>) => boolean): void;
  /** Open connections, for the gauge and the bound. */
  readonly connections: number;
  close(): Promise<void>;
}
