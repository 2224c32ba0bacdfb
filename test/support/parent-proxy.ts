/**
 * A forward proxy as a company runs it: CONNECT only, by name or address, with a password where asked for.
 * It resolves names by a table, records every CONNECT, and refuses, hangs or breaks off as it is told.
 */
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import type { Socket } from 'node:net';
import { LoopbackListener } from './loopback-listener.ts';
import type { TestLeaf } from './test-authority.ts';

export interface ParentProxyOptions {
  /** The proxy itself speaks TLS. */
  readonly leaf?: TestLeaf;
  /** `user:password`; without it 407. */
  readonly credentials?: string;
  /** `HOST:PORT` of a CONNECT → `HOST:PORT` to connect to; what is not in it is taken as it is. */
  readonly routes?: Readonly<Record<string, string>>;
}

interface RecordedConnect {
  readonly authority: string;
  /** Flat, as sent. */
  readonly rawHeaders: readonly string[];
  /** `user:password` as sent; `null` without. */
  readonly credentials: string | null;
}

/** What it does with a CONNECT. */
type Behaviour = 'connect' | 'hang' | 'break' | 'garbage' | number;

/** A running one. Dispose it, or call `close`. */
export class TestParentProxy implements AsyncDisposable {
  readonly connects: RecordedConnect[] = [];
  behaviour: Behaviour = 'connect';
  credentials: string | undefined;
  readonly #server: http.Server;
  readonly #listener: LoopbackListener;
  readonly #routes: Readonly<Record<string, string>>;
  readonly #scheme: 'http' | 'https';

  private constructor({ leaf, credentials, routes = {} }: ParentProxyOptions) {
    this.credentials = credentials;
    this.#routes = routes;
    this.#scheme = leaf === undefined ? 'http' : 'https';
    this.#server =
      leaf === undefined
        ? http.createServer()
        : https.createServer({ cert: leaf.certPem, key: leaf.keyPem });
    this.#listener = new LoopbackListener(this.#server);
    this.#server.on('connect', (request, socket, head) => {
      this.#serve(request, socket as Socket, head);
    });
  }

  static async start(options: ParentProxyOptions = {}): Promise<TestParentProxy> {
    const proxy = new TestParentProxy(options);
    await proxy.#listener.listen();
    return proxy;
  }

  get port(): number {
    return this.#listener.port;
  }

  /** `host`: how it is called, for its certificate. */
  url(host = '127.0.0.1'): string {
    return `${this.#scheme}://${host}:${this.port}`;
  }

  async close(): Promise<void> {
    await this.#listener.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #serve(request: http.IncomingMessage, socket: Socket, head: Buffer): void {
    const authority = request.url ?? '';
    const field = request.headers['proxy-authorization'];
    const credentials =
      field === undefined ? null : Buffer.from(field.replace('Basic ', ''), 'base64').toString();
    this.connects.push({ authority, rawHeaders: request.rawHeaders, credentials });
    socket.on('error', () => {});
    if (this.credentials !== undefined && credentials !== this.credentials) {
      answer(socket, 407, 'Proxy-Authenticate: Basic realm="company"\r\n');
    } else if (typeof this.behaviour === 'number') {
      answer(socket, this.behaviour);
    } else if (this.behaviour === 'break') {
      socket.destroy();
    } else if (this.behaviour === 'garbage') {
      socket.end('220 mail.example.test ESMTP\r\n\r\n');
    } else if (this.behaviour === 'connect') {
      this.#connect(this.#routes[authority] ?? authority, socket, head);
    }
  }

  #connect(address: string, socket: Socket, head: Buffer): void {
    const colon = address.lastIndexOf(':');
    const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
    const far = net.connect({ host, port: Number(address.slice(colon + 1)), allowHalfOpen: true });
    this.#listener.hold(far);
    far.once('connect', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      far.write(head);
      socket.pipe(far);
      far.pipe(socket);
    });
    far.once('error', () => answer(socket, 502));
    socket.once('close', () => far.destroy());
    far.once('close', () => socket.destroy());
  }
}

function answer(socket: Socket, status: number, fields = ''): void {
  socket.end(`HTTP/1.1 ${status} No\r\n${fields}Content-Length: 2\r\n\r\nno`);
}
