/**
 * The client's half of an exchange, whatever HTTP version carries it. `exchange.ts` and `forward.ts`
 * know only this, so another version is another file beside `http1-client.ts`.
 */
import type { Readable } from 'node:stream';

export interface ClientStream {
  readonly protocol: 'http/1.1' | 'h2';
  readonly method: string;
  /** The request target as sent. */
  readonly target: string;
  /** `1.0` or `1.1` as sent, checked by framing; `2`. */
  readonly httpVersion: string;
  /** Field lines as sent: flat name, value array. */
  readonly fields: readonly string[];
  /** Names that came as never-indexed literals, and must go on as such (RFC 7541 7.1.3). HTTP/2 only. */
  readonly neverIndexed?: readonly string[];
  /** Of HTTP/2, whose frames say so; HTTP/1.1 says it by its fields. */
  readonly hasBody?: boolean;
  readonly body: Readable;
  /** True once a response head went out: a later failure can only destroy. */
  readonly headSent: boolean;
  /** Trailers of the request, known after its body ended. */
  trailers(): readonly string[];
  /** 1xx other than 101. */
  sendInformation(status: number, fields: readonly string[]): void;
  /** `neverIndexed`: names that no hop may index; means nothing to HTTP/1.1. */
  sendHead(
    status: number,
    statusText: string,
    fields: readonly string[],
    neverIndexed?: readonly string[],
  ): void;
  /** False: wait for `onDrain` of the listener. */
  write(chunk: Buffer): boolean;
  end(trailers: readonly string[]): void;
  /** After this response the connection must not carry another one; streams that run may end. */
  closeAfterResponse(): void;
  /** Destroys what carries the exchange; a stream is reset with this RFC 9113 code. */
  abort(http2ErrorCode?: number): void;
  /** Whom to tell what happens on the client's side from now on. */
  listen(listener: ClientListener): void;
  /** Bytes of this exchange read from and written to the client so far, heads included. */
  bytesIn(): number;
  bytesOut(): number;
}

/** What a client does to a running exchange. */
export interface ClientListener {
  /** It took what was written; more may follow. */
  onDrain(): void;
  /** It went away before the response was complete; with the code when it reset its stream. */
  onAborted(http2ErrorCode?: number): void;
  /** In the middle of a body it neither sent nor took a byte for `limits.bodySilenceTimeoutMs`. */
  onSilent(): void;
}
