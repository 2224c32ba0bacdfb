/**
 * A proper HTTP/2 client of the proxy: Node's own, over TLS that chose `h2` inside a CONNECT tunnel. One
 * session, requests as flat field lists, everything that came back.
 */
import { once } from 'node:events';
import http2 from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, ClientSessionOptions } from 'node:http2';
import net from 'node:net';
import { Readable } from 'node:stream';
import tls from 'node:tls';
import { HttpConnection, sendConnect } from './client.ts';
import type { Product, TestSandbox } from './product.ts';

/** A product, in a process of its own or composed in the test's. */
type Reached = Pick<Product, 'proxy' | 'caPem' | 'clientBytes'>;

export interface Http2Plan {
  readonly method?: string;
  readonly path: string;
  /** Over the host of the tunnel. */
  readonly authority?: string;
  /** Flat; names in lower case. */
  readonly fields?: readonly string[];
  readonly body?: string | Buffer;
  /** Flat. */
  readonly trailers?: readonly string[];
}

export interface Http2Response {
  readonly status: number;
  /** Flat, without `:status`. */
  readonly fields: readonly string[];
  readonly body: Buffer;
  /** Flat. */
  readonly trailers: readonly string[];
  readonly interim: readonly { readonly status: number; readonly fields: readonly string[] }[];
  field(name: string): string | undefined;
  text(): string;
  json(): unknown;
}

/** The fourth argument of Node's events, missing in its typings. */
type RawEvents = (
  event: 'response' | 'headers' | 'trailers',
  listener: (object: unknown, flags: number, lines: string[]) => void,
) => void;

function split(lines: readonly string[]): { status: number; fields: string[] } {
  const fields: string[] = [];
  let status = 0;
  for (let i = 0; i + 1 < lines.length; i += 2) {
    if (lines[i] === ':status') status = Number(lines[i + 1]);
    else fields.push(lines[i] ?? '', lines[i + 1] ?? '');
  }
  return { status, fields };
}

export class Http2Tunnel implements Disposable {
  readonly session: ClientHttp2Session;
  readonly #authority: string;
  readonly #product: Reached;
  readonly #destroy: () => void;

  constructor(
    product: Reached,
    session: ClientHttp2Session,
    authority: string,
    destroy: () => void,
  ) {
    this.session = session;
    this.#product = product;
    this.#authority = authority;
    this.#destroy = destroy;
    session.on('error', () => {});
  }

  /** Opens a stream; the caller writes, ends and reads it. */
  open(plan: Omit<Http2Plan, 'body'>, options: http2.ClientSessionRequestOptions = {}) {
    const lines = [
      ':method',
      plan.method ?? 'GET',
      ':scheme',
      'https',
      ':path',
      plan.path,
      ':authority',
      plan.authority ?? this.#authority,
      ...(plan.fields ?? []),
    ];
    const stream = this.session.request(lines, options);
    stream.on('error', () => {});
    return stream;
  }

  /** One exchange to its end. Rejects when the stream is reset. */
  async request(plan: Http2Plan): Promise<Http2Response> {
    const { trailers } = plan;
    const stream = this.open(plan, {
      endStream: plan.body === undefined && trailers === undefined,
      waitForTrailers: trailers !== undefined,
    });
    stream.on('wantTrailers', () => {
      const object: Record<string, string> = {};
      for (let i = 0; i + 1 < (trailers ?? []).length; i += 2) {
        object[trailers?.[i] ?? ''] = trailers?.[i + 1] ?? '';
      }
      stream.sendTrailers(object);
    });
    const response = readResponse(stream);
    if (plan.body !== undefined) Readable.from(pieces(Buffer.from(plan.body))).pipe(stream);
    else if (trailers !== undefined) stream.end();
    const received = await response;
    const { fields, trailers: end, body } = received;
    // For the canary search: the bytes below are compressed and encrypted.
    this.#product.clientBytes.push(Buffer.from([...fields, ...end].join('\n'), 'latin1'), body);
    return received;
  }

  [Symbol.dispose](): void {
    this.session.destroy();
    this.#destroy();
  }
}

/** A large body in one write would be more than Node lets a session hold. */
function* pieces(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; at += 65_536) yield body.subarray(at, at + 65_536);
}

export class Http2Reset extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`the stream was reset with ${code}`);
    this.code = code;
  }
}

/** The first value of a field in a flat array; names are in lower case. */
export function fieldOf(lines: readonly string[], name: string): string | undefined {
  const at = lines.findIndex((text, i) => i % 2 === 0 && text === name);
  return at < 0 ? undefined : lines[at + 1];
}

/** Reads a stream to its end. Rejects with the reset code when it was reset. */
export function readResponse(stream: ClientHttp2Stream): Promise<Http2Response> {
  return new Promise((resolve, reject) => {
    const interim: { status: number; fields: readonly string[] }[] = [];
    let head: { status: number; fields: readonly string[] } = { status: 0, fields: [] };
    let trailers: readonly string[] = [];
    const chunks: Buffer[] = [];
    const on = stream.on.bind(stream) as unknown as RawEvents;
    on('headers', (_object, _flags, lines) => interim.push(split(lines)));
    on('response', (_object, _flags, lines) => {
      head = split(lines);
    });
    on('trailers', (_object, _flags, lines) => {
      trailers = lines;
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('close', () => {
      if (stream.rstCode !== http2.constants.NGHTTP2_NO_ERROR || head.status === 0) {
        reject(new Http2Reset(stream.rstCode));
        return;
      }
      const body = Buffer.concat(chunks);
      resolve({
        ...head,
        body,
        trailers,
        interim,
        field: (name) => fieldOf(head.fields, name),
        text: () => body.toString('utf8'),
        json: () => JSON.parse(body.toString('utf8')) as unknown,
      });
    });
  });
}

/** The code a stream was reset with; 0 when it ended well. */
export async function resetCodeOf(stream: ClientHttp2Stream): Promise<number> {
  stream.resume();
  if (!stream.destroyed) await new Promise((resolve) => stream.once('close', resolve));
  return stream.rstCode;
}

/** CONNECT, TLS with ALPN `h2`, a session. `authority`: `host:443`. */
export async function openHttp2(
  product: Reached,
  sandbox: TestSandbox,
  authority: string,
  options: ClientSessionOptions = {},
): Promise<Http2Tunnel> {
  const host = authority.replace(/:\d+$/, '');
  // Not half-open: a session above would never hear of the end.
  const socket = net.connect(product.proxy.port, product.proxy.host);
  await once(socket, 'connect');
  const { response, connection } = await sendConnect(
    { proxy: product.proxy, authority, token: sandbox.token },
    new HttpConnection(socket, authority),
  );
  if (response.status !== 200) throw new Error(`CONNECT: ${response.status} ${response.reason}`);
  connection.socket.removeAllListeners('data');
  const secure = tls.connect({
    socket: connection.socket,
    servername: host,
    ca: product.caPem,
    ALPNProtocols: ['h2'],
  });
  await once(secure, 'secureConnect');
  if (secure.alpnProtocol !== 'h2') throw new Error('the proxy did not choose h2');
  const session = http2.connect(`https://${host}`, {
    ...options,
    createConnection: () => secure,
  });
  return new Http2Tunnel(product, session, host, () => connection.destroy());
}
