/**
 * Revocation lists (CRL, RFC 5280 section 5) of `egress.host_crl`: files in PEM form that somebody else keeps
 * current. Looked at every few seconds at most and read again when they change; a file that cannot be read
 * later on leaves the last list in force, which ends by its own `nextUpdate`. Never asks the network.
 */
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Clock } from '../kernel/clock.ts';
import { StartError } from '../kernel/errors.ts';
import { FIXED } from '../kernel/limits.ts';

/** One reading of the files. */
export interface Revocations {
  /** Grows with each change. */
  readonly revision: number;
  readonly pems: readonly string[];
}

export class RevocationList {
  readonly #files: readonly string[];
  readonly #clock: Clock;
  #checkedMs: number;
  #stamp: string;
  #current: Revocations;

  /** Throws StartError when a file cannot be read as a list. */
  constructor(files: readonly string[], clock: Clock) {
    this.#files = files;
    this.#clock = clock;
    this.#checkedMs = clock.monotonicMs();
    this.#stamp = readStamp(files);
    this.#current = { revision: 1, pems: files.map(readList) };
  }

  get current(): Revocations {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#checkedMs < FIXED.revocationCheckMs) return this.#current;
    this.#checkedMs = nowMs;
    const stamp = readStamp(this.#files);
    if (stamp !== this.#stamp) this.#readAgain(stamp);
    return this.#current;
  }

  #readAgain(stamp: string): void {
    try {
      const pems = this.#files.map(readList);
      this.#current = { revision: this.#current.revision + 1, pems };
      this.#stamp = stamp;
    } catch (error) {
      // Half-written or gone: looked at again the next time.
      if (!(error instanceof StartError)) throw error;
    }
  }
}

function readStamp(files: readonly string[]): string {
  return files
    .map((file) => {
      const stat = statSync(file, { throwIfNoEntry: false });
      return `${stat?.mtimeMs ?? 0}:${stat?.size ?? 0}`;
    })
    .join();
}

function readList(file: string): string {
  try {
    const pem = readFileSync(file, 'utf8');
    createSecureContext({ crl: pem });
    return pem;
  } catch (error) {
    throw new StartError(
      `${file} of egress.host_crl cannot be read as a revocation list.`,
      'Give a readable file in PEM form (-----BEGIN X509 CRL-----).',
      { cause: error },
    );
  }
}
