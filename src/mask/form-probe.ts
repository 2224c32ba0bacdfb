/**
 * Finds the places where a form may be without looking at every byte (Wu and Manber, TR-94-17): of each form
 * one stretch of its secret part, all of one length, and a table that tells from four bytes how far the
 * next candidate must be. It never misses a stretch; what it finds the automaton looks at closely.
 *
 * Only the secret part is looked for, and four bytes of it at a time: a text made of guesses at the next
 * single character behind a public prefix takes no longer than any other text.
 */
import type { ValueForm } from './value-form.ts';

const GRAM = 4;
const STRETCH_MIN = 8;
const STRETCH_MAX = 48;
const SHIFT_MAX = 255;

export class FormProbe {
  /** A running match shorter than this has not gone past its stretch. */
  readonly shortestPast: number;
  /** The furthest that a stretch is from the start of its form. */
  readonly furthest: number;
  readonly length: number;
  readonly #shifts: Uint8Array;
  readonly #bits: number;
  readonly #stretches: readonly Buffer[];

  private constructor(stretches: readonly Buffer[], starts: readonly number[], length: number) {
    this.length = length;
    this.furthest = Math.max(...starts);
    this.shortestPast = Math.min(...starts) + length;
    this.#stretches = stretches;
    const grams = stretches.length * (length - GRAM + 1);
    this.#bits = Math.min(16, Math.max(8, Math.ceil(Math.log2(grams * 8))));
    this.#shifts = shiftsOf(stretches, length, this.#bits);
  }

  /** `undefined` when a secret part is too short to skip anything. */
  static of(forms: readonly ValueForm[]): FormProbe | undefined {
    const length = forms.reduce(
      (least, { bytes, publicBytes }) => Math.min(least, bytes.length - publicBytes),
      STRETCH_MAX,
    );
    if (length < STRETCH_MIN) return undefined;
    const stretches = new Map<string, Buffer>();
    for (const { bytes, publicBytes } of forms) {
      const stretch = bytes.subarray(publicBytes, publicBytes + length);
      stretches.set(stretch.toString('latin1'), stretch);
    }
    const starts = forms.map(({ publicBytes }) => publicBytes);
    return new FormProbe([...stretches.values()], starts, length);
  }

  /** What it takes in memory. */
  get bytes(): number {
    return this.#shifts.byteLength + this.#stretches.length * this.length;
  }

  /** Where the first stretch at or after `from` begins, -1 when there is none up to the end. */
  find(text: Buffer, from: number): number {
    const shifts = this.#shifts;
    const drop = 32 - this.#bits;
    const view = new DataView(text.buffer, text.byteOffset, text.length);
    const end = text.length - GRAM;
    let at = from + this.length - GRAM;
    while (at <= end) {
      const shift = shifts[Math.imul(view.getInt32(at), SPREAD) >>> drop] ?? 0;
      if (shift > 0) {
        at += shift;
        continue;
      }
      const start = at + GRAM - this.length;
      if (this.#isAt(text, start)) return start;
      at += 1;
    }
    return -1;
  }

  #isAt(text: Buffer, start: number): boolean {
    for (const stretch of this.#stretches) {
      if (stretch.compare(text, start, start + this.length) === 0) return true;
    }
    return false;
  }
}

/** An odd number near 2^32 divided by the golden ratio (Knuth, TAOCP 6.4). */
const SPREAD = 0x9e3779b1;

function shiftsOf(stretches: readonly Buffer[], length: number, bits: number): Uint8Array {
  const shifts = new Uint8Array(2 ** bits).fill(Math.min(SHIFT_MAX, length - GRAM + 1));
  for (const stretch of stretches) {
    for (let last = GRAM - 1; last < length; last += 1) {
      const gram = stretch.readInt32BE(last - GRAM + 1);
      const slot = Math.imul(gram, SPREAD) >>> (32 - bits);
      shifts[slot] = Math.min(shifts[slot] ?? 0, length - 1 - last);
    }
  }
  return shifts;
}
