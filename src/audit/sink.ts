/**
 * `audit.sink`: the trail once more as NDJSON, on standard output or in a file (0600, appended to). A
 * reader that does not keep up costs lines of the sink, counted in the log, never memory and never a row
 * of the trail.
 */
import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import type { Logger } from '../kernel/logger.ts';
import type { AuditEvent } from './event.ts';
import { eventRecord } from './event-record.ts';

export interface AuditSink {
  /** Never throws, never waits. */
  write(events: readonly AuditEvent[]): void;
  /** Resolves when what was written is handed to the operating system. */
  close(): Promise<void>;
}

/** Bytes waiting for a slow reader before lines are left out. */
const BUFFERED_BYTES_MAX = 16 * 1024 * 1024;

/** A sink on a stream that outlives it, such as standard output. */
export function createStreamSink(stream: Writable, logger: Logger): AuditSink {
  return new NdjsonSink(stream, logger, async () => {
    await new Promise<void>((resolve) => {
      if (stream.destroyed || stream.writableLength === 0) resolve();
      else stream.write('', () => resolve());
    });
  });
}

/** A sink that appends to `file`. A file that cannot be written is logged, once. */
export function createFileSink(file: string, logger: Logger): AuditSink {
  const stream = createWriteStream(file, { flags: 'a', mode: 0o600 });
  return new NdjsonSink(stream, logger, async () => {
    await new Promise<void>((resolve) => {
      stream.once('close', () => resolve());
      if (stream.destroyed) resolve();
      else stream.end();
    });
  });
}

class NdjsonSink implements AuditSink {
  readonly #stream: Writable;
  readonly #logger: Logger;
  readonly #onClose: () => Promise<void>;
  #lost = 0;

  constructor(stream: Writable, logger: Logger, onClose: () => Promise<void>) {
    this.#stream = stream;
    this.#logger = logger;
    this.#onClose = onClose;
    stream.on('error', (error) => logger.error({ err: error }, 'the audit sink failed'));
  }

  write(events: readonly AuditEvent[]): void {
    if (this.#stream.destroyed || this.#stream.writableLength > BUFFERED_BYTES_MAX) {
      if (this.#lost === 0) {
        this.#logger.error({}, 'the audit sink does not keep up: lines are left out of it');
      }
      this.#lost += events.length;
      return;
    }
    if (this.#lost > 0) {
      this.#logger.warn({ lost: this.#lost }, 'the audit sink keeps up again');
      this.#lost = 0;
    }
    this.#stream.write(events.map((event) => `${JSON.stringify(eventRecord(event))}\n`).join(''));
  }

  close(): Promise<void> {
    return this.#onClose();
  }
}
