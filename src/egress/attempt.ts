/**
 * Between an exchange and one try of it on one connection: what the HTTP clients behind the seam
 * report. An attempt translates, it decides nothing; after `onFault` or `onEnd` it is silent.
 */
import type { UpstreamResponseHead } from './upstream.ts';

export interface Attempt {
  resume(): void;
  /** Destroys the connection, or resets the stream with this code; nothing is reported any more. */
  abort(http2ErrorCode?: number): void;
}

export interface AttemptSink {
  /** The head is on its way in an established, verified connection. */
  onHeadWritten(): void;
  /** The first byte of a response, informational ones included. */
  onResponseByte(): void;
  onInformation(head: UpstreamResponseHead): void;
  onResponse(head: UpstreamResponseHead): void;
  onData(chunk: Buffer): boolean;
  /** The connection has been given back or closed already; a stream may have to be closed yet. */
  onEnd(trailers: readonly string[]): void;
  onFault(error: Error): void;
}
