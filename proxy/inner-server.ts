/**
 * The HTTP/1.1 server inside interceptions: one for all tunnels, it never listens; HTTP/2 goes on to
 * `inner-http2.ts`. Connections are handed to it with their context, which lives in a WeakMap on the
 * socket and nowhere else. Every limit of the listener holds in here as well.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { Refusal } from '../src/kernel/errors.ts';
import type { Limits } from '../src/kernel/limits.ts';
import { serveWithoutUpgrade } from './dropped-upgrade.ts';
import { openRecord, serveExchange } from './exchange.ts';
import type { ExchangeContext } from './exchange-context.ts';
import { Http1Connection, readParserFault } from './http1-connection.ts';
import { InnerHttp2 } from './inner-http2.ts';
import { refuse } from './refuse.ts';
import { isWebSocketUpgrade, serverOptions } from './server-options.ts';
import { refuseUnserved } from './unserved-request.ts';
import { serveUpgrade } from './upgrade.ts';

interface Served {
  readonly context: ExchangeContext;
  readonly connection: Http1Connection;
}

export class InnerServer {
  readonly #server: Server;
  readonly #http2: InnerHttp2;
  readonly #served = new WeakMap<Socket, Served>();
  #isDraining = false;

  constructor(limits: Limits) {
    this.#http2 = new InnerHttp2(limits);
    this.#server = createServer(serverOptions(limits));
    this.#server.maxHeadersCount = 0;
    this.#server.requestTimeout = 0;
    // A client that half-closes still gets its response (spec section 8). Not in the typings.
    Object.assign(this.#server, { httpAllowHalfOpen: true });
    const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
      this.#onRequest(request, response);
    };
    this.#server.on('request', onRequest);
    this.#server.on('checkContinue', onRequest);
    // Expectations other than 100-continue are not ours to judge; `Expect` is dropped on the way.
    this.#server.on('checkExpectation', onRequest);
    this.#server.on('upgrade', (request, socket, head) => {
      this.#onUpgrade(request, socket as Socket, head);
    });
    this.#server.on('connect', (request, socket) => {
      this.#onNestedConnect(request, socket as Socket);
    });
    this.#server.on('clientError', (error, socket) => {
      this.#onClientError(error, socket as Socket);
    });
    // A server that never listens enforces no time limits until it believes it does.
    this.#server.emit('listening');
  }

  /** Serves what comes on this socket, in the version that ALPN chose; TLS, if any, is complete. */
  serve(socket: Socket, context: ExchangeContext): { readonly isUsed: boolean } {
    socket.on('error', ignore);
    if (socket instanceof TLSSocket && socket.alpnProtocol === 'h2') {
      return this.#http2.serve(socket, context);
    }
    const connection = new Http1Connection(socket, context.plane.limits);
    this.#served.set(socket, { context, connection });
    this.#server.emit('connection', socket);
    return connection;
  }

  /** No new requests; idle connections end now. */
  drain(): void {
    this.#isDraining = true;
    this.#server.closeIdleConnections();
    this.#http2.drain();
  }

  close(): void {
    this.#http2.close();
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const served = this.#served.get(request.socket);
    if (served === undefined) {
      request.socket.destroy();
      return;
    }
    served.connection.take(request, response, (client) => {
      const record = openRecord(served.context, client);
      if (this.#isDraining) {
        refuse(served.context.plane.logger, client, record, new Refusal('shutting_down'));
      } else {
        void serveExchange(served.context, client, record);
      }
      return { client, record };
    });
  }

  #onUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const served = this.#served.get(socket);
    if (served === undefined || !served.connection.isIdle) {
      cutOff(served, socket, request, new Refusal('bad_request'));
      return;
    }
    if (!isWebSocketUpgrade(request)) {
      serveWithoutUpgrade(request, socket, head, (again) => {
        this.#server.emit('connection', again);
      });
      return;
    }
    served.connection.isUsed = true;
    serveUpgrade(served.context, request, socket, head);
  }

  #onNestedConnect(request: IncomingMessage, socket: Socket): void {
    const served = this.#served.get(socket);
    if (served === undefined || !served.connection.isIdle) {
      cutOff(served, socket, request, new Refusal('method_not_allowed'));
      return;
    }
    served.connection.isUsed = true;
    refuseUnserved(served.context, socket, request.method ?? '', new Refusal('method_not_allowed'));
  }

  #onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    const served = this.#served.get(socket);
    if (served !== undefined) served.connection.isUsed = true;
    const refusal = readParserFault(error, socket.bytesRead);
    if (served === undefined || refusal === undefined) {
      socket.destroy();
      return;
    }
    const { running } = served.connection;
    served.connection.onLast();
    if (running?.record?.isClosed === false) {
      // The body of the running exchange broke: the origin must not take what came for the whole.
      running.record.cancelUpstream();
      refuse(served.context.plane.logger, running.client, running.record, refusal);
    } else {
      refuseUnserved(served.context, socket, '', refusal);
    }
  }
}

/** Behind a running request an answer written here would be taken for the answer to that one. */
function cutOff(
  served: Served | undefined,
  socket: Socket,
  request: IncomingMessage,
  refusal: Refusal,
): void {
  socket.destroy();
  if (served !== undefined) refuseUnserved(served.context, socket, request.method ?? '', refusal);
}

function ignore(): void {}
