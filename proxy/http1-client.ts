/**
 * HTTP/1.1 client half over Node's server objects. Field order, case and duplicates go through as flat
 * arrays; Node adds only what the connection owns. Never reads `req.headers`: it folds duplicates.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { ClientStream } from './client-stream.ts';

/** Bytes already accounted to earlier exchanges of a kept-alive connection. */
interface Accounted {
  read: number;
  written: number;
}
const accounted = new WeakMap<Socket, Accounted>();

export class Http1Client implements ClientStream {
  readonly protocol = 'http/1.1';
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #socket: Socket;
  readonly #start: Accounted;

  readonly #onLast: () => void;

  /** `onLast`: this response will be the last of its connection. */
  constructor(request: IncomingMessage, response: ServerResponse, onLast: () => void) {
    this.#onLast = onLast;
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
    // A head whose body comes in the same read leaves with it, in one write; an event stream's head
    // must not wait for its first event.
    process.nextTick(flushHead, this.#response);
  }

  write(chunk: Buffer): boolean {
    return this.#response.write(chunk);
  }

  onDrain(listener: () => void): void {
    this.#response.on('drain', listener);
  }

  end(trailers: readonly string[]): void {
    if (trailers.length > 0) {
      const pairs: [string, string][] = [];
      for (let i = 0; i + 1 < trailers.length; i += 2) {
        pairs.push([trailers[i] ?? '', trailers[i + 1] ?? '']);
      }
      this.#response.addTrailers(pairs);
    }
    this.#response.end();
    // The origin answered before it read everything: what still comes is read and thrown away, so that
    // the next request can follow. A client that stalls meets the idle timeout.
    if (!this.#request.complete) this.#request.resume();
  }

  closeAfterResponse(): void {
    this.#response.shouldKeepAlive = false;
    this.#onLast();
  }

  abort(): void {
    this.#socket.destroy();
  }

  onAborted(listener: () => void): void {
    this.#response.once('close', () => {
      if (!this.#response.writableFinished) listener();
    });
  }

  onFinished(listener: () => void): void {
    this.#response.once('close', listener);
  }

  bytesIn(): number {
    return this.#socket.bytesRead - this.#start.read;
  }

  bytesOut(): number {
    return this.#socket.bytesWritten - this.#start.written;
  }

  /** Called when the exchange was recorded: what follows on the connection belongs to the next one. */
  account(): void {
    this.#start.read = this.#socket.bytesRead;
    this.#start.written = this.#socket.bytesWritten;
  }
}

function flushHead(response: ServerResponse): void {
  if (!response.writableEnded && !response.destroyed) response.flushHeaders();
}
