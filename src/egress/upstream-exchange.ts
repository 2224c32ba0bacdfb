/**
 * One exchange with an origin: takes a connection, tries, and tries once more on a connection opened for
 * it where repeating can do no harm (spec section 7, RFC 9110 9.2.2, RFC 9113 8.7). It keeps the order of
 * the observer's calls; which HTTP client does the talking is its only other decision.
 */
import { hasField } from '../wire/field-list.ts';
import type { Refusal } from '../kernel/errors.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Limits } from '../kernel/limits.ts';
import type { Attempt, AttemptSink } from './attempt.ts';
import type { ConnectionWaiter } from './connection-waiter.ts';
import { exchangeRefusal, isConnectionFault, protocolRefusal } from './exchange-fault.ts';
import type { ResponseProgress } from './exchange-fault.ts';
import { startHttp2Attempt } from './http2-attempt.ts';
import { StreamFault } from './http2-fault.ts';
import { readTlsFault } from './late-tls-fault.ts';
import { startNodeAttempt } from './node-attempt.ts';
import type { ConnectionKind, ConnectionLimits, OriginConnection } from './origin-connection.ts';
import { RequestBody } from './request-body.ts';
import { isConnectionBound } from './response-fields.ts';
import { startUndiciAttempt } from './undici-attempt.ts';
import type { UnreadBytes } from './unread-bytes.ts';
import type { UpstreamPools } from './upstream-pools.ts';
import type {
  Origin,
  UpstreamExchange,
  UpstreamObserver,
  UpstreamRequest,
  UpstreamResponseHead,
} from './upstream.ts';

export interface ExchangeOptions {
  readonly pools: UpstreamPools;
  readonly limits: ConnectionLimits & Pick<Limits, 'headBytesMax'>;
  readonly isHttp1Only: (host: string) => boolean;
  readonly unread: UnreadBytes;
}

export class OriginExchange implements UpstreamExchange, ConnectionWaiter, AttemptSink {
  readonly #options: ExchangeOptions;
  readonly #pools: UpstreamPools;
  readonly #request: UpstreamRequest;
  readonly #observer: UpstreamObserver;
  readonly #body: RequestBody | null;
  /** The same for an HTTP/1.1 origin. */
  readonly #serialRequest: UpstreamRequest;
  readonly kind: ConnectionKind;
  #mayUseHttp2: boolean;
  #attempt: Attempt | undefined;
  #connection: OriginConnection | undefined;
  #isSecondTry = false;
  #newerThan = 0;
  #informational = 0;
  #isHeadWritten = false;
  #progress: ResponseProgress = 'nothing';
  #isOver = false;

  constructor(options: ExchangeOptions, request: UpstreamRequest, observer: UpstreamObserver) {
    this.#options = options;
    this.#pools = options.pools;
    this.#request = request;
    this.#observer = observer;
    this.#mayUseHttp2 = request.protocol === 'h2' && isOfferedHttp2(request, options);
    this.#serialRequest = request.protocol === 'h2' ? withAnnouncedTrailers(request) : request;
    this.#body =
      request.body === null || request.contentLength === 0
        ? null
        : new RequestBody(
            request.body,
            // What HTTP/2 says was not acted upon is repeated whatever it is.
            this.#mayUseHttp2 || isRepeatable(request),
          );
    this.kind = needsNode(this.#serialRequest) ? 'node' : 'undici';
  }

  get origin(): Origin {
    return this.#request.origin;
  }

  get mayUseHttp2(): boolean {
    return this.#mayUseHttp2;
  }

  get newerThan(): number {
    return this.#newerThan;
  }

  get isCancelled(): boolean {
    return this.#isOver;
  }

  start(): void {
    this.#pools.request(this);
  }

  resume(): void {
    this.#attempt?.resume();
  }

  abort(http2ErrorCode?: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#attempt === undefined) this.#pools.cancel(this);
    else this.#attempt.abort(http2ErrorCode);
  }

  onConnection(connection: OriginConnection): void {
    this.#connection = connection;
    const body = this.#body?.openStream() ?? null;
    const { limits, unread } = this.#options;
    if (connection.kind === 'http2') {
      const request = this.#request;
      this.#attempt = startHttp2Attempt({ connection, request, body, sink: this, unread, limits });
      return;
    }
    const request = this.#serialRequest;
    if (isConnectionBound(request.fields)) connection.isTainted = true;
    if (connection.kind === 'undici') {
      this.#attempt = startUndiciAttempt(this.#pools, connection, request, body, this);
      return;
    }
    const pools = this.#pools;
    this.#attempt = startNodeAttempt({ pools, connection, request, body, sink: this, limits });
  }

  onRefusal(refusal: Refusal, http2ErrorCode?: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#observer.onFailure(refusal, http2ErrorCode);
  }

  onHeadWritten(): void {
    this.#isHeadWritten = true;
    this.#observer.onHeadWritten();
  }

  onResponseByte(): void {
    this.#progress = 'bytes';
    this.#body?.letGo();
  }

  onInformation(head: UpstreamResponseHead): void {
    this.#informational += 1;
    if (this.#informational <= FIXED.informationalMax) {
      this.#observer.onInformation(head);
      return;
    }
    this.#attempt?.abort();
    this.onRefusal(protocolRefusal('too many informational responses'));
  }

  onResponse(head: UpstreamResponseHead): void {
    this.#progress = 'head';
    this.#body?.letGo();
    this.#observer.onResponse(head);
  }

  onData(chunk: Buffer): boolean {
    return this.#observer.onData(chunk);
  }

  onEnd(trailers: readonly string[]): void {
    this.#isOver = true;
    this.#observer.onEnd(trailers);
  }

  onFault(reported: Error): void {
    if (this.#isOver) return;
    const error = this.#readCause(reported);
    if (this.#mayTryAgain(error)) {
      this.#isSecondTry = true;
      this.#newerThan = this.#connection?.serial ?? 0;
      if (error instanceof StreamFault && error.asksForHttp1) this.#mayUseHttp2 = false;
      this.#isHeadWritten = false;
      this.#attempt = undefined;
      this.#pools.request(this);
      return;
    }
    const refusal = exchangeRefusal(error, this.#progress);
    this.onRefusal(refusal, error instanceof StreamFault ? error.http2ErrorCode : undefined);
  }

  /** An alert says more than the end of the connection that it brings about. */
  #readCause(reported: Error): Error {
    if (this.#progress !== 'nothing' || this.#connection === undefined) return reported;
    return readTlsFault(this.#connection.socket) ?? reported;
  }

  #mayTryAgain(error: Error): boolean {
    if (this.#isSecondTry || this.#progress !== 'nothing') return false;
    if (this.#connection?.isDenied === true) return false;
    if (this.#body !== null && !this.#body.canRestart) return false;
    if (error instanceof StreamFault) return error.isUnprocessed;
    if (!isConnectionFault(error)) return false;
    if (!this.#isHeadWritten) return true;
    const isBodyUnread = this.#body === null || this.#body.isUnread;
    return this.#request.replayable && (isBodyUnread || isRepeatable(this.#request));
  }
}

/** A body that was sent already may be sent again. */
function isRepeatable(request: UpstreamRequest): boolean {
  return request.replayable && hasField(request.fields, 'idempotency-key');
}

/** NTLM and Negotiate authenticate a connection, which HTTP/2 shares (RFC 4559; RFC 9113 8.6). */
function isOfferedHttp2({ origin, fields }: UpstreamRequest, options: ExchangeOptions): boolean {
  if (origin.scheme !== 'https' || options.isHttp1Only(origin.host)) return false;
  return !isConnectionBound(fields);
}

/** In HTTP/2 nobody announces trailers; in HTTP/1.1 they go only where they were (RFC 9110 6.6.2). */
function withAnnouncedTrailers(request: UpstreamRequest): UpstreamRequest {
  if (request.requestTrailers === null || hasField(request.fields, 'trailer')) return request;
  return { ...request, requestTrailers: null };
}

/** What undici 8 cannot carry, or carries worse. */
function needsNode(request: UpstreamRequest): boolean {
  if (request.expectContinue || request.requestTrailers !== null) return true;
  if (request.target === '*' || request.method === 'HEAD') return true;
  // undici sends the head with the first piece of the body: a client that waits for an answer before
  // it sends any would wait for ever.
  return request.body !== null && request.contentLength === null && isBodyOutstanding(request);
}

function isBodyOutstanding(request: UpstreamRequest): boolean {
  return request.body?.readableLength === 0 && !request.body.readableEnded;
}
