/**
 * An origin that speaks HTTP/2 over TLS (HTTP/1.1 too when asked): a handler for each path gets the stream,
 * every request is recorded with its field lines as they came.
 */
import { createSecureServer, sensitiveHeaders } from 'node:http2';
import type { Http2SecureServer, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { fieldOf } from './http2-client.ts';
import { LoopbackListener } from './loopback-listener.ts';
import type { TestLeaf } from './test-authority.ts';

export interface RecordedStream {
  /** Flat, pseudo fields included. */
  readonly fields: readonly string[];
  /** Names that were sent never-indexed. */
  readonly neverIndexed: readonly string[];
  readonly stream: ServerHttp2Stream;
  /** 1, 2, … in the order of sessions. */
  readonly session: number;
  /** CN of the client certificate that its session showed; `null` without one. */
  readonly clientName: string | null;
  readonly field: (name: string) => string | undefined;
}

export type StreamHandler = (stream: ServerHttp2Stream, record: RecordedStream) => void;

export interface Http2OriginOptions {
  readonly leaf: TestLeaf;
  /** By `:path` without its query; `*` for the rest. Default: 200 and the request body. */
  readonly handlers?: Readonly<Record<string, StreamHandler>>;
  readonly maxConcurrentStreams?: number;
  /** PEM of the authority client certificates come from: one is asked for, none is accepted too. */
  readonly clientCa?: string;
}

function clientNameOf({ session }: ServerHttp2Stream): string | null {
  const socket = session?.socket as TLSSocket | undefined;
  const name: unknown = socket?.getPeerCertificate().subject?.CN;
  return typeof name === 'string' ? name : null;
}

const echo: StreamHandler = (stream) => {
  stream.respond({ ':status': 200 });
  stream.pipe(stream);
};

export class Http2Origin implements AsyncDisposable {
  readonly requests: RecordedStream[] = [];
  readonly #server: Http2SecureServer;
  readonly #listener: LoopbackListener;

  private constructor(options: Http2OriginOptions) {
    const { leaf, handlers = {}, clientCa } = options;
    const sessions = new WeakMap<object, number>();
    let count = 0;
    this.#server = createSecureServer({
      cert: leaf.certPem,
      key: leaf.keyPem,
      settings: { maxConcurrentStreams: options.maxConcurrentStreams ?? 100 },
      ...(clientCa === undefined
        ? {}
        : { ca: clientCa, requestCert: true, rejectUnauthorized: false }),
    });
    this.#listener = new LoopbackListener(this.#server);
    this.#server.on('secureConnection', (socket: Socket) => socket.on('error', () => {}));
    this.#server.on('session', (session) => {
      count += 1;
      sessions.set(session, count);
      session.on('error', () => {});
    });
    this.#server.on(
      'stream',
      (stream: ServerHttp2Stream, object: object, _flags: number, lines: string[]) => {
        stream.on('error', () => {});
        const record: RecordedStream = {
          fields: lines,
          neverIndexed: (object as { [sensitiveHeaders]?: string[] })[sensitiveHeaders] ?? [],
          stream,
          session: sessions.get(stream.session ?? {}) ?? 0,
          clientName: clientNameOf(stream),
          field: (name) => fieldOf(lines, name),
        };
        this.requests.push(record);
        const path = (record.field(':path') ?? '').replace(/\?.*$/s, '');
        (handlers[path] ?? handlers['*'] ?? echo)(stream, record);
      },
    );
  }

  static async start(options: Http2OriginOptions): Promise<Http2Origin> {
    const origin = new Http2Origin(options);
    await origin.#listener.listen();
    return origin;
  }

  /** `HOST:PORT`, as `egress.hosts` takes it. */
  get address(): string {
    return this.#listener.address;
  }

  get last(): RecordedStream {
    const request = this.requests.at(-1);
    if (request === undefined) throw new Error('the origin got no request');
    return request;
  }

  async close(): Promise<void> {
    await this.#listener.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
