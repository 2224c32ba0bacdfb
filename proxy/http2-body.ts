/**
 * The request body of one HTTP/2 stream. A Readable of its own: whoever reads it may pause, leave or
 * destroy it without ending the stream, on which the response still travels. Ends when the client ended
 * it; closes without an end when the stream broke. Backpressure is the stream's window.
 */
import type { ServerHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';

export class Http2Body extends Readable {
  /** Bytes received. */
  bytes = 0;
  readonly #stream: ServerHttp2Stream;
  readonly #onProgress: () => void;
  #isAttached = false;
  #isComplete = false;
  #isDiscarding = false;

  /** `onProgress`: a chunk came, or the end. */
  constructor(stream: ServerHttp2Stream, onProgress: () => void) {
    super({ autoDestroy: false });
    this.#stream = stream;
    this.#onProgress = onProgress;
    if (stream.destroyed || stream.closed) this.destroy();
    stream.once('close', () => {
      if (!this.#isComplete) this.destroy();
    });
  }

  /** All of it was received. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** The client could send, and nobody takes it. */
  get isHeldBack(): boolean {
    return !this.#isAttached || this.#stream.isPaused();
  }

  /** Nobody wants the rest; `onChunk` after each piece that is thrown away. */
  discard(onChunk: () => void): void {
    this.#isDiscarding = true;
    this.#stream.on('data', onChunk);
    this.#attach();
    this.#stream.resume();
  }

  override _read(): void {
    this.#attach();
    this.#stream.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // The stream carries the response: it is not ours to end.
    done(error);
  }

  #attach(): void {
    if (this.#isAttached) return;
    this.#isAttached = true;
    this.#stream.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
      this.#onProgress();
      if (this.#isDiscarding || this.destroyed) return;
      if (!this.push(chunk)) this.#stream.pause();
    });
    this.#stream.once('end', () => {
      // Of a stream that was reset Node ends the readable side as well.
      if (this.#stream.aborted || this.#stream.rstCode !== 0) return;
      this.#isComplete = true;
      this.#onProgress();
      this.push(null);
    });
  }
}
