/**
 * One try of an ordinary exchange with undici: raw field arrays both ways, no promise and no allocation
 * per chunk. It refuses what undici lets pass: a response framed by anything but a length, `chunked` or
 * the end of the connection (RFC 9112 6.1).
 */
import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Attempt, AttemptSink } from './attempt.ts';
import { protocolRefusal } from './exchange-fault.ts';
import type { UndiciConnection } from './origin-connection.ts';
import type { BodyStream } from './request-body.ts';
import { isConnectionBound, isFramingKnown } from './response-fields.ts';
import { passOverContinue } from './unasked-continue.ts';
import type { UpstreamRequest } from './upstream.ts';
import type { UpstreamPools } from './upstream-pools.ts';

const NO_TRAILERS: readonly string[] = [];

export function startUndiciAttempt(
  pools: UpstreamPools,
  connection: UndiciConnection,
  request: UpstreamRequest,
  body: BodyStream | null,
  sink: AttemptSink,
): Attempt {
  const attempt = new UndiciAttempt(pools, connection, body, sink);
  const headers = request.fields.slice();
  headers.push('host', request.hostField);
  if (request.acceptsTrailers) headers.push('te', 'trailers');
  if (body !== null && request.contentLength !== null) {
    headers.push('content-length', String(request.contentLength));
  }
  const options: Dispatcher.DispatchOptions = {
    path: request.target,
    method: request.method,
    headers,
    // undici asks for a Readable and uses the part of it that BodyStream is.
    body: body as unknown as Readable | null,
  };
  passOverContinue(connection.socket, attempt);
  connection.client.dispatch(options, attempt);
  return attempt;
}

class UndiciAttempt implements Attempt, Dispatcher.DispatchHandler {
  readonly #pools: UpstreamPools;
  readonly #connection: UndiciConnection;
  readonly #body: BodyStream | null;
  readonly #sink: AttemptSink;
  #controller: Dispatcher.DispatchController | undefined;
  #isHeadWritten = false;
  #isOver = false;

  constructor(
    pools: UpstreamPools,
    connection: UndiciConnection,
    body: BodyStream | null,
    sink: AttemptSink,
  ) {
    this.#pools = pools;
    this.#connection = connection;
    this.#body = body;
    this.#sink = sink;
  }

  resume(): void {
    this.#controller?.resume();
  }

  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#letGoOfBody();
    this.#controller?.abort(new Error('aborted'));
    this.#pools.discard(this.#connection);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isOver) controller.abort(new Error('aborted'));
  }

  /** The head goes out with the first piece of the body, */
  onBodySent(): void {
    if (!this.#isHeadWritten) this.onRequestSent();
  }

  /** or alone, when there is none. */
  onRequestSent(): void {
    if (this.#isHeadWritten || this.#isOver || this.#connection.socket.destroyed) return;
    this.#isHeadWritten = true;
    this.#sink.onHeadWritten();
  }

  onResponseStarted(): void {
    if (!this.#isOver) this.#sink.onResponseByte();
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    _headers: unknown,
    statusText = '',
  ): void {
    if (this.#isOver) return;
    const fields = readRawFields(controller.rawHeaders);
    if (status < 200) {
      this.#sink.onInformation({ status, statusText, fields });
      return;
    }
    if (!isFramingKnown(fields)) {
      this.#fail(protocolRefusal('response with an unknown transfer coding'));
      return;
    }
    if (isConnectionBound(fields)) this.#connection.isTainted = true;
    this.#sink.onResponse({ status, statusText: readReason(statusText), fields });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#isOver && !this.#sink.onData(chunk)) controller.pause();
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { rawTrailers } = controller;
    this.#letGoOfBody();
    this.#pools.release(this.#connection);
    this.#sink.onEnd(rawTrailers?.length === 0 ? NO_TRAILERS : readRawFields(rawTrailers));
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#fail(error);
  }

  /** Before anybody hears of the end: undici pauses the source later, when its owner drains it already. */
  #letGoOfBody(): void {
    this.#body?.destroy();
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#letGoOfBody();
    this.#pools.discard(this.#connection);
    this.#sink.onFault(error);
  }
}

/** undici decodes the reason phrase as UTF-8, unlike everything else in a head: back to its octets. */
function readReason(text: string): string {
  return /^[\t\x20-\x7e]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** HTTP/1 fields are octets: latin1 keeps each of them. */
function readRawFields(raw: Dispatcher.DispatchController['rawHeaders']): string[] {
  if (!Array.isArray(raw)) return [];
  const fields: string[] = Array.from({ length: raw.length });
  for (let i = 0; i < raw.length; i += 1) {
    const part = raw[i];
    fields[i] = typeof part === 'string' ? part : (part?.toString('latin1') ?? '');
  }
  return fields;
}
