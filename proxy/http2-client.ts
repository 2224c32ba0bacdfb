/**
 * HTTP/2 client half: one stream of a connection (RFC 9113), over Node's stream API. Fields travel as flat
 * arrays in lower case; whatever goes wrong here ends this stream and no other. Tells its listener at
 * most once that the client is gone, and nothing after `abort()`.
 */
import { constants, sensitiveHeaders } from 'node:http2';
import type { ServerHttp2Stream } from 'node:http2';
import { hasField } from '../src/wire/field-list.ts';
import type { Http2Head } from '../src/wire/http2-head.ts';
import type { ClientListener, ClientStream } from './client-stream.ts';
import { Http2Body } from './http2-body.ts';
import { fieldLines, fieldObject, informationObject } from './http2-fields.ts';

const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;

/** What the connection does with one of its streams. */
export interface Http2Carrier {
  readonly bodySilenceTimeoutMs: number;
  /** No further streams; those that run may end. */
  onLast(): void;
  /** The stream is over. `isBroken`: by the client, before it had its response. */
  onFinished(client: Http2Client, isBroken: boolean): void;
  /** Bytes of a body went to the client. */
  onServed(): void;
}

/** First body chunks up to this length are joined with the head. */
const JOINED_BYTES_MAX = 16 * 1024;

export class Http2Client implements ClientStream {
  readonly protocol = 'h2';
  readonly httpVersion = '2';
  readonly neverIndexed: readonly string[];
  readonly hasBody: boolean;
  readonly #stream: ServerHttp2Stream;
  readonly #head: Http2Head;
  readonly #carrier: Http2Carrier;
  #listener: ClientListener | null = null;
  #body: Http2Body | null = null;
  #trailers: readonly string[] = [];
  /** Head that waits for its first chunk, so that a small response leaves in one write. */
  #pending: { readonly lines: string[]; chunk: Buffer | null } | null = null;
  #responseTrailers: readonly string[] = [];
  #silence: NodeJS.Timeout | null = null;
  #bytesOut = 0;
  #isHeadSent = false;
  #isBodiless = false;
  #isEnded = false;
  #isAborted = false;
  #isFinished = false;
  #awaitsDrain = false;

  constructor(
    stream: ServerHttp2Stream,
    head: Http2Head,
    request: { readonly hasBody: boolean; readonly neverIndexed: readonly string[] },
    carrier: Http2Carrier,
  ) {
    this.#stream = stream;
    this.#head = head;
    this.#carrier = carrier;
    this.hasBody = request.hasBody;
    this.neverIndexed = request.neverIndexed;
    stream.on('error', ignore);
    stream.once('aborted', () => {
      this.#finish();
    });
    stream.once('close', () => {
      this.#finish();
    });
    if (request.hasBody) {
      stream.once('trailers', (_object: unknown, _flags: number, lines: string[]) => {
        this.#trailers = lines;
      });
    }
  }

  get method(): string {
    return this.#head.method;
  }

  get target(): string {
    return this.#head.target;
  }

  get fields(): readonly string[] {
    return this.#head.fields;
  }

  get body(): Http2Body {
    this.#body ??= new Http2Body(this.#stream, () => {
      this.#onProgress();
    });
    return this.#body;
  }

  get headSent(): boolean {
    return this.#isHeadSent;
  }

  trailers(): readonly string[] {
    return this.#trailers;
  }

  sendInformation(status: number, fields: readonly string[]): void {
    if (this.#isHeadSent || !this.#isWritable || status === 101) return;
    this.#attempt(() => {
      this.#stream.additionalHeaders(informationObject(status, fields));
    });
  }

  sendHead(
    status: number,
    _statusText: string,
    fields: readonly string[],
    neverIndexed: readonly string[] = [],
  ): void {
    if (this.#isHeadSent || !this.#isWritable) return;
    this.#isHeadSent = true;
    // Node ends the stream itself where there can be no body; 205 has none either (RFC 9110 15.3.6).
    this.#isBodiless = this.method === 'HEAD' || status === 204 || status === 205 || status === 304;
    const lines = fieldLines(status, fields);
    for (const text of lines) this.#bytesOut += text.length;
    if (neverIndexed.length > 0) Object.assign(lines, { [sensitiveHeaders]: neverIndexed });
    this.#pending = { lines, chunk: null };
    // gRPC's trailers-only response: its status counts only where head and end are one frame.
    if (!hasField(lines, 'grpc-status')) process.nextTick(flushHead, this);
  }

  write(chunk: Buffer): boolean {
    // An empty chunk would part the head from the end: gRPC looks for its status in that one frame.
    if (chunk.length === 0 || this.#isBodiless || !this.#isWritable) return true;
    this.#bytesOut += chunk.length;
    if (this.#pending?.chunk === null && chunk.length <= JOINED_BYTES_MAX) {
      this.#pending.chunk = chunk;
      return true;
    }
    this.flush();
    return this.#writeThrough(chunk);
  }

  /** An event stream's head does not wait for its first event: at most to the end of this read. */
  flush(): void {
    const pending = this.#pending;
    if (pending === null) return;
    this.#pending = null;
    if (!this.#isWritable) return;
    this.#respond(pending.lines, this.#isBodiless);
    if (pending.chunk !== null) this.#writeThrough(pending.chunk);
  }

  end(trailers: readonly string[]): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (!this.#isWritable) return;
    const pending = this.#pending;
    if (pending !== null && trailers.length === 0) this.#respondWhole(pending.lines, pending.chunk);
    else this.#endStreamed(trailers);
    this.#watchSilence();
    if (this.hasBody && !this.body.isComplete) this.#discardBody();
  }

  closeAfterResponse(): void {
    this.#carrier.onLast();
  }

  abort(http2ErrorCode: number = NGHTTP2_INTERNAL_ERROR): void {
    this.#listener = null;
    if (this.#isAborted || this.#isFinished) return;
    this.#isAborted = true;
    this.#pending = null;
    this.#stream.close(http2ErrorCode);
  }

  listen(listener: ClientListener): void {
    if (this.#isAborted) return;
    if (this.#isFinished) {
      // It went away while the request was being prepared.
      listener.onAborted(this.#resetCode());
      return;
    }
    this.#listener = listener;
    if (this.#isReceiving) this.#watchSilence();
  }

  bytesIn(): number {
    return this.#head.bytes + (this.#body?.bytes ?? 0);
  }

  bytesOut(): number {
    return this.#bytesOut;
  }

  get #isWritable(): boolean {
    return !this.#stream.destroyed && !this.#stream.closed;
  }

  /** Something of the request is still to come. */
  get #isReceiving(): boolean {
    return this.hasBody && !this.body.isComplete;
  }

  /** What the origin does not take yet is no silence of the client; the origin has limits of its own. */
  get #isHeldBack(): boolean {
    return !this.#isEnded && !this.#awaitsDrain && this.#isReceiving && this.body.isHeldBack;
  }

  /** The complete response in as few frames as it takes. */
  #respondWhole(lines: string[], chunk: Buffer | null): void {
    this.#pending = null;
    this.#attempt(() => {
      this.#stream.respond(lines, respondWith(chunk === null, false));
      if (chunk !== null) this.#stream.end(chunk);
    });
  }

  #endStreamed(trailers: readonly string[]): void {
    this.#responseTrailers = trailers;
    this.flush();
    if (!this.#isBodiless) this.#stream.end();
  }

  #respond(lines: string[], endStream: boolean): void {
    this.#attempt(() => {
      // An origin need not announce trailers, so every streamed response may have some.
      this.#stream.respond(lines, respondWith(endStream, !endStream));
    });
    if (endStream) return;
    this.#stream.once('wantTrailers', () => {
      if (!this.#isWritable) return;
      this.#attempt(() => {
        this.#stream.sendTrailers(fieldObject(this.#responseTrailers));
      });
    });
  }

  /** What Node will not send ends the stream, not the process. */
  #attempt(send: () => void): void {
    try {
      send();
    } catch {
      const listener = this.#listener;
      this.abort();
      listener?.onAborted();
    }
  }

  #writeThrough(chunk: Buffer): boolean {
    const hasRoom = this.#stream.write(chunk);
    this.#onProgress();
    this.#carrier.onServed();
    if (!hasRoom && !this.#awaitsDrain) {
      this.#awaitsDrain = true;
      this.#watchSilence();
      this.#stream.once('drain', () => {
        this.#awaitsDrain = false;
        this.#onProgress();
        this.#listener?.onDrain();
      });
    }
    return hasRoom;
  }

  /**
   * The response is complete and the client still sends: once our side is closed it is told to stop (RFC
   * 9113 8.1). Not earlier, a reset would overtake what waits for its window.
   */
  #discardBody(): void {
    this.body.discard(() => {
      if (this.#isWritable && this.#stream.state.localClose === 1) {
        this.#stream.close(NGHTTP2_NO_ERROR);
      }
    });
  }

  #watchSilence(): void {
    if (this.#silence !== null) return;
    this.#silence = setTimeout(() => {
      this.#silence = null;
      if (this.#isHeldBack) this.#watchSilence();
      else if (this.#isEnded || this.#listener === null) this.abort();
      else this.#listener.onSilent();
    }, this.#carrier.bodySilenceTimeoutMs);
  }

  /** A byte moved, in whichever direction; the watch ends when nothing is owed any more. */
  #onProgress(): void {
    if (this.#silence === null) return;
    if (this.#isReceiving || this.#awaitsDrain || this.#isEnded) {
      this.#silence.refresh();
      return;
    }
    clearTimeout(this.#silence);
    this.#silence = null;
  }

  #finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#pending = null;
    if (this.#silence !== null) clearTimeout(this.#silence);
    const listener = this.#listener;
    this.#listener = null;
    const isBroken = !this.#isAborted && !this.#isEnded;
    if (!this.#isAborted) listener?.onAborted(this.#resetCode());
    this.#carrier.onFinished(this, isBroken);
  }

  #resetCode(): number | undefined {
    const { rstCode } = this.#stream;
    return rstCode === NGHTTP2_NO_ERROR ? undefined : rstCode;
  }
}

/** `sendDate` is not in the typings: the origin's own Date travels, we add none. */
function respondWith(endStream: boolean, waitForTrailers: boolean) {
  return { endStream, waitForTrailers, sendDate: false };
}

function flushHead(client: Http2Client): void {
  client.flush();
}

function ignore(): void {}
