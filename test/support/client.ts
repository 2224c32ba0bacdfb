/**
 * A low-level client of the proxy: raw CONNECT, TLS inside the tunnel, HTTP/1.1 written and read byte by
 * byte over it. It sends what it is told, also what no proper client would send.
 */
import { once } from 'node:events';
import net from 'node:net';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import { ByteReader } from './byte-reader.ts';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface RawResponse {
  readonly status: number;
  readonly reason: string;
  /** Flat: name, value, … as received. */
  readonly fields: readonly string[];
  readonly body: Buffer;
  /** Flat. */
  readonly trailers: readonly string[];
  /** 1xx heads that came before. */
  readonly interim: readonly { readonly status: number; readonly fields: readonly string[] }[];
  /** First value of a field, name compared in lower case. */
  field(name: string): string | undefined;
  text(): string;
  json(): unknown;
}

export interface RequestPlan {
  readonly method?: string;
  readonly path: string;
  /** `Host` is not added when one stands here. Flat list or pairs as an object. */
  readonly fields?: readonly string[];
  /** Sent with a Content-Length, unless `chunked`. */
  readonly body?: string | Buffer;
  readonly chunked?: boolean;
  /** Flat; with `chunked`. */
  readonly trailers?: readonly string[];
  readonly timeoutMs?: number;
}

interface Head {
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly string[];
}

function readFields(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
}

function parseHead(text: string): Head {
  const [first = '', ...lines] = text.trimEnd().split('\r\n');
  const match = /^HTTP\/1\.[01] (\d{3}) ?(.*)$/.exec(first);
  if (match === null) throw new Error(`not a status line: ${JSON.stringify(first)}`);
  return { status: Number(match[1]), reason: match[2] ?? '', fields: readFields(lines) };
}

function firstField(fields: readonly string[], name: string): string | undefined {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]?.toLowerCase() === name.toLowerCase()) return fields[i + 1];
  }
  return undefined;
}

function fieldLines(fields: readonly string[]): string {
  let text = '';
  for (let i = 0; i + 1 < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return text;
}

/** HTTP/1.1 by hand over one connection; requests one after another, or raw bytes. */
export class HttpConnection implements Disposable {
  readonly socket: Socket;
  readonly reader: ByteReader;
  readonly #authority: string;
  readonly #under: Socket | undefined;

  /** `under`: the TCP socket below a TLS one, closed with it. */
  constructor(socket: Socket, authority: string, under?: Socket) {
    this.socket = socket;
    this.reader = new ByteReader(socket);
    this.#authority = authority;
    this.#under = under;
    socket.on('error', () => {});
    socket.on('close', () => under?.destroy());
  }

  send(raw: string | Buffer): void {
    this.socket.write(typeof raw === 'string' ? Buffer.from(raw, 'latin1') : raw);
  }

  /** Sends a request (or raw bytes) and reads the whole response. */
  async request(plan: RequestPlan | string): Promise<RawResponse> {
    this.sendRequest(plan);
    if (typeof plan === 'string') return this.readResponse(plan.startsWith('HEAD '));
    return this.readResponse(plan.method === 'HEAD', plan.timeoutMs);
  }

  sendRequest(plan: RequestPlan | string): void {
    if (typeof plan === 'string') {
      this.send(plan);
      return;
    }
    const fields = [...(plan.fields ?? [])];
    if (firstField(fields, 'host') === undefined) fields.unshift('Host', this.#authority);
    const body = Buffer.from(plan.body ?? '');
    if (plan.chunked === true) fields.push('Transfer-Encoding', 'chunked');
    else if (plan.body !== undefined) fields.push('Content-Length', String(body.length));
    this.send(`${plan.method ?? 'GET'} ${plan.path} HTTP/1.1\r\n${fieldLines(fields)}\r\n`);
    if (plan.chunked !== true) {
      if (body.length > 0) this.send(body);
      return;
    }
    if (body.length > 0) this.send(`${body.length.toString(16)}\r\n${body.toString('latin1')}\r\n`);
    this.send(`0\r\n${fieldLines(plan.trailers ?? [])}\r\n`);
  }

  /** Reads one response head; bytes after it stay unread. */
  async readHead(timeoutMs?: number): Promise<Head> {
    return parseHead((await this.reader.readUntil('\r\n\r\n', timeoutMs)).toString('latin1'));
  }

  async readResponse(isHead = false, timeoutMs?: number): Promise<RawResponse> {
    const interim: { status: number; fields: readonly string[] }[] = [];
    let head = await this.readHead(timeoutMs);
    while (head.status >= 100 && head.status < 200 && head.status !== 101) {
      interim.push({ status: head.status, fields: head.fields });
      head = await this.readHead(timeoutMs);
    }
    const noBody = isHead || head.status === 101 || head.status === 204 || head.status === 304;
    const { body, trailers } = noBody
      ? { body: Buffer.alloc(0), trailers: [] }
      : await this.#readBody(head.fields, timeoutMs);
    const { status, reason, fields } = head;
    return {
      status,
      reason,
      fields,
      body,
      trailers,
      interim,
      field: (name) => firstField(fields, name),
      text: () => body.toString('utf8'),
      json: () => JSON.parse(body.toString('utf8')) as unknown,
    };
  }

  /** Ends it with a TCP reset, as a killed client does. */
  reset(): void {
    (this.#under ?? this.socket).resetAndDestroy();
  }

  destroy(): void {
    this.socket.destroy();
    this.#under?.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  async #readBody(
    fields: readonly string[],
    timeoutMs: number | undefined,
  ): Promise<{ body: Buffer; trailers: string[] }> {
    if (firstField(fields, 'transfer-encoding')?.toLowerCase() === 'chunked') {
      return this.#readChunked(timeoutMs);
    }
    const length = firstField(fields, 'content-length');
    const body =
      length === undefined
        ? await this.reader.readToEnd(timeoutMs)
        : await this.reader.readExactly(Number(length), timeoutMs);
    return { body, trailers: [] };
  }

  async #readChunked(timeoutMs?: number): Promise<{ body: Buffer; trailers: string[] }> {
    const chunks: Buffer[] = [];
    for (;;) {
      const line = (await this.reader.readUntil('\r\n', timeoutMs)).toString('latin1');
      const size = Number.parseInt(line, 16);
      if (Number.isNaN(size)) throw new Error(`not a chunk size: ${JSON.stringify(line)}`);
      if (size === 0) break;
      chunks.push(await this.reader.readExactly(size, timeoutMs));
      await this.reader.readExactly(2, timeoutMs);
    }
    const lines: string[] = [];
    for (;;) {
      const line = (await this.reader.readUntil('\r\n', timeoutMs)).toString('latin1').trimEnd();
      if (line === '') break;
      lines.push(line);
    }
    return { body: Buffer.concat(chunks), trailers: readFields(lines) };
  }
}

export async function dialProxy(proxy: Endpoint): Promise<HttpConnection> {
  const socket = net.connect({ host: proxy.host, port: proxy.port, allowHalfOpen: true });
  await once(socket, 'connect');
  return new HttpConnection(socket, `${proxy.host}:${proxy.port}`);
}

/** `Basic` credentials as curl sends them for `http://sandbox:TOKEN@proxy`. */
export function proxyAuthorization(token: string): string {
  return `Basic ${Buffer.from(`sandbox:${token}`).toString('base64')}`;
}

export interface ConnectPlan {
  readonly proxy: Endpoint;
  /** `host:port`. */
  readonly authority: string;
  readonly token?: string;
  /** Extra lines of the CONNECT, flat. */
  readonly fields?: readonly string[];
}

/** The answer to a CONNECT. On 200 the connection is the tunnel. */
export interface ConnectAnswer extends Disposable {
  readonly response: RawResponse;
  readonly connection: HttpConnection;
}

/** Sends one CONNECT over `connection` (a new one by default) and reads its answer. */
export async function sendConnect(
  plan: ConnectPlan,
  connection?: HttpConnection,
): Promise<ConnectAnswer> {
  const over = connection ?? (await dialProxy(plan.proxy));
  const fields = ['Host', plan.authority, ...(plan.fields ?? [])];
  if (plan.token !== undefined) {
    fields.push('Proxy-Authorization', proxyAuthorization(plan.token));
  }
  over.send(`CONNECT ${plan.authority} HTTP/1.1\r\n${fieldLines(fields)}\r\n`);
  const head = await over.readHead();
  const noBody = head.status === 200;
  let body: Buffer = Buffer.alloc(0);
  if (!noBody) {
    const length = firstField(head.fields, 'content-length');
    body =
      length === undefined
        ? await over.reader.readToEnd()
        : await over.reader.readExactly(Number(length));
  }
  const response: RawResponse = {
    ...head,
    body,
    trailers: [],
    interim: [],
    field: (name) => firstField(head.fields, name),
    text: () => body.toString('utf8'),
    json: () => JSON.parse(body.toString('utf8')) as unknown,
  };
  return { response, connection: over, [Symbol.dispose]: () => over.destroy() };
}

export interface TlsPlan {
  /** Trusted roots, PEM. */
  readonly ca: string;
  /** Default: the host of the authority; `null` sends no SNI. */
  readonly serverName?: string | null;
  readonly alpn?: readonly string[];
}

/** TLS over an established tunnel. Rejects when the handshake fails. */
export async function startTls(
  tunnel: HttpConnection,
  authority: string,
  plan: TlsPlan,
): Promise<HttpConnection> {
  const host = authority.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  const named =
    plan.serverName === undefined ? (net.isIP(host) === 0 ? host : null) : plan.serverName;
  tunnel.socket.removeAllListeners('data');
  const secure = tls.connect({
    socket: tunnel.socket,
    ca: plan.ca,
    ...(named === null ? {} : { servername: named }),
    checkServerIdentity: (_name, certificate) => tls.checkServerIdentity(host, certificate),
    ...(plan.alpn === undefined ? {} : { ALPNProtocols: [...plan.alpn] }),
  });
  const connection = new HttpConnection(secure, authority.replace(/:443$/, ''), tunnel.socket);
  await Promise.race([
    once(secure, 'secureConnect'),
    once(secure, 'close').then(() => {
      throw new Error('the TLS handshake was cut off');
    }),
  ]);
  return connection;
}

/** CONNECT, 200, TLS: a tunnel ready for requests. Throws with code and reason when refused. */
export async function openTunnel(plan: ConnectPlan & TlsPlan): Promise<HttpConnection> {
  const { response, connection } = await sendConnect(plan);
  if (response.status !== 200) {
    connection.destroy();
    throw new Error(`CONNECT ${plan.authority}: ${response.status} ${response.reason}`);
  }
  return startTls(connection, plan.authority, plan);
}
