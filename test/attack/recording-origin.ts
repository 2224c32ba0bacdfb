/**
 * The origin behind the corpus: TLS or plain TCP, keeps every byte of every connection, reads them with
 * the strict reader alone and answers each request with its own target, so that an answer that reaches
 * the wrong request shows. Bytes that are no strict request are a fault and end the connection.
 */
import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import tls from 'node:tls';
import type { TestLeaf } from '../support/test-authority.ts';
import { readStrictRequest } from './strict-reader.ts';
import type { StrictRequest } from './strict-reader.ts';

/** What reached the origin since the last `take`. */
export interface Arrivals {
  readonly requests: readonly StrictRequest[];
  readonly faults: readonly string[];
  /** Connections that stopped inside a request and are still open: they could be reused. */
  readonly openTails: number;
  /** Every byte, latin1. */
  readonly text: string;
}

interface Connection {
  readonly socket: Socket;
  text: string;
  /** Up to here requests were read. */
  readUntil: number;
  /** Up to here bytes were handed out by `take`. */
  takenUntil: number;
}

export class RecordingOrigin implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #connections = new Set<Connection>();
  #requests: StrictRequest[] = [];
  #faults: string[] = [];

  private constructor(leaf: TestLeaf | undefined) {
    const accept = (socket: Socket) => this.#accept(socket);
    this.#server =
      leaf === undefined
        ? net.createServer(accept)
        : tls.createServer({ cert: leaf.certPem, key: leaf.keyPem }, accept);
  }

  static async start(leaf?: TestLeaf): Promise<RecordingOrigin> {
    const origin = new RecordingOrigin(leaf);
    origin.#server.listen(0, '127.0.0.1');
    await once(origin.#server, 'listening');
    return origin;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Whether a request for this target has arrived and was not yet taken. */
  hasRequest(target: string): boolean {
    return this.#requests.some((request) => request.target === target);
  }

  get openTails(): number {
    return [...this.#connections].filter(isOpenTail).length;
  }

  take(): Arrivals {
    let text = '';
    for (const connection of this.#connections) {
      text += connection.text.slice(connection.takenUntil);
      connection.takenUntil = connection.text.length;
      if (connection.socket.destroyed) this.#connections.delete(connection);
    }
    const arrivals = {
      requests: this.#requests,
      faults: this.#faults,
      openTails: this.openTails,
      text,
    };
    this.#requests = [];
    this.#faults = [];
    return arrivals;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.#connections) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(socket: Socket): void {
    const connection: Connection = { socket, text: '', readUntil: 0, takenUntil: 0 };
    this.#connections.add(connection);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      connection.text += chunk.toString('latin1');
      this.#read(connection);
    });
  }

  #read(connection: Connection): void {
    while (connection.readUntil < connection.text.length) {
      const step = readStrictRequest(connection.text, connection.readUntil);
      if (step.state === 'incomplete') return;
      if (step.state === 'fault') {
        this.#faults.push(step.fault);
        connection.socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
        connection.readUntil = Number.POSITIVE_INFINITY;
        return;
      }
      connection.readUntil = step.next;
      this.#requests.push(step.request);
      connection.socket.write(answerTo(step.request));
    }
  }
}

function isOpenTail(connection: Connection): boolean {
  return connection.readUntil < connection.text.length && !connection.socket.destroyed;
}

function answerTo(request: StrictRequest): string {
  const { target, method } = request;
  const body = method === 'HEAD' ? '' : target;
  return `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${target.length}\r\n\r\n${body}`;
}
