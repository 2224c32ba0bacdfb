/**
 * A loopback listener that puts the sandbox token on everything it passes on, so that the token is in no
 * variable of the program behind it, and clients that cannot authenticate to a proxy work. Carries CONNECT,
 * absolute-form requests and plain WebSocket upgrades; streams both ways, honours half-close, passes answers
 * on as they are (403 and 407 with their reason phrase). Decides nothing: the proxy does. Never logs.
 */
import {
  Agent,
  createServer,
  request,
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import { Socket, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Hidden } from '../src/kernel/hidden.ts';
import { DEFAULT_LIMITS } from '../src/kernel/limits.ts';
import { basicProxyCredentials, passableFields } from './relay-fields.ts';
import { connectUpstream } from './relay-upstream.ts';
import type { RelayUpstream } from './relay-upstream.ts';

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface RelayOptions {
  /** The proxy. */
  readonly upstream: RelayUpstream;
  readonly token: Hidden;
  /** Where to listen; port 0 takes a free one. Keep it on loopback: whoever reaches it has the token's rights. */
  readonly listen: Endpoint;
}

export interface Relay {
  /** `http://HOST:PORT`, for `HTTPS_PROXY`. */
  readonly url: string;
  readonly endpoint: Endpoint;
  /** Stops listening and ends what is open. */
  close(): Promise<void>;
}

/** Rejects with the listener's error (`EADDRINUSE` …). */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const relay = new RelayServer(options);
  const endpoint = await relay.listen(options.listen);
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  return { url: `http://${host}:${endpoint.port}`, endpoint, close: () => relay.close() };
}

class RelayServer {
  readonly #upstream: RelayUpstream;
  readonly #credentials: string;
  readonly #server: Server;
  readonly #open = new Set<Duplex>();
  readonly #agent = new Agent({
    keepAlive: true,
    maxSockets: DEFAULT_LIMITS.connectionsPerSandboxMax,
  });

  constructor(options: RelayOptions) {
    this.#upstream = options.upstream;
    this.#credentials = basicProxyCredentials(options.token);
    Object.assign(this.#agent, { createConnection: () => connectUpstream(this.#upstream) });
    this.#server = createServer({
      maxHeaderSize: DEFAULT_LIMITS.headBytesMax,
      headersTimeout: DEFAULT_LIMITS.headTimeoutMs,
      keepAliveTimeout: DEFAULT_LIMITS.idleTimeoutMs,
      requestTimeout: 0,
      shouldUpgradeCallback: (client) => client.headers.upgrade?.toLowerCase() === 'websocket',
    });
    Object.assign(this.#server, { httpAllowHalfOpen: true });
    this.#server.maxConnections = DEFAULT_LIMITS.connectionsPerSandboxMax;
    this.#server.maxHeadersCount = 0;
    this.#server.on('connection', (socket) => this.#watch(socket));
    this.#server.on('connect', (client, socket, head) => this.#onConnect(client, socket, head));
    this.#server.on('upgrade', (client, socket, head) => this.#onUpgrade(client, socket, head));
    this.#server.on('request', (client, answer) => this.#onRequest(client, answer));
  }

  async listen(endpoint: Endpoint): Promise<Endpoint> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(endpoint.port, endpoint.host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    const bound = this.#server.address() as AddressInfo;
    return { host: bound.address, port: bound.port };
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    for (const socket of this.#open) breakOff(socket);
    this.#agent.destroy();
    await closed;
  }

  #watch(socket: Duplex): void {
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    socket.on('error', () => socket.destroy());
  }

  #onConnect(client: IncomingMessage, socket: Duplex, head: Buffer): void {
    const outgoing = this.#dial('CONNECT', client);
    outgoing.on('connect', (answer: IncomingMessage, upstream: Socket, rest: Buffer) => {
      this.#watch(upstream);
      const status = answer.statusCode ?? 0;
      const isOpen = status >= 200 && status < 300;
      socket.write(formatHead(answer, isOpen ? [] : ['Connection', 'close']), 'latin1');
      if (isOpen) joinBothWays(socket, head, upstream, rest);
      else passRefusal(answer, socket, upstream, rest);
    });
    this.#finishDial(outgoing, socket);
  }

  #onUpgrade(client: IncomingMessage, socket: Duplex, head: Buffer): void {
    const outgoing = this.#dial(client.method ?? 'GET', client, ['Connection', 'Upgrade']);
    outgoing.on('upgrade', (answer: IncomingMessage, upstream: Socket, rest: Buffer) => {
      this.#watch(upstream);
      socket.write(formatHead(answer, []), 'latin1');
      joinBothWays(socket, head, upstream, rest);
    });
    outgoing.on('response', (answer) => {
      socket.write(formatHead(answer, ['Connection', 'close']), 'latin1');
      answer.pipe(socket);
    });
    this.#finishDial(outgoing, socket);
  }

  /** A request of its own connection, with the token, the client's fields otherwise as they came. */
  #dial(method: string, client: IncomingMessage, extra: readonly string[] = []): ClientRequest {
    const fields = passableFields(client.rawHeaders);
    return request({
      method,
      path: client.url ?? '/',
      headers: asHeaders([...fields, 'Proxy-Authorization', this.#credentials, ...extra]),
      setHost: false,
      maxHeaderSize: DEFAULT_LIMITS.headBytesMax,
      createConnection: () => connectUpstream(this.#upstream),
    });
  }

  #finishDial(outgoing: ClientRequest, socket: Duplex): void {
    outgoing.on('error', () => {
      if (socket.writable) socket.end(UNREACHABLE);
    });
    socket.once('close', () => outgoing.destroy());
    outgoing.end();
  }

  #onRequest(client: IncomingMessage, answer: ServerResponse): void {
    const { host, port } = this.#upstream;
    const outgoing = request({
      host,
      port,
      method: client.method ?? 'GET',
      path: client.url ?? '/',
      headers: asHeaders([
        ...passableFields(client.rawHeaders),
        'Proxy-Authorization',
        this.#credentials,
      ]),
      setHost: false,
      agent: this.#agent,
      maxHeaderSize: DEFAULT_LIMITS.headBytesMax,
    });
    outgoing.on('information', (info) => answer.writeInformation(info.statusCode, info.rawHeaders));
    outgoing.on('response', (incoming) => passResponse(incoming, answer));
    outgoing.on('error', () => {
      if (answer.headersSent) answer.destroy();
      else answer.writeHead(502, 'relay_upstream_unreachable', { 'content-length': 0 }).end();
    });
    answer.once('close', () => outgoing.destroy());
    client.on('end', () => outgoing.addTrailers(client.trailers));
    client.pipe(outgoing);
  }
}

const UNREACHABLE =
  'HTTP/1.1 502 relay_upstream_unreachable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';

/** Node takes a flat name, value array here; its typings only know the object. */
function asHeaders(fields: readonly string[]): OutgoingHttpHeaders {
  return fields as unknown as OutgoingHttpHeaders;
}

function passResponse(incoming: IncomingMessage, answer: ServerResponse): void {
  answer.sendDate = false;
  answer.writeHead(
    incoming.statusCode ?? 502,
    incoming.statusMessage,
    passableFields(incoming.rawHeaders),
  );
  incoming.on('end', () => {
    answer.addTrailers(incoming.trailers);
  });
  incoming.on('error', () => answer.destroy());
  incoming.pipe(answer);
}

function formatHead(answer: IncomingMessage, extra: readonly string[]): string {
  const fields = [
    ...(extra.length > 0 ? withoutField(answer.rawHeaders, 'connection') : answer.rawHeaders),
    ...extra,
  ];
  let head = `HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n`;
  for (let at = 0; at < fields.length; at += 2) head += `${fields[at]}: ${fields[at + 1]}\r\n`;
  return `${head}\r\n`;
}

function withoutField(fields: readonly string[], name: string): string[] {
  return fields.filter((_, at) => fields[at - (at % 2)]?.toLowerCase() !== name);
}

/** The body of a refusal, by its length, then the end: Node does not read the body of a CONNECT's answer. */
function passRefusal(
  answer: IncomingMessage,
  client: Duplex,
  upstream: Socket,
  rest: Buffer,
): void {
  let left = Number(answer.headers['content-length'] ?? 0);
  const pass = (chunk: Buffer): void => {
    client.write(chunk.subarray(0, left));
    left -= Math.min(left, chunk.length);
    if (left > 0) return;
    client.end();
    upstream.destroy();
  };
  upstream.on('data', pass);
  upstream.once('close', () => client.end());
  pass(rest);
}

function joinBothWays(client: Duplex, head: Buffer, upstream: Duplex, rest: Buffer): void {
  if (head.length > 0) upstream.write(head);
  if (rest.length > 0) client.write(rest);
  passOn(client, upstream);
  passOn(upstream, client);
}

/** One direction: an end is passed on as an end, a break as a break; what is buffered still arrives. */
function passOn(from: Duplex, to: Duplex): void {
  from.pipe(to);
  from.once('close', () => {
    if (!from.readableEnded) breakOff(to);
    else to.unpipe(from).resume();
  });
}

/**
 * A reset, so that nobody takes what came so far for all there was. Not after our own end was sent: libuv
 * refuses to reset a socket that was shut down, and Node then spins for ever when the process ends. Nor
 * below TLS, where an end without its `close_notify` says the same.
 */
function breakOff(socket: Duplex): void {
  const mayReset = socket instanceof Socket && !(socket instanceof TLSSocket);
  if (mayReset && !socket.writableEnded) socket.resetAndDestroy();
  else socket.destroy();
}
