/**
 * The client's body as an origin connection reads it. It stands between the two so that the end of one
 * never destroys the other: a client that is still sending must get the early answer, and a second
 * attempt must find the body where the first left it. Backpressure passes through; nothing is buffered,
 * except what may have to be sent again, up to a fixed bound.
 */
import { EventEmitter } from 'node:events';
import type { Readable } from 'node:stream';
import { FIXED } from '../kernel/limits.ts';

/** The source ended without saying so: the client went away. */
class BodyAborted extends Error {
  override readonly name = 'BodyAborted';
  readonly code = 'SALLYPORT_BODY_ABORTED';
}

export class RequestBody {
  readonly #source: Readable;
  #kept: Buffer[] | null;
  #keptBytes = 0;
  #isRead = false;
  #isEnded = false;

  /** `isKept`: keep what is read, for a second attempt. */
  constructor(source: Readable, isKept: boolean) {
    this.#source = source;
    this.#kept = isKept ? [] : null;
    source.on('error', ignoreError);
  }

  get isUnread(): boolean {
    return !this.#isRead;
  }

  /** Nothing was read, or all that was read can be sent again. */
  get canRestart(): boolean {
    return !this.#isRead || this.#kept !== null;
  }

  openStream(): BodyStream {
    return new BodyStream(this.#source, this.#kept ?? [], this.#isEnded, {
      onChunk: (chunk) => this.#onChunk(chunk),
      onEnd: () => {
        this.#isEnded = true;
      },
    });
  }

  /** The origin has begun to answer: nothing will be sent again. */
  letGo(): void {
    this.#kept = null;
  }

  #onChunk(chunk: Buffer): void {
    this.#isRead = true;
    if (this.#kept === null) return;
    this.#keptBytes += chunk.length;
    if (this.#keptBytes <= FIXED.replayBodyBytesMax) this.#kept.push(chunk);
    else this.#kept = null;
  }
}

interface BodyWatch {
  readonly onChunk: (chunk: Buffer) => void;
  readonly onEnd: () => void;
}

/** As much of a Readable as undici and `node:http` use, without its buffer. */
export class BodyStream extends EventEmitter {
  readonly #source: Readable;
  readonly #watch: BodyWatch;
  readonly #replay: readonly Buffer[];
  readonly #isSourceEnded: boolean;
  #replayed = 0;
  #isAttached = false;
  #isPaused = false;
  #isDone = false;
  destroyed = false;

  constructor(
    source: Readable,
    replay: readonly Buffer[],
    isSourceEnded: boolean,
    watch: BodyWatch,
  ) {
    super();
    this.#source = source;
    this.#replay = [...replay];
    this.#isSourceEnded = isSourceEnded;
    this.#watch = watch;
  }

  /** Only there because undici recognizes a stream by it. */
  pipe(): never {
    throw new Error('a request body is read by events');
  }

  pause(): this {
    this.#isPaused = true;
    if (this.#isAttached) this.#source.pause();
    return this;
  }

  resume(): this {
    this.#isPaused = false;
    if (this.#isAttached) this.#source.resume();
    else queueMicrotask(this.#begin);
    return this;
  }

  /** Stops reading; the source is left paused, for its owner to drain or to close. */
  destroy(error?: Error): this {
    if (this.destroyed) return this;
    this.destroyed = true;
    this.#detach();
    if (error !== undefined) this.emit('error', error);
    return this;
  }

  readonly #begin = (): void => {
    while (!this.#isPaused && !this.destroyed && this.#replayed < this.#replay.length) {
      this.emit('data', this.#replay[this.#replayed++]);
    }
    if (this.#isPaused || this.destroyed || this.#isAttached || this.#isDone) return;
    if (this.#isSourceEnded) this.#finish();
    else this.#attach();
  };

  #attach(): void {
    const source = this.#source;
    if (source.destroyed || source.readableEnded) {
      this.#onClose();
      return;
    }
    this.#isAttached = true;
    source.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose);
    source.resume();
  }

  #detach(): void {
    if (!this.#isAttached) return;
    this.#isAttached = false;
    const source = this.#source;
    source.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose);
    if (!source.destroyed) source.pause();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#watch.onChunk(chunk);
    this.emit('data', chunk);
  };

  readonly #onEnd = (): void => {
    this.#watch.onEnd();
    this.#finish();
  };

  #finish(): void {
    this.#isDone = true;
    this.#detach();
    this.emit('end');
  }

  readonly #onClose = (): void => {
    this.destroy(new BodyAborted('the request body ended early'));
  };
}

function ignoreError(): void {
  // 'close' follows and is acted upon.
}
