/**
 * One verified connection to an origin that chose HTTP/2 (RFC 9113), shared by the sandboxes of its pool:
 * who has how many streams on it, whether it takes more, why it ended. One sandbox gets at most a quarter
 * of the streams, so that it cannot keep the others waiting. Everything a peer could flood is bounded.
 */
import { connect as startSession } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { systemClock } from '../kernel/clock.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Limits } from '../kernel/limits.ts';
import type { Address } from '../wire/address.ts';
import { protocolRefusal } from './exchange-fault.ts';
import { Http2Code } from './http2-fault.ts';
import type { Origin } from './upstream.ts';

export type Http2Limits = Pick<
  Limits,
  | 'headBytesMax'
  | 'headFieldsMax'
  | 'http2StreamsMax'
  | 'upstreamIdleTimeoutMs'
  | 'connectTimeoutMs'
>;

/** An exchange that has a stream on the connection. */
export interface StreamUser {
  readonly origin: Origin;
  /** The origin has said its last word on the connection. */
  onConnectionEnd(): void;
  /** A policy change took the stream away. */
  onDenied(): void;
}

interface Place {
  readonly origin: Origin;
  readonly address: Address;
  readonly poolKey: string;
  readonly serial: number;
}

/** What the pool does with its connections. */
export interface Http2Owner {
  /** A stream ended: others may have it. */
  onRoom(connection: Http2Connection): void;
  /** It has no streams, and takes no more or had none for long; or it is gone. */
  onSpent(connection: Http2Connection): void;
}

export class Http2Connection {
  readonly kind = 'http2';
  readonly socket: Socket;
  readonly address: Address;
  readonly poolKey: string;
  readonly serial: number;
  readonly session: ClientHttp2Session;
  /** The origin has said how many streams it takes, or will not say; false: it ended first. Never rejects. */
  readonly settled: Promise<boolean>;
  origin: Origin;
  isTainted = false;
  isForgotten = false;
  isDenied = false;
  /** What we accuse the origin of; every stream ends with it. */
  fault: Error | undefined;
  readonly #limits: Http2Limits;
  readonly #isShared: boolean;
  readonly #owner: Http2Owner;
  readonly #users = new Set<StreamUser>();
  readonly #streamsOf = new Map<string, number>();
  #peerStreamsMax = 1;
  #settle: (isAlive: boolean) => void = ignoreError;
  #isEnding = false;
  #isDestroyed = false;
  /** Since when the origin says nothing although it was asked; counted anew when something came. */
  #quietSinceMs = 0;
  #wasHeard = true;
  #heardMs = systemClock.monotonicMs();
  #lastStreamId: number | undefined;
  #goawayCode: number | undefined;
  #controlFrames = 0;
  #controlSecondMs = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  readonly #peerTimer: NodeJS.Timeout;

  /** `isShared`: more than one sandbox may have streams here. */
  constructor(
    socket: Socket,
    place: Place,
    limits: Http2Limits,
    isShared: boolean,
    owner: Http2Owner,
  ) {
    this.socket = socket;
    this.origin = place.origin;
    this.address = place.address;
    this.poolKey = place.poolKey;
    this.serial = place.serial;
    this.#limits = limits;
    this.#isShared = isShared;
    this.#owner = owner;
    this.session = openSession(socket, limits);
    this.settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#awaitSettings();
    this.#listen();
    this.#watchIdle();
    this.#peerTimer = setInterval(() => this.#checkPeer(), FIXED.http2PeerCheckMs).unref();
  }

  get isIdle(): boolean {
    return this.#users.size === 0;
  }

  get isEnding(): boolean {
    return this.#isEnding || this.session.closed || this.session.destroyed;
  }

  /** Resets the streams of denied users; the others stay. */
  closeWhere(isDenied: (origin: Origin) => boolean): void {
    for (const user of this.#users) {
      if (!isDenied(user.origin)) continue;
      user.onDenied();
      this.leave(user);
    }
  }

  /** Takes no more streams; goes when the last one ends. */
  retire(): void {
    this.#isEnding = true;
  }

  /** A stream waited so long in vain. Where nothing else came either, nobody after it shall wait as long. */
  onTimeout(waitedMs: number): void {
    if (systemClock.monotonicMs() - this.#heardMs >= waitedMs / 2) this.retire();
  }

  hasRoomFor(sandboxId: string): boolean {
    if (this.isEnding) return false;
    const max = Math.min(this.#limits.http2StreamsMax, this.#peerStreamsMax);
    if (this.#users.size >= max) return false;
    const share = this.#isShared ? Math.max(1, Math.floor(max / 4)) : max;
    return (this.#streamsOf.get(sandboxId) ?? 0) < share;
  }

  /**
   * It may be dead without our knowing. New streams go elsewhere where they can: one connection that a
   * failed router swallows must not take every request of an origin with it. (No PING: gRPC servers count
   * them as abuse.)
   */
  get isSilent(): boolean {
    if (this.isIdle) return false;
    const nowMs = systemClock.monotonicMs();
    if (this.#wasHeard) {
      this.#wasHeard = false;
      this.#quietSinceMs = nowMs;
    }
    return nowMs - this.#quietSinceMs > this.#limits.connectTimeoutMs;
  }

  /** Something of a response came. */
  onHeard(): void {
    this.#wasHeard = true;
    this.#heardMs = systemClock.monotonicMs();
    this.#controlFrames = 0;
  }

  /** Something of a request went out: gRPC servers measure each round trip of an upload with a PING. */
  onSent(): void {
    this.#controlFrames = 0;
  }

  enter(user: StreamUser): void {
    const { sandboxId } = user.origin;
    if (this.isIdle) this.#wasHeard = true;
    clearTimeout(this.#idleTimer);
    this.origin = user.origin;
    this.#users.add(user);
    this.#streamsOf.set(sandboxId, (this.#streamsOf.get(sandboxId) ?? 0) + 1);
  }

  leave(user: StreamUser): void {
    if (!this.#users.delete(user)) return;
    const { sandboxId } = user.origin;
    const left = (this.#streamsOf.get(sandboxId) ?? 1) - 1;
    if (left === 0) this.#streamsOf.delete(sandboxId);
    else this.#streamsOf.set(sandboxId, left);
    if (this.isIdle && this.isEnding) {
      this.#owner.onSpent(this);
      return;
    }
    if (this.isIdle) this.#watchIdle();
    this.#owner.onRoom(this);
  }

  /** RFC 9113 6.8: what is above the last stream of a GOAWAY was not acted upon. */
  isUnprocessed(streamId: number | undefined): boolean {
    if (this.#lastStreamId === undefined) return false;
    return streamId === undefined || streamId > this.#lastStreamId;
  }

  /** The code of a GOAWAY that ended the connection; undefined when it ended without one. */
  get goawayCode(): number | undefined {
    return this.#goawayCode;
  }

  /**
   * Streams end as if the connection had broken; GOAWAY is said, but not waited for. A turn later: the
   * caller may stand on the stack of the very frame parser that this takes away.
   */
  destroy(http2ErrorCode: number = Http2Code.noError): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#isEnding = true;
    clearTimeout(this.#idleTimer);
    clearInterval(this.#peerTimer);
    // Whoever waits for its SETTINGS: after a reset the session may never tell that it closed.
    this.#settle(false);
    setImmediate(() => {
      this.session.destroy(undefined, http2ErrorCode);
      setImmediate(() => this.socket.destroy());
    });
  }

  /** The first stream does not wait for it, those that could be too many do. */
  #awaitSettings(): void {
    const timer = setTimeout(() => this.#settleAt(PEER_STREAMS_UNTOLD), FIXED.http2SettingsWaitMs);
    this.session.once('remoteSettings', () => clearTimeout(timer));
    this.session.once('close', () => {
      clearTimeout(timer);
      this.#settle(false);
    });
  }

  #settleAt(peerStreamsMax: number): void {
    this.#peerStreamsMax = peerStreamsMax;
    this.#settle(true);
    this.#owner.onRoom(this);
  }

  #listen(): void {
    this.session
      .on('remoteSettings', (settings) => {
        this.#countControlFrame();
        this.#settleAt(settings.maxConcurrentStreams ?? PEER_STREAMS_UNTOLD);
      })
      .on('ping', () => this.#countControlFrame())
      .on('goaway', (code, lastStreamId) => {
        this.#isEnding = true;
        this.#goawayCode = code;
        this.#lastStreamId = lastStreamId;
        if (this.isIdle) this.#owner.onSpent(this);
      })
      // Server push is off; a stream that the origin opens all the same gets nowhere.
      .on('stream', (pushed) => pushed.on('error', ignoreError).close(Http2Code.refusedStream))
      .on('error', ignoreError)
      .on('close', () => this.#owner.onSpent(this));
    // The dialer's sockets stay half-open, but nothing can follow in either direction.
    this.socket.once('end', () => {
      this.#endUsers();
    });
    // A turn later: whoever knows a better reason has told it by then.
    this.socket.once('close', () => setImmediate(() => this.#endUsers()));
  }

  #endUsers(): void {
    this.#isEnding = true;
    for (const user of this.#users) user.onConnectionEnd();
    if (this.isIdle) this.#owner.onSpent(this);
  }

  /**
   * Node's HTTP/2 reads nothing while it writes, and after a write that a reset broke TLS never completes
   * another: such a session hears of nothing any more. Only the kernel knows that the socket has no peer.
   */
  #checkPeer(): void {
    if (this.isIdle) return;
    // Otherwise Node tells what it was told the first time.
    Object.assign(this.socket, { _peername: null });
    if (this.socket.remoteAddress === undefined) this.#endUsers();
  }

  #watchIdle(): void {
    this.#idleTimer = setTimeout(() => {
      this.#owner.onSpent(this);
    }, this.#limits.upstreamIdleTimeoutMs);
    this.#idleTimer.unref();
  }

  /** Each one costs an answer; nobody needs many between two useful frames (CVE-2019-9512, -9515). */
  #countControlFrame(): void {
    this.#wasHeard = true;
    const nowMs = systemClock.monotonicMs();
    this.#heardMs = nowMs;
    if (nowMs - this.#controlSecondMs > 1_000) {
      this.#controlSecondMs = nowMs;
      this.#controlFrames = 0;
    }
    this.#controlFrames += 1;
    if (this.#controlFrames <= FIXED.http2ControlFramesPerSecond || this.fault !== undefined)
      return;
    this.fault = protocolRefusal('flood of PING or SETTINGS frames');
    this.destroy(Http2Code.enhanceYourCalm);
  }
}

/** When SETTINGS do not arrive: "no smaller than 100" is what RFC 9113 6.5.2 recommends to peers. */
const PEER_STREAMS_UNTOLD = 100;

/** Authority and scheme are in every request; the socket is connected already. */
const SESSION_URL = new URL('https://origin.invalid');

function openSession(socket: Socket, limits: Http2Limits): ClientHttp2Session {
  const session = startSession(SESSION_URL, {
    createConnection: () => socket,
    settings: {
      enablePush: false,
      initialWindowSize: FIXED.http2StreamWindowBytes,
      maxHeaderListSize: limits.headBytesMax,
    },
    peerMaxConcurrentStreams: PEER_STREAMS_UNTOLD,
    maxReservedRemoteStreams: 0,
    maxHeaderListPairs: limits.headFieldsMax,
    maxSessionMemory: FIXED.http2SessionMemoryMb,
    maxSettings: FIXED.http2SettingsMax,
    // Room for what is injected; over it, the runtime gives the whole connection up.
    maxSendHeaderBlockLength: 4 * limits.headBytesMax,
    // Duplicates are the client's and the origin's business.
    strictSingleValueFields: false,
  } as Parameters<typeof startSession>[1]);
  session.setLocalWindowSize(FIXED.http2SessionWindowBytes);
  return session;
}

function ignoreError(): void {
  // 'close' follows and is acted upon; without a listener the process would end.
}
