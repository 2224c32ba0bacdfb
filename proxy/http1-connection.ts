/**
 * One HTTP/1.1 connection of a client, inside an interception or plain: serves its requests one after
 * another, also when they were pipelined (RFC 9112 9.3.2), and answers what the parser refused with the
 * same refusals as everything else.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Refusal } from '../src/kernel/errors.ts';
import { mintRequestId } from '../src/kernel/ids.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import type { Limits } from '../src/kernel/limits.ts';
import { Http1Client } from './http1-client.ts';
import type { Http1Carrier } from './http1-client.ts';
import { rawResponse, refusalResponse } from './respond.ts';

/** Requests read ahead of the one being served; a client that sends more is cut off (I7). */
const PIPELINED_MAX = 32;

/** The exchange being served, so that a parse error in its body can end it. */
export interface RunningExchange {
  readonly client: Http1Client;
  readonly record: ExchangeRecord | null;
}

export class Http1Connection implements Http1Carrier {
  readonly socket: Socket;
  running: RunningExchange | null = null;
  /** A request came, well-formed or not. */
  isUsed = false;
  #isEnding = false;
  readonly bodySilenceTimeoutMs: number;
  readonly #waiting: (() => void)[] = [];

  constructor(socket: Socket, limits: Pick<Limits, 'bodySilenceTimeoutMs'>) {
    this.socket = socket;
    this.bodySilenceTimeoutMs = limits.bodySilenceTimeoutMs;
  }

  get isIdle(): boolean {
    return this.running === null && this.#waiting.length === 0;
  }

  /** Nothing that follows on this connection is served any more. */
  onLast(): void {
    this.#isEnding = true;
  }

  onFinished(): void {
    this.running = null;
    this.#waiting.shift()?.();
  }

  /** Calls `serve` when the requests before this one were answered. */
  take(
    request: IncomingMessage,
    response: ServerResponse,
    serve: (client: Http1Client) => RunningExchange,
  ): void {
    this.isUsed = true;
    const start = (): void => {
      // Of a connection that broke nothing more is served, also what was read before it broke.
      if (this.#isEnding || this.socket.destroyed) return;
      this.running = serve(new Http1Client(request, response, this));
    };
    if (this.running === null) start();
    else if (this.#waiting.length < PIPELINED_MAX) this.#waiting.push(start);
    else this.socket.destroy();
  }
}

/** What the parser or its timers said, as a refusal; `undefined`: the connection just broke. */
export function readParserFault(
  error: NodeJS.ErrnoException,
  bytesRead: number,
): Refusal | undefined {
  const code = error.code ?? '';
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new Refusal('header_too_large');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new Refusal('header_too_large', { message: 'The chunk extensions are too large.' });
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      // A connection that was opened ahead and never used is closed without a word.
      return bytesRead === 0 ? undefined : new Refusal('request_timeout');
    case 'HPE_INVALID_EOF_STATE':
      return undefined;
    default:
      return code.startsWith('HPE_') ? new Refusal('bad_request') : undefined;
  }
}

/** Answers on the bare socket: there is no request object to answer with. Ends the connection. */
export function refuseUnparsed(socket: Socket, refusal: Refusal): number {
  const response = refusalResponse(refusal, { method: '', fields: [] }, mintRequestId());
  if (socket.writable) socket.end(rawResponse(response, 'close'));
  cutOffAfterEnd(socket);
  return response.status;
}

/**
 * After our last byte: what still comes in is thrown away, and a client that never closes its half is cut
 * off, since nothing else bounds such a connection (I7).
 */
export function cutOffAfterEnd(socket: Socket): void {
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once('close', () => {
    clearTimeout(timer);
  });
}

/** Time for the refusal to arrive before unread input would reset the connection. */
const LINGER_MS = 1_000;
