/**
 * A client made of frames on a real connection through the proxy: says what it is told, remembers every
 * frame that came back, and how the connection ended.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { openTunnel } from '../support/client.ts';
import type { HttpConnection } from '../support/client.ts';
import {
  encodeFrame,
  encodeSettings,
  FrameFlag,
  FrameType,
  PREFACE,
  readFrame,
  statusOf,
} from '../support/http2-frames.ts';
import type { Frame } from '../support/http2-frames.ts';
import type { Product, TestSandbox } from '../support/product.ts';

const WAIT_MS = 10_000;

export class Http2Attacker implements Disposable {
  readonly frames: Frame[] = [];
  isOver = false;
  readonly #connection: HttpConnection;
  readonly #isMute: boolean;

  /** `isMute`: does not even acknowledge SETTINGS and PING. */
  constructor(connection: HttpConnection, isMute: boolean) {
    this.#connection = connection;
    this.#isMute = isMute;
    void this.#read();
  }

  send(...frames: readonly Buffer[]): void {
    this.#connection.send(Buffer.concat(frames));
  }

  /** Stops taking bytes: what the proxy says piles up on its side. */
  stopReading(): void {
    this.#connection.socket.pause();
  }

  /** Ends it with a TCP reset. */
  reset(): void {
    this.#connection.reset();
  }

  /** Code of the GOAWAY; `undefined` without one. */
  get goawayCode(): number | undefined {
    return this.frames.find(({ type }) => type === FrameType.goaway)?.payload.readUInt32BE(4);
  }

  /** Code of the reset of a stream. */
  resetCode(streamId: number): number | undefined {
    return this.frames
      .find((frame) => frame.type === FrameType.rstStream && frame.streamId === streamId)
      ?.payload.readUInt32BE(0);
  }

  /** Status of the response on a stream. */
  status(streamId: number): number | undefined {
    const head = this.frames.find(
      (frame) => frame.type === FrameType.headers && frame.streamId === streamId,
    );
    return head === undefined ? undefined : statusOf(head.payload);
  }

  bodyBytes(streamId: number): number {
    return this.frames
      .filter((frame) => frame.type === FrameType.data && frame.streamId === streamId)
      .reduce((sum, { payload }) => sum + payload.length, 0);
  }

  /** Resolves when `isMet`; rejects after a while, naming `what`. */
  async until(what: string, isMet: () => boolean): Promise<void> {
    const deadline = performance.now() + WAIT_MS;
    while (!isMet()) {
      if (performance.now() > deadline) throw new Error(`waited for ${what}`);
      await delay(5);
    }
  }

  /** The connection ended, whoever did it. */
  async waitForEnd(): Promise<void> {
    await this.until('the end of the connection', () => this.isOver);
  }

  [Symbol.dispose](): void {
    this.#connection.destroy();
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        const frame = await readFrame(this.#connection.reader, WAIT_MS);
        this.frames.push(frame);
        const isAsked = frame.type === FrameType.settings || frame.type === FrameType.ping;
        if (isAsked && frame.flags === 0 && !this.#isMute) {
          this.send(encodeFrame(frame.type, FrameFlag.ack, 0, answerTo(frame)));
        }
      }
    } catch {
      // A frame that never came is no end: `reader` knows.
      this.isOver = this.#connection.reader.ended;
    }
  }
}

/** A PING comes back with what it brought. */
function answerTo(frame: Frame): Buffer {
  return frame.type === FrameType.ping ? frame.payload : Buffer.alloc(0);
}

/** CONNECT, TLS with `h2`; preface and SETTINGS are sent unless `isBare`. */
export async function openAttacker(
  product: Product,
  sandbox: TestSandbox,
  authority: string,
  options: {
    readonly settings?: readonly number[];
    readonly isBare?: boolean;
    readonly isMute?: boolean;
  } = {},
): Promise<Http2Attacker> {
  const plan = { proxy: product.proxy, authority, token: sandbox.token };
  const tunnel = await openTunnel({ ...plan, ca: product.caPem, alpn: ['h2'] });
  const attacker = new Http2Attacker(tunnel, options.isMute ?? false);
  if (options.isBare !== true) attacker.send(PREFACE, encodeSettings(...(options.settings ?? [])));
  return attacker;
}
