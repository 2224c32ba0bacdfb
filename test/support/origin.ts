/**
 * A real HTTP or HTTPS origin on a loopback port that records every request it got: head as sent, body,
 * trailers, which connection. What it answers is a handler by path; `origin-replies.ts` has the usual ones.
 */
import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { LoopbackListener } from './loopback-listener.ts';
import type { TestLeaf } from './test-authority.ts';

/** One request as it arrived. */
export interface RecordedRequest {
  readonly method: string;
  readonly url: string;
  readonly httpVersion: string;
  /** Flat: name, value, name, value, as on the wire. */
  readonly rawHeaders: readonly string[];
  /** Complete when the request ended. */
  readonly body: Buffer;
  readonly rawTrailers: readonly string[];
  /** Number of the connection it came on, from 1 in order of acceptance. */
  readonly connection: number;
  /** What TLS said: the server name, or `null` on plain HTTP. */
  readonly serverName: string | null;
  /** CN of the client certificate that was shown; `null` without one. */
  readonly clientName: string | null;
  /** It was an `Upgrade` request handed to `onUpgrade`. */
  readonly upgrade: boolean;
}

export type OriginHandler = (
  request: http.IncomingMessage,
  response: http.ServerResponse,
  /** The whole body; asking for it is what reads it. */
  body: () => Promise<Buffer>,
) => void | Promise<void>;

export type UpgradeHandler = (request: http.IncomingMessage, socket: Socket, head: Buffer) => void;

export interface OriginOptions {
  /** TLS when given. */
  readonly leaf?: TestLeaf;
  /** PEM of the authority client certificates must come from; then one is demanded. */
  readonly clientCa?: string;
  /** By path (query cut); `*` for the rest. Default: 200 with `{"ok":true}`. */
  readonly handlers?: Readonly<Record<string, OriginHandler>>;
  readonly onUpgrade?: UpgradeHandler;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Default 10 s, above what tests wait for. */
  readonly keepAliveTimeoutMs?: number;
}

interface Recording {
  method: string;
  url: string;
  httpVersion: string;
  rawHeaders: readonly string[];
  body: Buffer;
  rawTrailers: readonly string[];
  connection: number;
  serverName: string | null;
  clientName: string | null;
  upgrade: boolean;
}

const answerOk: OriginHandler = async (_request, response, body) => {
  await body();
  response.setHeader('content-type', 'application/json');
  response.end('{"ok":true}');
};

function serverNameOf(socket: Socket): string | null {
  if (!('encrypted' in socket)) return null;
  const name = (socket as TLSSocket).servername;
  return typeof name === 'string' ? name : null;
}

function clientNameOf(socket: Socket): string | null {
  if (!('encrypted' in socket)) return null;
  const name: unknown = (socket as TLSSocket).getPeerCertificate()?.subject?.CN;
  return typeof name === 'string' ? name : null;
}

/** All values of a field in a flat array, names compared in lower case. */
export function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() === name.toLowerCase()) values.push(rawHeaders[i + 1] ?? '');
  }
  return values;
}

/** A running origin. Dispose it, or call `close`. */
export class Origin implements AsyncDisposable {
  readonly requests: RecordedRequest[] = [];
  /** Connections accepted so far. */
  connectionCount = 0;
  readonly #server: http.Server;
  readonly #listener: LoopbackListener;
  readonly #connections = new WeakMap<Socket, number>();
  readonly #options: OriginOptions;
  readonly #waiting = new Set<() => void>();

  private constructor(options: OriginOptions) {
    this.#options = options;
    const { leaf, clientCa } = options;
    const demand = clientCa === undefined ? {} : { ca: clientCa, requestCert: true };
    this.#server =
      leaf === undefined
        ? http.createServer()
        : https.createServer({ cert: leaf.certPem, key: leaf.keyPem, ...demand });
    this.#server.keepAliveTimeout = options.keepAliveTimeoutMs ?? 10_000;
    this.#listener = new LoopbackListener(this.#server);
    this.#server.on(leaf === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
      this.connectionCount += 1;
      this.#connections.set(socket, this.connectionCount);
      socket.on('error', () => {});
    });
    this.#server.on('request', (request, response) => this.#serve(request, response));
    this.#server.on('checkContinue', (request: http.IncomingMessage, response) => {
      response.writeContinue();
      this.#serve(request, response);
    });
    this.#server.on('upgrade', (request, socket, head) => {
      this.#record(request, true);
      if (options.onUpgrade === undefined) socket.destroy();
      else options.onUpgrade(request, socket as Socket, head);
    });
  }

  static async start(options: OriginOptions = {}): Promise<Origin> {
    const origin = new Origin(options);
    await origin.#listener.listen(options.host);
    return origin;
  }

  get port(): number {
    return this.#listener.port;
  }

  /** `HOST:PORT`, as `egress.hosts` takes it. */
  get address(): string {
    return this.#listener.address;
  }

  get last(): RecordedRequest {
    const request = this.requests.at(-1);
    if (request === undefined) throw new Error('the origin got no request');
    return request;
  }

  /** Resolves when `count` requests have begun; rejects after `timeoutMs`. */
  async waitForRequests(count: number, timeoutMs = 5_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (this.requests.length < count) {
      const leftMs = deadline - Date.now();
      if (leftMs <= 0) throw new Error(`origin got ${this.requests.length} of ${count} requests`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#waiting.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  clear(): void {
    this.requests.length = 0;
  }

  /** Ends every open connection with a reset, as a crashed origin does. */
  resetConnections(): void {
    this.#listener.resetConnections();
  }

  get openConnections(): number {
    return this.#listener.openCount;
  }

  async close(): Promise<void> {
    await this.#listener.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #record(request: http.IncomingMessage, upgrade: boolean): Recording {
    const recording: Recording = {
      method: request.method ?? '',
      url: request.url ?? '',
      httpVersion: request.httpVersion,
      rawHeaders: request.rawHeaders,
      body: Buffer.alloc(0),
      rawTrailers: [],
      connection: this.#connections.get(request.socket) ?? 0,
      serverName: serverNameOf(request.socket),
      clientName: clientNameOf(request.socket),
      upgrade,
    };
    this.requests.push(recording);
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
    return recording;
  }

  #serve(request: http.IncomingMessage, response: http.ServerResponse): void {
    const recording = this.#record(request, false);
    const path = (request.url ?? '').replace(/[?#].*$/s, '');
    const handlers = this.#options.handlers ?? {};
    const handler = handlers[path] ?? handlers['*'] ?? answerOk;
    request.on('error', () => {});
    response.on('error', () => {});
    const readBody = async (): Promise<Buffer> => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      recording.body = Buffer.concat(chunks);
      recording.rawTrailers = request.rawTrailers;
      return recording.body;
    };
    Promise.resolve(handler(request, response, readBody)).catch(() => response.destroy());
  }
}
