/**
 * The listener of the data plane (spec section 1): a plain-HTTP forward proxy on one address, which also
 * serves what `tls-listener.ts` has ended TLS for. It counts and hands over: CONNECTs to `connect.ts`, absolute-form requests to `plain-request.ts`, its own paths
 * to `own-paths.ts`. It decides nothing.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Refusal } from '../src/kernel/errors.ts';
import { mintRequestId } from '../src/kernel/ids.ts';
import type { Authority } from '../src/wire/host.ts';
import { ClientRefusal } from './authenticate.ts';
import { serveConnect } from './connect.ts';
import type { ConnectContext } from './connect.ts';
import { serveWithoutUpgrade } from './dropped-upgrade.ts';
import { openRecord, refuseExchange, serveExchange } from './exchange.ts';
import type { Http1Client } from './http1-client.ts';
import { Http1Connection, readParserFault, refuseUnparsed } from './http1-connection.ts';
import { serveOwnPath } from './own-paths.ts';
import { admitPlain, parsePlainDestination } from './plain-request.ts';
import { refuse } from './refuse.ts';
import { asRefusal, refusalResponse } from './respond.ts';
import { isWebSocketUpgrade, serverOptions } from './server-options.ts';
import { refuseUnserved } from './unserved-request.ts';
import { serveUpgrade } from './upgrade.ts';

export class Listener {
  readonly server: Server;
  readonly #context: ConnectContext;
  readonly #connections = new WeakMap<Socket, Http1Connection>();
  readonly #sockets = new Set<Socket>();
  /** Inside one of `#sockets`, which counts for both. */
  readonly #secured = new WeakSet<Socket>();
  readonly #ownHosts: ReadonlySet<string>;

  /** `ownHosts`: this listener's in an absolute-form target, beside the address it was reached by. */
  constructor(context: Omit<ConnectContext, 'serveAgain'>, ownHosts: ReadonlySet<string>) {
    this.#ownHosts = ownHosts;
    this.server = createServer(serverOptions(context.plane.limits));
    this.server.maxHeadersCount = 0;
    Object.assign(this.server, { httpAllowHalfOpen: true });
    this.#context = {
      ...context,
      serveAgain: (socket) => {
        this.server.emit('connection', socket);
      },
    };
    this.#wire();
  }

  /** Ends every connection that is still there; resolves when their ends were seen and recorded. */
  async destroyAll(): Promise<void> {
    const closed = [...this.#sockets].map(
      (socket) => new Promise<void>((resolve) => socket.once('close', () => setImmediate(resolve))),
    );
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  /** A connection that will speak TLS first counts from here on. False: no room, and it was closed. */
  admit(socket: Socket): boolean {
    this.#count(socket);
    if (this.#sockets.size <= this.#context.plane.limits.connectionsMax) return true;
    socket.destroy();
    return false;
  }

  /** Its handshake is done. */
  serveSecured(secured: Socket): void {
    this.#secured.add(secured);
    secured.on('error', ignore);
    this.server.emit('connection', secured);
  }

  #wire(): void {
    const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
      this.#onRequest(request, response);
    };
    this.server.on('connection', (socket) => {
      this.#onConnection(socket);
    });
    this.server.on('request', onRequest);
    this.server.on('checkContinue', onRequest);
    this.server.on('checkExpectation', onRequest);
    this.server.on('connect', (request, socket: Socket, head) => {
      if (this.#isRefused(socket)) return;
      if (head.length > 0) socket.unshift(head);
      void serveConnect(this.#context, request, socket);
    });
    this.server.on('upgrade', (request, socket: Socket, head) => {
      if (this.#isRefused(socket)) return;
      if (isWebSocketUpgrade(request)) void this.#onUpgrade(request, socket, head);
      else serveWithoutUpgrade(request, socket, head, this.#context.serveAgain);
    });
    this.server.on('clientError', (error, socket) => {
      this.#onClientError(error, socket as Socket);
    });
  }

  #onConnection(socket: Socket): void {
    // The same socket comes again after a 407; it is counted and wired once.
    if (this.#sockets.has(socket) || this.#secured.has(socket)) return;
    this.#count(socket);
    if (this.#sockets.size > this.#context.plane.limits.connectionsMax) {
      refuseUnparsed(socket, new Refusal('too_many_connections'));
    }
  }

  #count(socket: Socket): void {
    const { metrics } = this.#context.plane;
    this.#sockets.add(socket);
    metrics.connectionOpened('client');
    // A reset before anybody listens would end the process.
    socket.on('error', ignore);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      metrics.connectionClosed('client');
    });
  }

  #connectionOf(socket: Socket): Http1Connection {
    let connection = this.#connections.get(socket);
    if (connection === undefined) {
      connection = new Http1Connection(socket, this.#context.plane.limits);
      this.#connections.set(socket, connection);
    }
    return connection;
  }

  /**
   * What comes behind a refusal of the whole connection is not served; and a CONNECT or an upgrade behind
   * a running request would be answered in its place, so that ends the connection.
   */
  #isRefused(socket: Socket): boolean {
    if (this.#connections.get(socket)?.isIdle === false) socket.destroy();
    return socket.destroyed || socket.writableEnded;
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    if (request.socket.writableEnded) return;
    const connection = this.#connectionOf(request.socket);
    connection.take(request, response, (client) => {
      void this.#servePlain(client, connection);
      return { client, record: null };
    });
  }

  async #servePlain(client: Http1Client, connection: Http1Connection): Promise<void> {
    try {
      const destination = parsePlainDestination(client, connection.socket, this.#ownHosts);
      if (destination.kind === 'own') {
        await this.#serveOwn(client, destination.target, connection.socket.remoteAddress ?? '');
        return;
      }
      await this.#serveOrigin(client, connection, destination.authority);
    } catch (error) {
      await this.#refusePlain(client, error);
    }
  }

  async #serveOrigin(
    client: Http1Client,
    connection: Http1Connection,
    authority: Authority,
  ): Promise<void> {
    const admitted = await admitPlain(this.#context, client, connection.socket, authority);
    const { exchange, refusal } = admitted;
    const record = openRecord(exchange, client);
    connection.running = { client, record };
    if (refusal === null) await serveExchange(exchange, client, record);
    else refuseExchange(exchange, client, record, refusal);
  }

  async #serveOwn(client: Http1Client, target: string, peerAddress: string): Promise<void> {
    const { plane, watch } = this.#context;
    const { method, fields: sent } = client;
    const answer = await serveOwnPath(plane, watch, { method, target, fields: sent, peerAddress });
    const body = Buffer.from(answer.body);
    const fields = ['Content-Type', answer.contentType, 'Content-Length', String(body.length)];
    client.sendHead(answer.status, 'OK', [...fields, 'Cache-Control', 'no-store']);
    if (client.method !== 'HEAD') client.write(body);
    client.end([]);
  }

  /** A refusal before there is a sandbox to record it for. */
  async #refusePlain(client: Http1Client, error: unknown): Promise<void> {
    const refusal = asRefusal(error);
    if (refusal.code === 'internal_error') {
      this.#context.plane.logger.error({ err: refusal.cause }, 'plain request failed inside');
    }
    if (error instanceof ClientRefusal && error.delayMs > 0) await sleep(error.delayMs);
    if (client.headSent) {
      client.abort();
      return;
    }
    const response = refusalResponse(refusal, client, mintRequestId());
    if (refusal.code === 'bad_request') client.closeAfterResponse();
    client.sendHead(response.status, response.reason, response.fields);
    if (client.method !== 'HEAD') client.write(response.body);
    client.end([]);
  }

  async #onUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const plain = {
      method: request.method ?? '',
      target: request.url ?? '',
      fields: request.rawHeaders,
    };
    try {
      const destination = parsePlainDestination(plain, socket, this.#ownHosts);
      if (destination.kind === 'own') throw new Refusal('bad_request');
      const { authority } = destination;
      const { exchange, refusal } = await admitPlain(this.#context, plain, socket, authority);
      if (refusal === null) serveUpgrade(exchange, request, socket, head);
      else refuseUnserved(exchange, socket, plain.method, refusal);
    } catch (error) {
      if (error instanceof ClientRefusal && error.delayMs > 0) await sleep(error.delayMs);
      refuseUnparsed(socket, asRefusal(error));
    }
  }

  #onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    const refusal = readParserFault(error, socket.bytesRead);
    const running = this.#connections.get(socket)?.running;
    if (refusal === undefined) {
      socket.destroy();
    } else if (running?.record?.isClosed === false) {
      running.record.cancelUpstream();
      refuse(this.#context.plane.logger, running.client, running.record, refusal);
      socket.end();
    } else {
      refuseUnparsed(socket, refusal);
    }
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}

function ignore(): void {}
