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
import type { Winner } from '../src/policy/decision.ts';
import { withoutFields } from '../src/wire/field-list.ts';
import type { ClientListener, ClientStream } from './client-stream.ts';
import type { DataPlane } from './data-plane.ts';
import { CredentialUse } from './credential-use.ts';
import type { ExchangeContext, Prepared } from './exchange-context.ts';
import type { ExchangeRecord } from './exchange-record.ts';
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
  const forwarding = new Forwarding(context, client, record, prepared.winners);
  if (prepared.prepareRetry === null) {
    forwarding.attach(context.plane.upstream.dispatch(prepared.request, forwarding));
    return;
  }
  const exchange = new OverlapExchange(context, forwarding, prepared.prepareRetry);
  exchange.start(prepared.request);
  forwarding.attach(exchange);
}

export class Forwarding implements UpstreamObserver, ClientListener {
  readonly #plane: DataPlane;
  readonly #isIntercepted: boolean;
  readonly #client: ClientStream;
  readonly #record: ExchangeRecord;
  #use: CredentialUse;
  #exchange: UpstreamExchange | null = null;

  constructor(
    context: ExchangeContext,
    client: ClientStream,
    record: ExchangeRecord,
    winners: readonly Winner[],
  ) {
    this.#plane = context.plane;
    this.#isIntercepted = context.isIntercepted;
    this.#client = client;
    this.#record = record;
    this.#use = new CredentialUse(context.plane, winners);
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
    this.#client.sendInformation(head.status, clientFields(head.fields, this.#isIntercepted));
  }

  onResponse(head: UpstreamResponseHead): void {
    if (this.#record.isClosed) return;
    this.noteAnswer(head);
    if (head.status === 407) {
      // Only a proxy may ask for proxy credentials, and we are the proxy here.
      this.#exchange?.abort();
      this.onFailure(
        new Refusal('upstream_protocol_error', {
          message: 'The origin answered 407, which only a proxy may.',
        }),
      );
      return;
    }
    if (head.status > HTTP2_STATUS_MAX && this.#client.protocol === 'h2') {
      this.#exchange?.abort();
      this.onFailure(
        new Refusal('upstream_protocol_error', {
          message: 'The origin answered with a status that HTTP/2 cannot carry.',
        }),
      );
      return;
    }
    this.#record.status = head.status;
    const fields = clientFields(head.fields, this.#isIntercepted);
    this.#client.sendHead(
      head.status,
      head.statusText,
      // RFC 9110 8.6: a 204 has no length to tell.
      head.status === 204 ? withoutFields(fields, isContentLength) : fields,
    );
  }

  onData(chunk: Buffer): boolean {
    return this.#client.write(chunk);
  }

  onEnd(trailers: readonly string[]): void {
    if (this.#record.isClosed) return;
    this.#client.end(
      trailers.length === 0 ? trailers : clientFields(trailers, this.#isIntercepted),
    );
    this.#record.close();
  }

  onFailure(refusal: Refusal, http2ErrorCode?: number): void {
    if (this.#client.headSent) {
      this.#record.code ??= 'upstream_aborted';
      // What the origin gave as its reason is the client's to know.
      if (http2ErrorCode !== undefined) this.#client.abort(http2ErrorCode);
    }
    refuse(this.#plane.logger, this.#client, this.#record, refusal);
  }

  /** The origin answered an exchange that carried these secrets. */
  noteAnswer(head: UpstreamResponseHead): void {
    this.#record.upstreamStatus = head.status;
    this.#use.noteAnswered(head);
  }

  /** The answer so far is dropped; the versions of `prepared` are tried instead. */
  stepIn(dropped: UpstreamResponseHead, prepared: Prepared): void {
    this.noteAnswer(dropped);
    const before = this.#use.winners;
    this.#record.addVersions(changedVersions(before, prepared.winners));
    this.#use = new CredentialUse(this.#plane, prepared.winners, before);
  }

  /** Something of ours broke. */
  onFault(error: unknown): void {
    this.#exchange?.abort();
    refuse(this.#plane.logger, this.#client, this.#record, error);
  }
}

/** What Node's HTTP/2 takes; HTTP/1.1 carries any three digits. */
const HTTP2_STATUS_MAX = 599;

function isContentLength(normalizedName: string): boolean {
  return normalizedName === 'content-length';
}
