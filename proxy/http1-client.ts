/**
 * HTTP/1.1 client half over Node's server objects. Field order, case and duplicates go through as flat
 * arrays; Node adds only what the connection owns. Never reads `req.headers`: it folds duplicates.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { ClientListener, ClientStream } from './client-stream.ts';

/** Bytes already accounted to earlier exchanges of a kept-alive connection. */
interface Accounted {
  read: number;
  written: number;
}
const accounted = new WeakMap<Socket, Accounted>();

/** What the connection does with one of its exchanges. */
export interface Http1Carrier {
  readonly bodySilenceTimeoutMs: number;
  /** This response will be the last one of the connection. */
  onLast(): void;
  /** The response was handed to the network, or the connection is gone. */
  onFinished(): void;
}

export class Http1Client implements ClientStream {
  readonly protocol = 'http/1.1';
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #socket: Socket;
  readonly #carrier: Http1Carrier;
  readonly #start: Accounted;
  #listener: ClientListener | null = null;
  #isFinished = false;
  #awaitsDrain = false;
  #isSilenceWatched = false;
  #isHeadPending = false;
  #firstChunk: Buffer | null = null;

  constructor(request: IncomingMessage, response: ServerResponse, carrier: Http1Carrier) {
    this.#carrier = carrier;
    this.#request = request;
    this.#response = response;
    this.#socket = request.socket;
    let start = accounted.get(this.#socket);
    if (start === undefined) {
      start = { read: 0, written: 0 };
      accounted.set(this.#socket, start);
    }
    this.#start = start;
    // The origin's own Date travels; we do not add one.
    response.sendDate = false;
    response.once('close', () => {
      this.#finish();
    });
  }

  get method(): string {
    return this.#request.method ?? '';
  }

  get target(): string {
    return this.#request.url ?? '';
  }

  get httpVersion(): string {
    return this.#request.httpVersion;
  }

  get fields(): readonly string[] {
    return this.#request.rawHeaders;
  }

  get body(): Readable {
    return this.#request;
  }

  get headSent(): boolean {
    return this.#response.headersSent;
  }

  trailers(): readonly string[] {
    return this.#request.rawTrailers;
  }

  sendInformation(status: number, fields: readonly string[]): void {
    // RFC 9110 15.2: a 1xx must not go to an HTTP/1.0 client.
    if (this.#response.headersSent || this.#response.destroyed || this.httpVersion === '1.0')
      return;
    if (status === 100) this.#response.writeContinue();
    else this.#response.writeInformation(status, fields as string[]);
  }

  sendHead(status: number, statusText: string, fields: readonly string[]): void {
    this.#response.writeHead(status, statusText, fields as string[]);
    this.#isHeadPending = true;
    process.nextTick(flushHead, this);
  }

  write(chunk: Buffer): boolean {
    if (this.#isHeadPending && this.#firstChunk === null && chunk.length <= JOINED_BYTES_MAX) {
      this.#firstChunk = chunk;
      return true;
    }
    this.flush();
    return this.#writeThrough(chunk);
  }

  /**
   * A head whose body comes in the same read waits for it, so that a small response leaves in one write.
   * It waits for nothing longer than that: an event stream's head does not wait for its first event.
   */
  flush(): void {
    if (!this.#isHeadPending) return;
    this.#isHeadPending = false;
    const chunk = this.#firstChunk;
    this.#firstChunk = null;
    if (this.#response.destroyed) return;
    if (chunk === null) this.#response.flushHeaders();
    else this.#writeThrough(chunk);
  }

  #writeThrough(chunk: Buffer): boolean {
    const hasRoom = this.#response.write(chunk);
    if (!hasRoom && !this.#awaitsDrain) {
      this.#awaitsDrain = true;
      this.#watchSilence();
      this.#response.once('drain', () => {
        this.#awaitsDrain = false;
        this.#socket.setTimeout(0);
        this.#listener?.onDrain();
      });
    }
    return hasRoom;
  }

  end(trailers: readonly string[]): void {
    if (trailers.length > 0) {
      const pairs: [string, string][] = [];
      for (let i = 0; i + 1 < trailers.length; i += 2) {
        pairs.push([trailers[i] ?? '', trailers[i + 1] ?? '']);
      }
      this.#response.addTrailers(pairs);
    }
    this.#isHeadPending = false;
    // As a string, head and body become one buffer; latin1 keeps every byte.
    if (this.#firstChunk === null) this.#response.end();
    else this.#response.end(this.#firstChunk.toString('latin1'), 'latin1');
    this.#firstChunk = null;
    // The origin answered before it read everything: what still comes is read and thrown away, so that
    // the next request can follow. A client that stalls meets the idle timeout.
    if (!this.#request.complete) this.#request.resume();
  }

  closeAfterResponse(): void {
    this.#response.shouldKeepAlive = false;
    this.#carrier.onLast();
  }

  abort(): void {
    this.#socket.destroy();
  }

  listen(listener: ClientListener): void {
    if (this.#isFinished) {
      // It went away while the request was being prepared.
      listener.onAborted();
      return;
    }
    this.#listener = listener;
    if (this.#request.complete) return;
    // Only a body that is still to come can fall silent. The timer ends with it: the wait for the
    // response has a limit of its own.
    this.#watchSilence();
    this.#request.once('end', () => this.#socket.setTimeout(0));
  }

  bytesIn(): number {
    return this.#socket.bytesRead - this.#start.read;
  }

  bytesOut(): number {
    return this.#socket.bytesWritten - this.#start.written;
  }

  #watchSilence(): void {
    this.#socket.setTimeout(this.#carrier.bodySilenceTimeoutMs);
    if (this.#isSilenceWatched) return;
    // Once: a long body has many pauses. With a listener of ours Node does not destroy the socket itself.
    this.#isSilenceWatched = true;
    this.#response.on('timeout', () => {
      // What the origin does not take yet is no silence of the client; the origin has limits of its own.
      if (!this.#awaitsDrain && this.#request.readableLength > 0) this.#watchSilence();
      else this.#listener?.onSilent();
    });
  }

  #finish(): void {
    const listener = this.#listener;
    this.#listener = null;
    this.#isFinished = true;
    if (!this.#response.writableFinished) listener?.onAborted();
    // What follows on the connection belongs to the next exchange.
    this.#start.read = this.#socket.bytesRead;
    this.#start.written = this.#socket.bytesWritten;
    this.#carrier.onFinished();
  }
}

/** First body chunks up to this length are joined with the head. */
const JOINED_BYTES_MAX = 16 * 1024;

function flushHead(client: Http1Client): void {
  client.flush();
}
