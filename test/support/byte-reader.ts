/**
 * Reads a stream as a byte sequence: until a text, exactly N, to the end. Keeps every byte it ever saw
 * (`transcript`), for canary searches. Rejects after a timeout, so that a hang is a named failure.
 */
import type { Duplex } from 'node:stream';

const WAIT_MS = 10_000;

export class ByteReader {
  /** Every byte received, consumed or not. */
  readonly transcript: Buffer[] = [];
  #chunks: Buffer[] = [];
  #length = 0;
  #ended = false;
  #error: Error | undefined;
  readonly #wakers = new Set<() => void>();

  constructor(stream: Duplex) {
    stream.on('data', (chunk: Buffer) => {
      this.transcript.push(chunk);
      this.#chunks.push(chunk);
      this.#length += chunk.length;
      this.#wake();
    });
    stream.on('end', () => this.#finish());
    stream.on('close', () => this.#finish());
    stream.on('error', (error: Error) => {
      this.#error = error;
      this.#finish();
    });
  }

  /** No more bytes will come. */
  get ended(): boolean {
    return this.#ended;
  }

  /** How the stream broke, if it did. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Bytes received and not consumed. */
  get pending(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  /** Consumes up to and including `text`; rejects when the stream ends before it. */
  async readUntil(text: string, timeoutMs = WAIT_MS): Promise<Buffer> {
    const found = (): boolean => this.pending.includes(text, 0, 'latin1');
    await this.#until(found, `the text ${JSON.stringify(text)}`, timeoutMs);
    return this.#take(this.pending.indexOf(text, 0, 'latin1') + text.length);
  }

  async readExactly(count: number, timeoutMs = WAIT_MS): Promise<Buffer> {
    await this.#until(() => this.#length >= count, `${count} bytes`, timeoutMs);
    return this.#take(count);
  }

  /** Consumes everything until the stream ends or breaks. */
  async readToEnd(timeoutMs = WAIT_MS): Promise<Buffer> {
    await this.waitForEnd(timeoutMs);
    return this.#take(this.#length);
  }

  /** Resolves when the stream ended or broke; rejects when it is still open after `timeoutMs`. */
  async waitForEnd(timeoutMs = WAIT_MS): Promise<void> {
    await this.#until(() => this.#ended, 'the end of the stream', timeoutMs);
  }

  #take(count: number): Buffer {
    const all = this.pending;
    this.#chunks = count < all.length ? [all.subarray(count)] : [];
    this.#length = all.length - count;
    return all.subarray(0, count);
  }

  async #until(isMet: () => boolean, what: string, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!isMet()) {
      if (this.#ended) throw new Error(`the stream ended before ${what}`, { cause: this.#error });
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw new Error(`waited ${timeoutMs} ms for ${what}`);
      await this.#changed(leftMs);
    }
  }

  #changed(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#wakers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, waitMs);
      this.#wakers.add(wake);
    });
  }

  #finish(): void {
    this.#ended = true;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#wakers) wake();
  }
}
