/**
 * What origins sent over HTTP/2 and no client has taken yet, counted per sandbox. HTTP/2 lets an origin send
 * a window full on each stream, however slowly it is read, and a sandbox has many streams: without a bound
 * on their sum it could fill the memory of all (I7). Over it, streams that wait are given up.
 */
import { FIXED } from '../kernel/limits.ts';

interface Tally {
  bytes: number;
  shares: number;
}

export class UnreadBytes {
  readonly #bytesMax: number;
  readonly #tallies = new Map<string, Tally>();

  constructor(bytesMax: number = FIXED.http2UnreadBytesPerSandboxMax) {
    this.#bytesMax = bytesMax;
  }

  /** Of one stream. Close it, or its bytes count for ever. */
  open(sandboxId: string): UnreadShare {
    let tally = this.#tallies.get(sandboxId);
    if (tally === undefined) {
      tally = { bytes: 0, shares: 0 };
      this.#tallies.set(sandboxId, tally);
    }
    tally.shares += 1;
    const counted = tally;
    return new UnreadShare(counted, this.#bytesMax, () => {
      counted.shares -= 1;
      if (counted.shares === 0) this.#tallies.delete(sandboxId);
    });
  }
}

export class UnreadShare {
  readonly #tally: Tally;
  readonly #bytesMax: number;
  readonly #onClose: () => void;
  #bytes = 0;
  #isClosed = false;

  constructor(tally: Tally, bytesMax: number, onClose: () => void) {
    this.#tally = tally;
    this.#bytesMax = bytesMax;
    this.#onClose = onClose;
  }

  /** The sandbox has too much, and this stream is one of those that wait. */
  get isTooMuch(): boolean {
    return this.#tally.bytes > this.#bytesMax && this.#bytes > FIXED.http2UnreadBytesFree;
  }

  /** Came in. */
  add(bytes: number): void {
    if (this.#isClosed) return;
    this.#bytes += bytes;
    this.#tally.bytes += bytes;
  }

  /** Went on. */
  take(bytes: number): void {
    if (this.#isClosed) return;
    this.#bytes -= bytes;
    this.#tally.bytes -= bytes;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#tally.bytes -= this.#bytes;
    this.#onClose();
  }
}
