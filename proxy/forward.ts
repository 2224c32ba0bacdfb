/**
 * The two halves of an exchange joined: what the origin sends goes to the client as it arrives, with
 * backpressure; what either side breaks ends both. Usage is marked when the head with the value was
 * written to a verified connection, and again when the origin answered (spec section 9).
 */
import { Refusal } from '../src/kernel/errors.ts';
import type {
  UpstreamExchange,
  UpstreamObserver,
  UpstreamResponseHead,
} from '../src/egress/upstream.ts';
import type { InjectedForm } from '../src/inject/compose-request.ts';
import { withoutFields } from '../src/wire/field-list.ts';
import type { ClientListener, ClientStream } from './client-stream.ts';
import type { DataPlane } from './data-plane.ts';
import { CredentialUse } from './credential-use.ts';
import { dispatchPrepared } from './decoded-exchange.ts';
import type { ExchangeContext, Prepared } from './exchange-context.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { responseSink } from './masked-response.ts';
import type { ResponseSink } from './masked-response.ts';
import { changedVersions, OverlapExchange } from './overlap-retry.ts';
import { refuse } from './refuse.ts';
import { clientFields } from './response-fields.ts';

/** Sends a prepared request and streams the response. Returns at once; the record closes at the end. */
export function forward(
  context: ExchangeContext,
  client: ClientStream,
  record: ExchangeRecord,
  prepared: Prepared,
): void {
  const forwarding = new Forwarding(context, client, record, prepared);
  if (prepared.prepareRetry === null) {
    forwarding.attach(dispatchPrepared(context.plane, prepared, forwarding));
    return;
  }
  const exchange = new OverlapExchange(context, forwarding, prepared.prepareRetry);
  exchange.start(prepared);
  forwarding.attach(exchange);
}

export class Forwarding implements UpstreamObserver, ClientListener {
  readonly #plane: DataPlane;
  readonly #isIntercepted: boolean;
  readonly #client: ClientStream;
  readonly #record: ExchangeRecord;
  #use: CredentialUse;
  #injected: readonly InjectedForm[];
  /** The client, or what stands before it where values are masked. */
  #sink: ResponseSink;
  #exchange: UpstreamExchange | null = null;

  constructor(
    context: ExchangeContext,
    client: ClientStream,
    record: ExchangeRecord,
    prepared: Pick<Prepared, 'winners' | 'injected' | 'mask'>,
  ) {
    this.#plane = context.plane;
    this.#isIntercepted = context.isIntercepted;
    this.#client = client;
    this.#record = record;
    this.#use = new CredentialUse(context.plane, prepared.winners);
    this.#injected = prepared.injected;
    this.#sink = responseSink(client, prepared.mask);
  }

  /** Ties the exchange to the client: gone client, gone request; drained client, more data. */
  attach(exchange: UpstreamExchange): void {
    this.#exchange = exchange;
    if (this.#record.isClosed) return;
    this.#client.listen(this);
    this.#record.cancelUpstream = () => {
      exchange.abort();
    };
  }

  onDrain(): void {
    this.#exchange?.resume();
  }

  onAborted(http2ErrorCode?: number): void {
    this.#exchange?.abort(http2ErrorCode);
    if (this.#record.isClosed) return;
    this.#record.code ??= 'client_aborted';
    this.#record.close();
  }

  onSilent(): void {
    this.#exchange?.abort();
    refuse(this.#plane.logger, this.#client, this.#record, new Refusal('request_timeout'));
  }

  onHeadWritten(): void {
    this.#use.noteWritten();
  }

  onInformation(head: UpstreamResponseHead): void {
    if (head.status < STATUS_MIN) {
      this.#refuseAnswer('The origin answered with a status below 100.');
      return;
    }
    this.#sink.sendInformation(head.status, clientFields(head.fields, this.#isIntercepted));
  }

  onResponse(head: UpstreamResponseHead): void {
    if (this.#record.isClosed) return;
    this.noteAnswer(head);
    if (head.status === 407) {
      // Only a proxy may ask for proxy credentials, and we are the proxy here.
      this.#refuseAnswer('The origin answered 407, which only a proxy may.');
      return;
    }
    if (head.status > HTTP2_STATUS_MAX && this.#client.protocol === 'h2') {
      this.#refuseAnswer('The origin answered with a status that HTTP/2 cannot carry.');
      return;
    }
    this.#record.status = head.status;
    const fields = clientFields(head.fields, this.#isIntercepted);
    this.#sink.sendHead(
      head.status,
      head.statusText,
      // RFC 9110 8.6: a 204 has no length to tell.
      head.status === 204 ? withoutFields(fields, isContentLength) : fields,
      head.neverIndexed,
    );
  }

  onData(chunk: Buffer): boolean {
    // A body without its head would go out as it came, unmasked.
    if (this.#record.isClosed) return true;
    return this.#sink.write(chunk);
  }

  onEnd(trailers: readonly string[]): void {
    if (this.#record.isClosed) return;
    this.#sink.end(trailers.length === 0 ? trailers : clientFields(trailers, this.#isIntercepted));
    this.#record.close();
  }

  onFailure(refusal: Refusal, http2ErrorCode?: number): void {
    if (this.#client.headSent) {
      // Our own bounds are no fault of the origin.
      const isOurs = refusal.code === 'too_many_connections';
      this.#record.code ??= isOurs ? refusal.code : 'upstream_aborted';
      // What the origin gave as its reason is the client's to know.
      if (http2ErrorCode !== undefined) this.#client.abort(http2ErrorCode);
    }
    refuse(this.#plane.logger, this.#client, this.#record, refusal);
  }

  #refuseAnswer(message: string): void {
    this.#exchange?.abort();
    this.onFailure(new Refusal('upstream_protocol_error', { message }));
  }

  /** The origin answered an exchange that carried these secrets. */
  noteAnswer(head: UpstreamResponseHead): void {
    this.#record.upstreamStatus = head.status;
    this.#record.upstreamHttpVersion = head.isHttp2 === true ? '2' : '1.1';
    this.#use.noteAnswered(head);
  }

  /** The answer so far is dropped; the versions of `prepared` are tried instead. */
  stepIn(dropped: UpstreamResponseHead, prepared: Prepared): void {
    this.noteAnswer(dropped);
    const before = this.#use.winners;
    this.#record.addVersions(changedVersions(before, prepared.winners));
    this.#use = new CredentialUse(this.#plane, prepared.winners, before);
    // The origin has seen both.
    this.#injected = [...this.#injected, ...prepared.injected];
    this.#sink = responseSink(this.#client, this.#plane.masks.maskFor(this.#injected));
  }

  /** Something of ours broke. */
  onFault(error: unknown): void {
    this.#exchange?.abort();
    refuse(this.#plane.logger, this.#client, this.#record, error);
  }
}

/** Parsers of HTTP/1.1 ask for three digits and no more. */
const STATUS_MIN = 100;
/** What Node's HTTP/2 takes; HTTP/1.1 carries any three digits. */
const HTTP2_STATUS_MAX = 599;

function isContentLength(normalizedName: string): boolean {
  return normalizedName === 'content-length';
}
