/**
 * One try of an exchange on a stream of an HTTP/2 connection (RFC 9113 section 8): the stream API of
 * `node:http2`, raw field arrays both ways, trailers and reset codes both ways, backpressure by the
 * stream's flow control. Fields that carry a secret go out as literals no hop may index (RFC 7541 7.1.3).
 */
import { sensitiveHeaders } from 'node:http2';
import type { ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2';
import { Refusal } from '../kernel/errors.ts';
import type { Limits } from '../kernel/limits.ts';
import type { Attempt, AttemptSink } from './attempt.ts';
import type { Http2Connection, StreamUser } from './http2-connection.ts';
import { Http2Code, StreamFault } from './http2-fault.ts';
import type { BodyStream } from './request-body.ts';
import type { UnreadBytes, UnreadShare } from './unread-bytes.ts';
import type { Origin, UpstreamRequest } from './upstream.ts';

export interface Http2AttemptOptions {
  readonly connection: Http2Connection;
  readonly request: UpstreamRequest;
  readonly body: BodyStream | null;
  readonly sink: AttemptSink;
  readonly unread: UnreadBytes;
  readonly limits: Pick<Limits, 'headBytesMax' | 'responseHeadTimeoutMs' | 'bodySilenceTimeoutMs'>;
}

export function startHttp2Attempt(options: Http2AttemptOptions): Attempt {
  return new Http2Attempt(options);
}

class Http2Attempt implements Attempt, StreamUser {
  readonly origin: Origin;
  readonly #options: Http2AttemptOptions;
  readonly #unread: UnreadShare;
  #stream: ClientHttp2Stream | undefined;
  #trailers: readonly string[] = NO_TRAILERS;
  #timer: NodeJS.Timeout | undefined;
  #error: Error | undefined;
  #sentBytes = 0;
  #isUploading = false;
  /** The origin's window for the request body is used up. */
  #isBlocked = false;
  #hasResponse = false;
  #isResponseEnded = false;
  #isConnectionOver = false;
  #isOver = false;

  constructor(options: Http2AttemptOptions) {
    this.origin = options.request.origin;
    this.#options = options;
    this.#unread = options.unread.open(this.origin.sandboxId);
    options.connection.enter(this);
    try {
      this.#stream = this.#open();
    } catch (error) {
      // The sink is not ready for an answer within its call.
      queueMicrotask(() => {
        options.connection.leave(this);
        this.#fail(error instanceof Error ? error : new Error('request'));
      });
    }
  }

  resume(): void {
    this.#stream?.resume();
    this.#timer?.refresh();
  }

  abort(http2ErrorCode: number = Http2Code.cancel): void {
    if (this.#isOver) return;
    this.#end();
    // NO_ERROR is the origin's to say (RFC 9113 8.1).
    this.#reset(http2ErrorCode === Http2Code.noError ? Http2Code.cancel : http2ErrorCode);
  }

  onConnectionEnd(): void {
    this.#isConnectionOver = true;
    // What came whole is still being read.
    if (this.#isResponseEnded && !this.#isOver) return;
    this.#fail(connectionLost());
    // After a reset the stream may never close: what it has still to say is never written.
    this.#options.connection.leave(this);
  }

  onDenied(): void {
    this.#fail(new Refusal('upstream_unreachable', { auditDetail: 'the address is denied now' }));
  }

  #open(): ClientHttp2Stream {
    const { connection, request, body } = this.#options;
    const stream = connection.session.request(composeHeaders(request), {
      endStream: body === null,
      // Also where none will come: else the runtime ends the stream before it resets it, and a body cut
      // short would pass for complete.
      waitForTrailers: body !== null,
    });
    this.#watchEnd(stream);
    stream
      .on('headers', (_fields, _flags, raw: string[]) => this.#onInformation(raw))
      .on('response', (object: unknown, _flags, raw: string[]) => {
        this.#onResponse(stream, raw, (object as Sensitive)[sensitiveHeaders]);
      })
      .on('trailers', (_fields, _flags, raw: string[]) => {
        this.#trailers = raw;
      })
      .on('end', () => this.#onResponseEnd())
      .on('aborted', () => this.#letGoOfBody())
      .on('error', (error: Error) => {
        this.#error = error;
      })
      .on('close', () => this.#onClose(stream));
    queueMicrotask(() => {
      // Without a number the stream never left: the connection had ended.
      if (!this.#isOver && stream.id !== undefined) this.#options.sink.onHeadWritten();
    });
    if (body === null) this.#watchHead();
    else this.#sendBody(stream, body);
    return stream;
  }

  /**
   * END_STREAM, as opposed to a stream that was reset or lost its connection: the runtime ends the
   * readable side of those too, also with NO_ERROR, and a response cut short would pass for complete.
   */
  #watchEnd(stream: ClientHttp2Stream): void {
    const push = stream.push.bind(stream);
    stream.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
      if (!Buffer.isBuffer(chunk)) {
        if (chunk === null && !stream.closed) this.#isResponseEnded = true;
        return push(chunk, encoding);
      }
      this.#unread.add(chunk.length);
      const hasRoom = push(chunk, encoding);
      // A turn later: this is the runtime's frame parser.
      if (this.#unread.isTooMuch) queueMicrotask(() => this.#fail(tooMuchUnread()));
      return hasRoom;
    };
  }

  #onInformation(raw: readonly string[]): void {
    if (this.#isOver) return;
    const { sink, request, connection } = this.#options;
    const status = readStatus(raw);
    connection.onHeard();
    sink.onResponseByte();
    if (status === 100 && !request.expectContinue) return;
    sink.onInformation({ status, statusText: '', fields: withoutPseudo(raw) });
  }

  #onResponse(
    stream: ClientHttp2Stream,
    raw: readonly string[],
    neverIndexed: readonly string[] = [],
  ): void {
    this.#options.connection.onHeard();
    if (this.#isOver) {
      // Unread, what follows would hold the stream open.
      stream.resume();
      return;
    }
    this.#hasResponse = true;
    if (sizeOf(raw) > this.#options.limits.headBytesMax) {
      this.#fail(codedError('ERR_HTTP2_HEADERS_OVERFLOW', 'the head is too large'));
      return;
    }
    this.#watchSilence(this.#options.limits.bodySilenceTimeoutMs, 'UND_ERR_BODY_TIMEOUT');
    const fields = withoutPseudo(raw);
    const head = { status: readStatus(raw), statusText: '', fields, isHttp2: true as const };
    this.#options.sink.onResponse(neverIndexed.length === 0 ? head : { ...head, neverIndexed });
    // Not before: the runtime tells of a head a tick after it tells of data in the same read.
    stream.on('data', (chunk: Buffer) => this.#onData(stream, chunk));
  }

  #onData(stream: ClientHttp2Stream, chunk: Buffer): void {
    this.#options.connection.onHeard();
    this.#unread.take(chunk.length);
    if (this.#isOver) return;
    this.#timer?.refresh();
    if (!this.#options.sink.onData(chunk)) stream.pause();
  }

  #onResponseEnd(): void {
    if (this.#isOver || !this.#hasResponse || !this.#isResponseEnded) return;
    this.#end();
    // The answer stands, whatever the origin thinks of the rest of the request.
    if (this.#isUploading) this.#reset(Http2Code.cancel);
    this.#options.sink.onEnd(this.#trailers);
  }

  #onClose(stream: ClientHttp2Stream): void {
    this.#options.connection.leave(this);
    if (!this.#isOver) this.#fail(this.#readFault(stream));
  }

  #readFault(stream: ClientHttp2Stream): Error {
    const { connection } = this.#options;
    if (connection.fault !== undefined) return connection.fault;
    if (connection.isUnprocessed(stream.id)) return new StreamFault(Http2Code.refusedStream, true);
    if (connection.session.destroyed || connection.socket.destroyed) {
      const code = connection.goawayCode ?? Http2Code.noError;
      if (code !== Http2Code.noError) return new StreamFault(code, false);
      return this.#error ?? connectionLost();
    }
    const isRefused = stream.rstCode === Http2Code.refusedStream;
    return new StreamFault(
      stream.rstCode,
      isRefused || stream.rstCode === Http2Code.http11Required,
    );
  }

  #sendBody(stream: ClientHttp2Stream, body: BodyStream): void {
    const { request, limits } = this.#options;
    this.#isUploading = true;
    this.#watchSilence(limits.bodySilenceTimeoutMs, 'UND_ERR_BODY_TIMEOUT');
    stream
      .on('wantTrailers', () => this.#sendTrailers(stream))
      .on('drain', () => {
        this.#isBlocked = false;
        this.#timer?.refresh();
        body.resume();
      })
      .on('finish', () => {
        this.#isUploading = false;
        if (!this.#isOver && !this.#hasResponse) this.#watchHead();
      });
    body
      .on('data', (chunk: Buffer) => {
        this.#sentBytes += chunk.length;
        this.#options.connection.onSent();
        this.#timer?.refresh();
        if (this.#isLengthBroken(this.#sentBytes)) this.#fail(lengthError());
        else if (!stream.write(chunk)) {
          this.#isBlocked = true;
          body.pause();
        }
      })
      .on('end', () => {
        if (request.contentLength !== null && this.#sentBytes !== request.contentLength) {
          this.#fail(lengthError());
          return;
        }
        // What is left waits for the origin's window.
        this.#isBlocked = true;
        stream.end();
      })
      .on('error', (error: Error) => this.#fail(error));
    body.resume();
  }

  /** What the runtime will not send ends the stream, not the process. */
  #sendTrailers(stream: ClientHttp2Stream): void {
    try {
      const trailers = this.#options.request.requestTrailers?.() ?? NO_TRAILERS;
      stream.sendTrailers(composeTrailers(trailers));
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error('trailers'));
    }
  }

  #isLengthBroken(sentBytes: number): boolean {
    const { contentLength } = this.#options.request;
    return contentLength !== null && sentBytes > contentLength;
  }

  #watchHead(): void {
    this.#watchSilence(this.#options.limits.responseHeadTimeoutMs, 'UND_ERR_HEADERS_TIMEOUT');
  }

  /** Silence is the origin's when we neither paused it nor wait for the client. */
  #watchSilence(timeoutMs: number, code: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const isOurs = this.#hasResponse
        ? this.#stream?.isPaused() === true
        : code === 'UND_ERR_BODY_TIMEOUT' && !this.#isBlocked;
      if (isOurs) {
        this.#timer?.refresh();
        return;
      }
      this.#options.connection.onTimeout(timeoutMs);
      this.#fail(codedError(code, 'silence'));
    }, timeoutMs);
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#end();
    this.#reset(Http2Code.cancel);
    this.#options.sink.onFault(error);
  }

  #reset(http2ErrorCode: number): void {
    const stream = this.#stream;
    if (stream === undefined || stream.destroyed) return;
    if (!stream.closed) stream.close(http2ErrorCode);
    // What was received and is not wanted any more holds the stream open otherwise.
    stream.resume();
  }

  #letGoOfBody(): void {
    this.#options.body?.destroy();
  }

  #end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#unread.close();
    this.#letGoOfBody();
    // With an upload that nobody takes any more the stream would never close.
    if (this.#isConnectionOver) this.#options.connection.leave(this);
  }
}

/** What the runtime puts on the fields of a head, missing in its typings. */
interface Sensitive {
  readonly [sensitiveHeaders]?: readonly string[];
}

const NO_TRAILERS: readonly string[] = [];

/** Pseudo fields first; the runtime lowers names. What the connection owns is none of HTTP/2's. */
function composeHeaders(request: UpstreamRequest): string[] {
  const headers = [
    ':method',
    request.method,
    ':scheme',
    'https',
    ':authority',
    request.hostField,
    ':path',
    request.target,
    ...request.fields,
  ];
  if (request.contentLength !== null) headers.push('content-length', String(request.contentLength));
  if (request.acceptsTrailers) headers.push('te', 'trailers');
  if (request.expectContinue) headers.push('expect', '100-continue');
  if (request.neverIndexed.length === 0) return headers;
  return Object.assign(headers, { [sensitiveHeaders]: request.neverIndexed });
}

/** The runtime takes trailers as an object only: lines of one name come together. */
function composeTrailers(flat: readonly string[]): OutgoingHttpHeaders {
  const trailers: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (let i = 0; i + 1 < flat.length; i += 2) {
    (trailers[(flat[i] ?? '').toLowerCase()] ??= []).push(flat[i + 1] ?? '');
  }
  return trailers;
}

/** `:status` is always there, first and a number: the runtime ends streams that lack it. */
function readStatus(raw: readonly string[]): number {
  return Number(raw[raw.indexOf(':status') + 1]);
}

function withoutPseudo(raw: readonly string[]): string[] {
  let start = 0;
  while (raw[start]?.startsWith(':') === true) start += 2;
  return raw.slice(start);
}

function sizeOf(raw: readonly string[]): number {
  let bytes = 0;
  for (const text of raw) bytes += text.length;
  return bytes;
}

function tooMuchUnread(): Refusal {
  return new Refusal('too_many_connections', {
    message: 'Too much of what origins sent waits to be read by this sandbox.',
    auditDetail: 'unread HTTP/2 responses of the sandbox',
  });
}

function connectionLost(): Error {
  return codedError('ECONNRESET', 'the connection ended');
}

function lengthError(): Error {
  return codedError(
    'ERR_HTTP_CONTENT_LENGTH_MISMATCH',
    'the body does not have the announced length',
  );
}

function codedError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
