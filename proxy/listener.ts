/**
 * The listener of the data plane (spec section 1): a plain-HTTP forward proxy on one address. It counts
 * and hands over: CONNECTs to `connect.ts`, absolute-form requests to `plain-request.ts`, its own paths
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
import { openRecord, serveExchange } from './exchange.ts';
import type { Http1Client } from './http1-client.ts';
import { Http1Connection, readParserFault, refuseUnparsed } from './http1-connection.ts';
import { serveOwnPath } from './own-paths.ts';
import { parsePlainDestination, plainContext } from './plain-request.ts';
import { refuse } from './refuse.ts';
import { asRefusal, refusalResponse } from './respond.ts';
import { serverOptions } from './server-options.ts';
import { serveUpgrade } from './upgrade.ts';

export class Listener {
  readonly server: Server;
  readonly #context: ConnectContext;
  readonly #connections = new WeakMap<Socket, Http1Connection>();
  readonly #sockets = new Set<Socket>();
  readonly #ownAuthorities: ReadonlySet<string>;

  /** `ownAuthorities`: spellings of this listener in an absolute-form target, as `127.0.0.1:3128`. */
  constructor(context: Omit<ConnectContext, 'serveAgain'>, ownAuthorities: ReadonlySet<string>) {
    this.#ownAuthorities = ownAuthorities;
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
    this.server.on('connect', (request, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      void serveConnect(this.#context, request, socket as Socket);
    });
    this.server.on('upgrade', (request, socket, head) => {
      void this.#onUpgrade(request, socket as Socket, head);
    });
    this.server.on('clientError', (error, socket) => {
      this.#onClientError(error, socket as Socket);
    });
  }

  #onConnection(socket: Socket): void {
    // The same socket comes again after a 407; it is counted and wired once.
    if (this.#sockets.has(socket)) return;
    const { plane } = this.#context;
    this.#sockets.add(socket);
    plane.metrics.connectionOpened('client');
    // A reset before anybody listens would end the process.
    socket.on('error', ignore);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      plane.metrics.connectionClosed('client');
    });
    if (this.#sockets.size > plane.limits.connectionsMax) {
      refuseUnparsed(socket, new Refusal('too_many_connections'));
    }
  }

  #connectionOf(socket: Socket): Http1Connection {
    let connection = this.#connections.get(socket);
    if (connection === undefined) {
      connection = new Http1Connection(socket, this.#context.plane.limits);
      this.#connections.set(socket, connection);
    }
    return connection;
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connectionOf(request.socket);
    connection.take(request, response, (client) => {
      void this.#servePlain(client, connection);
      return { client, record: null };
    });
  }

  async #servePlain(client: Http1Client, connection: Http1Connection): Promise<void> {
    try {
      const destination = parsePlainDestination(client, this.#ownAuthorities);
      if (destination.kind === 'own') {
        await this.#serveOwn(client, destination.target);
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
    const context = await plainContext(this.#context, client, connection.socket, authority);
    const record = openRecord(context, client);
    connection.running = { client, record };
    if (this.#context.isDraining()) {
      refuse(context.plane.logger, client, record, new Refusal('shutting_down'));
    } else {
      await serveExchange(context, client, record);
    }
  }

  async #serveOwn(client: Http1Client, target: string): Promise<void> {
    const { plane } = this.#context;
    const answer = await serveOwnPath(plane, client.method, target, client.fields);
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
      const destination = parsePlainDestination(plain, this.#ownAuthorities);
      if (destination.kind === 'own') throw new Refusal('bad_request');
      if (this.#context.isDraining()) throw new Refusal('shutting_down');
      const context = await plainContext(this.#context, plain, socket, destination.authority);
      serveUpgrade(context, request, socket, head);
    } catch (error) {
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
