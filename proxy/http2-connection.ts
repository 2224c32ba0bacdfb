/**
 * One HTTP/2 connection of a client inside an interception (RFC 9113): every stream is an exchange of its
 * own, refused or served alone. What harms one stream ends that stream; floods, protocol errors and time
 * limits end the connection with a GOAWAY. Bounded: streams, windows, heads, resets, control frames.
 */
import { constants, performServerHandshake, sensitiveHeaders } from 'node:http2';
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { Refusal } from '../src/kernel/errors.ts';
import { FIXED } from '../src/kernel/limits.ts';
import { readHttp2Head } from '../src/wire/http2-head.ts';
import { openRecord, refuseExchange, serveExchange } from './exchange.ts';
import type { ExchangeContext } from './exchange-context.ts';
import { FrameAllowance } from './frame-allowance.ts';
import { Http2Client } from './http2-client.ts';
import type { Http2Carrier } from './http2-client.ts';
import { http2Options } from './http2-options.ts';
import { recordMalformed } from './malformed-stream.ts';

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_FLAG_END_STREAM, NGHTTP2_NO_ERROR } = constants;

export class Http2Connection implements Http2Carrier {
  /** Something came that only a client which trusts us sends. */
  isUsed = false;
  readonly bodySilenceTimeoutMs: number;
  readonly #context: ExchangeContext;
  readonly #socket: TLSSocket;
  readonly #session: ServerHttp2Session;
  readonly #resets: FrameAllowance;
  readonly #controlFrames: FrameAllowance;
  #running = 0;
  #idleSinceMs: number;
  /** The highest stream that was handed to us. */
  #lastStreamId = 0;
  /** When a stream was first seen that was begun and not handed to us. */
  #unseenSinceMs: number | null = null;
  #isEnding = false;
  #isLingering = false;
  #peerCheckedMs: number;

  /** `socket`: with a complete handshake that chose `h2`. */
  constructor(socket: TLSSocket, context: ExchangeContext) {
    const { clock, limits } = context.plane;
    this.#context = context;
    this.#socket = socket;
    this.bodySilenceTimeoutMs = limits.bodySilenceTimeoutMs;
    this.#idleSinceMs = clock.monotonicMs();
    this.#peerCheckedMs = this.#idleSinceMs;
    this.#resets = new FrameAllowance(clock, {
      burst: FIXED.http2ResetBurst,
      perSecond: FIXED.http2ResetsPerSecond,
    });
    this.#controlFrames = new FrameAllowance(clock, {
      burst: FIXED.http2ControlFrameBurst,
      perSecond: FIXED.http2ControlFramesPerSecond,
    });
    // Before the session hears of it, which then knows no more what came last.
    socket.once('close', () => {
      this.#noteUnseen();
    });
    // Node takes a server's socket for one that is still connecting, and would wait for ever.
    Object.assign(socket, { secureConnecting: false });
    this.#session = performServerHandshake(socket, http2Options(limits));
    this.#session.setLocalWindowSize(FIXED.http2SessionWindowBytes);
    this.#listen(this.#session);
  }

  /** No new streams; those that run may end. Closes at once when there are none. */
  onLast(): void {
    if (this.#isEnding || this.#session.destroyed) return;
    this.#isEnding = true;
    this.#session.close();
    if (this.#running === 0) this.#linger();
  }

  onFinished(_client: Http2Client, isBroken: boolean): void {
    this.#running -= 1;
    if (this.#running === 0) {
      this.#idleSinceMs = this.#context.plane.clock.monotonicMs();
      if (this.#isEnding) this.#linger();
    }
    if (isBroken && !this.#session.destroyed && !this.#resets.take()) this.#endFlood('reset');
  }

  onServed(): void {
    this.#controlFrames.give(FIXED.http2ControlFramesPerChunk);
  }

  /** Holds the connection to the times of `limits`; called every now and then. */
  sweep(nowMs: number): void {
    // Node ends the socket of a broken session politely and waits, for ever if nobody is there any more.
    if (this.#session.destroyed) this.#linger();
    else this.#checkPeer(nowMs);
    if (this.#session.destroyed) return;
    const { headTimeoutMs, idleTimeoutMs } = this.#context.plane.limits;
    this.#noteBegun(nowMs);
    const isHeadLate = this.#unseenSinceMs !== null && nowMs - this.#unseenSinceMs > headTimeoutMs;
    // A client that has nothing to say sends its preface all the same.
    const patienceMs = this.isUsed ? idleTimeoutMs : headTimeoutMs;
    const isIdle = this.#running === 0 && nowMs - this.#idleSinceMs > patienceMs;
    if (isHeadLate) {
      this.#noteUnseen();
      this.end(NGHTTP2_NO_ERROR);
    } else if (isIdle) {
      this.onLast();
    }
  }

  /** Ends the connection with what runs on it. */
  end(http2ErrorCode: number): void {
    if (this.#session.destroyed) return;
    this.#isEnding = true;
    // A bare code, which the typings do not know: an error would need one for every stream.
    (this.#session as unknown as { destroy(code: number): void }).destroy(http2ErrorCode);
    this.#linger();
  }

  /**
   * Node's HTTP/2 reads nothing while it writes, and after a write that a reset broke TLS never completes
   * another: such a session hears of nothing any more. Only the kernel knows that the socket has no peer.
   */
  #checkPeer(nowMs: number): void {
    if (nowMs - this.#peerCheckedMs < FIXED.http2PeerCheckMs) return;
    this.#peerCheckedMs = nowMs;
    // Otherwise Node tells what it was told the first time.
    Object.assign(this.#socket, { _peername: null });
    if (this.#socket.remoteAddress === undefined) this.#socket.destroy();
  }

  #listen(session: ServerHttp2Session): void {
    session.on('error', (error: NodeJS.ErrnoException) => {
      this.#onError(error);
    });
    session.once('remoteSettings', () => {
      this.isUsed = true;
    });
    const onControlFrame = (): void => {
      if (!this.#controlFrames.take()) this.#endFlood('control frame');
    };
    session.on('remoteSettings', onControlFrame);
    session.on('ping', onControlFrame);
    session.on('goaway', () => {
      this.#noteUnseen();
    });
    session.on('stream', (stream, object, flags, lines) => {
      const { [sensitiveHeaders]: neverIndexed = [] } = object as { [sensitiveHeaders]?: string[] };
      this.#onStream(stream, neverIndexed, flags, lines);
    });
    // Node's own TLS servers are not half-open: nothing that an HTTP/2 client does needs it.
    this.#socket.once('end', () => this.#socket.destroy());
  }

  #onStream(
    stream: ServerHttp2Stream,
    neverIndexed: readonly string[],
    flags: number,
    lines: readonly string[],
  ): void {
    const { plane, scheme } = this.#context;
    this.#noteStream(stream.id ?? 0);
    this.#running += 1;
    const { headBytesMax } = plane.limits;
    const head = readHttp2Head(lines, { scheme, headBytesMax });
    const hasBody = (flags & NGHTTP2_FLAG_END_STREAM) === 0;
    const client = new Http2Client(stream, head, { hasBody, neverIndexed }, this);
    const record = openRecord(this.#context, client);
    const refusal = head.refusal ?? this.#refusalOfState();
    if (refusal === null) void serveExchange(this.#context, client, record);
    else refuseExchange(this.#context, client, record, refusal);
  }

  #refusalOfState(): Refusal | null {
    if (this.#isEnding) return new Refusal('shutting_down');
    const { open } = this.#context.plane;
    const count = open.exchangeCountOf(this.#context.holder.sandboxId);
    return count > FIXED.http2StreamsPerSandboxMax ? new Refusal('too_many_connections') : null;
  }

  /** Streams are numbered without gaps, but for the first, which some clients keep for other things. */
  #noteStream(streamId: number): void {
    if (streamId - this.#lastStreamId > STREAM_ID_STEP && this.#lastStreamId > 0) {
      recordMalformed(this.#context, 'a head was refused by its framing');
    }
    this.#lastStreamId = Math.max(this.#lastStreamId, streamId);
    this.#unseenSinceMs = null;
  }

  /**
   * A head that was begun and is not complete, or was refused before we saw it. A PING tells them apart:
   * inside a head nothing else may be sent (RFC 9113 6.10), its answer neither.
   */
  #noteBegun(nowMs: number): void {
    if (this.#lastBegunId() <= this.#lastStreamId) {
      this.#unseenSinceMs = null;
    } else if (this.#unseenSinceMs === null) {
      this.#unseenSinceMs = nowMs;
      this.#session.ping((error) => {
        if (error === null && !this.#session.destroyed) this.#noteUnseen();
      });
    }
  }

  /** What we never saw, and will not see any more, is recorded. */
  #noteUnseen(): void {
    const lastBegunId = this.#lastBegunId();
    if (lastBegunId <= this.#lastStreamId) return;
    this.#lastStreamId = lastBegunId;
    this.#unseenSinceMs = null;
    this.isUsed = true;
    recordMalformed(this.#context, 'a head was refused by its framing, or incomplete');
  }

  #lastBegunId(): number {
    return this.#session.state.lastProcStreamID ?? 0;
  }

  #onError(error: NodeJS.ErrnoException): void {
    this.isUsed = true;
    // A connection that just broke has nothing to be recorded beside its streams.
    if (error.code?.startsWith('ERR_HTTP2') === true && !this.#isEnding) {
      recordMalformed(this.#context, error.message);
    }
    this.#linger();
  }

  #endFlood(what: string): void {
    if (this.#isEnding) return;
    recordMalformed(this.#context, `${what} flood`);
    this.end(NGHTTP2_ENHANCE_YOUR_CALM);
  }

  /** A client that reads nothing, or never closes, would keep the socket for ever (I7). */
  #linger(): void {
    if (this.#isLingering) return;
    this.#isLingering = true;
    const timer = setTimeout(() => this.#socket.destroy(), FIXED.http2LingerMs);
    this.#socket.once('close', () => {
      clearTimeout(timer);
    });
  }
}

/** Clients count in odd numbers (RFC 9113 5.1.1). */
const STREAM_ID_STEP = 2;
