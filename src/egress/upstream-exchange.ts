/**
 * One exchange with an origin: takes a connection, tries, and tries once more on a connection opened for
 * it where repeating can do no harm (spec section 7, RFC 9110 9.2.2). It keeps the order of the
 * observer's calls; which HTTP client does the talking is its only other decision.
 */
import { hasField } from '../wire/field-list.ts';
import type { Refusal } from '../kernel/errors.ts';
import type { Attempt, AttemptSink } from './attempt.ts';
import { exchangeRefusal, isConnectionFault } from './exchange-fault.ts';
import type { ResponseProgress } from './exchange-fault.ts';
import { startNodeAttempt } from './node-attempt.ts';
import type { ConnectionKind, ConnectionLimits, OriginConnection } from './origin-connection.ts';
import { RequestBody } from './request-body.ts';
import { isConnectionBound } from './response-fields.ts';
import { startUndiciAttempt } from './undici-attempt.ts';
import type { ConnectionWaiter, UpstreamPools } from './upstream-pools.ts';
import type {
  Origin,
  UpstreamExchange,
  UpstreamObserver,
  UpstreamRequest,
  UpstreamResponseHead,
} from './upstream.ts';

export class OriginExchange implements UpstreamExchange, ConnectionWaiter, AttemptSink {
  readonly #pools: UpstreamPools;
  readonly #limits: ConnectionLimits;
  readonly #request: UpstreamRequest;
  readonly #observer: UpstreamObserver;
  readonly #body: RequestBody | null;
  readonly kind: ConnectionKind;
  #attempt: Attempt | undefined;
  #connection: OriginConnection | undefined;
  #isSecondTry = false;
  #isHeadWritten = false;
  #progress: ResponseProgress = 'nothing';
  #isOver = false;

  constructor(
    pools: UpstreamPools,
    limits: ConnectionLimits,
    request: UpstreamRequest,
    observer: UpstreamObserver,
  ) {
    this.#pools = pools;
    this.#limits = limits;
    this.#request = request;
    this.#observer = observer;
    this.#body =
      request.body === null || request.contentLength === 0
        ? null
        : new RequestBody(
            request.body,
            request.replayable && hasField(request.fields, 'idempotency-key'),
          );
    this.kind = needsNode(request) ? 'node' : 'undici';
  }

  get origin(): Origin {
    return this.#request.origin;
  }

  get isFreshOnly(): boolean {
    return this.#isSecondTry;
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

  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#attempt === undefined) this.#pools.cancel(this);
    else this.#attempt.abort();
  }

  onConnection(connection: OriginConnection): void {
    this.#connection = connection;
    if (isConnectionBound(this.#request.fields)) connection.isTainted = true;
    const body = this.#body?.openStream() ?? null;
    if (connection.kind === 'undici') {
      this.#attempt = startUndiciAttempt(this.#pools, connection, this.#request, body, this);
      return;
    }
    this.#attempt = startNodeAttempt({
      pools: this.#pools,
      connection,
      request: this.#request,
      body,
      sink: this,
      limits: this.#limits,
    });
  }

  onRefusal(refusal: Refusal): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#observer.onFailure(refusal);
  }

  onHeadWritten(): void {
    this.#isHeadWritten = true;
    this.#observer.onHeadWritten();
  }

  onResponseByte(): void {
    this.#progress = 'bytes';
  }

  onInformation(head: UpstreamResponseHead): void {
    this.#observer.onInformation(head);
  }

  onResponse(head: UpstreamResponseHead): void {
    this.#progress = 'head';
    this.#observer.onResponse(head);
  }

  onData(chunk: Buffer): boolean {
    return this.#observer.onData(chunk);
  }

  onEnd(trailers: readonly string[]): void {
    this.#isOver = true;
    this.#observer.onEnd(trailers);
  }

  onFault(error: Error): void {
    if (this.#isOver) return;
    if (this.#mayTryAgain(error)) {
      this.#isSecondTry = true;
      this.#isHeadWritten = false;
      this.#attempt = undefined;
      this.#pools.request(this);
      return;
    }
    this.onRefusal(exchangeRefusal(error, this.#progress));
  }

  #mayTryAgain(error: Error): boolean {
    if (this.#isSecondTry || this.#progress !== 'nothing') return false;
    if (!isConnectionFault(error)) return false;
    if (this.#connection?.isDenied === true) return false;
    if (this.#body !== null && !this.#body.canRestart) return false;
    return !this.#isHeadWritten || this.#request.replayable;
  }
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
