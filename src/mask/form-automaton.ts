/**
 * All spellings of all values of one exchange as one automaton (Aho and Corasick, CACM 1975): one step a
 * byte tells the longest running match, whatever overlaps with whatever. Compiled once, never changed,
 * shared by exchanges. Its cells hold the values: nothing prints them, no message carries any of it.
 */
import type { ValueForm } from './value-form.ts';

/** Cells of a state. A state is the number of its first cell divided by STRIDE; 0 is the root. */
const CHILD = 0;
const SIBLING = 1;
const FAIL = 2;
const DEPTH = 3;
const HELD = 4;
const COVERED = 5;
const BYTE = 6;
const STRIDE = 8;

export class FormAutomaton {
  /** No shorter text can hold half of a secret part. */
  readonly shortestHeld: number;
  readonly #cells: Int32Array;
  /** The step from the root by byte: nearly every byte of a text is looked at there. */
  readonly #fromRoot: Int32Array;

  /** `forms`: at least one. */
  constructor(forms: readonly ValueForm[]) {
    this.shortestHeld = Math.min(...forms.map(({ halfBytes }) => halfBytes));
    this.#cells = compileCells(forms);
    this.#fromRoot = childrenOfRoot(this.#cells);
  }

  /** What it takes in memory. */
  get bytes(): number {
    return this.#cells.byteLength + this.#fromRoot.byteLength;
  }

  /** The state after one more byte. */
  step(state: number, byte: number): number {
    const cells = this.#cells;
    let from = state;
    while (from !== 0) {
      let next = cells[from * STRIDE + CHILD] ?? 0;
      while (next !== 0) {
        if (cells[next * STRIDE + BYTE] === byte) return next;
        next = cells[next * STRIDE + SIBLING] ?? 0;
      }
      from = cells[from * STRIDE + FAIL] ?? 0;
    }
    return this.#fromRoot[byte] ?? 0;
  }

  /** How many bytes back the longest running match began. */
  depth(state: number): number {
    return this.#cells[state * STRIDE + DEPTH] ?? 0;
  }

  /** Length of the longest running match that has at least half of a secret part and is not complete. */
  held(state: number): number {
    return this.#cells[state * STRIDE + HELD] ?? 0;
  }

  /** Length of the longest form that ends here, 0 when none does. */
  covered(state: number): number {
    return this.#cells[state * STRIDE + COVERED] ?? 0;
  }
}

function childrenOfRoot(cells: Int32Array): Int32Array {
  const children = new Int32Array(256);
  let next = cells[CHILD] ?? 0;
  while (next !== 0) {
    children[cells[next * STRIDE + BYTE] ?? 0] = next;
    next = cells[next * STRIDE + SIBLING] ?? 0;
  }
  return children;
}

function compileCells(forms: readonly ValueForm[]): Int32Array {
  const total = forms.reduce((sum, { bytes }) => sum + bytes.length, 1);
  const cells = new Int32Array(total * STRIDE);
  let states = 1;
  for (const form of forms) states = addForm(cells, states, form);
  linkFailures(cells, states);
  return cells.slice(0, states * STRIDE);
}

/** Returns how many states there are now. */
function addForm(cells: Int32Array, known: number, form: ValueForm): number {
  let states = known;
  let at = 0;
  const { bytes, halfBytes } = form;
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] ?? 0;
    let next = cells[at * STRIDE + CHILD] ?? 0;
    while (next !== 0 && cells[next * STRIDE + BYTE] !== byte) {
      next = cells[next * STRIDE + SIBLING] ?? 0;
    }
    if (next === 0) {
      next = states;
      states += 1;
      cells[next * STRIDE + BYTE] = byte;
      cells[next * STRIDE + DEPTH] = index + 1;
      cells[next * STRIDE + SIBLING] = cells[at * STRIDE + CHILD] ?? 0;
      cells[at * STRIDE + CHILD] = next;
    }
    if (index + 1 === bytes.length) cells[next * STRIDE + COVERED] = bytes.length;
    else if (index + 1 >= halfBytes) cells[next * STRIDE + HELD] = index + 1;
    at = next;
  }
  return states;
}

/** In order of depth, so that what a state falls back to is finished before it. */
function linkFailures(cells: Int32Array, states: number): void {
  const queue = new Int32Array(states);
  let queued = 1;
  for (let taken = 0; taken < queued; taken += 1) {
    const state = queue[taken] ?? 0;
    let child = cells[state * STRIDE + CHILD] ?? 0;
    while (child !== 0) {
      queue[queued] = child;
      queued += 1;
      const fail = state === 0 ? 0 : failureOf(cells, state, cells[child * STRIDE + BYTE] ?? 0);
      cells[child * STRIDE + FAIL] = fail;
      for (const cell of [HELD, COVERED]) {
        if (cells[child * STRIDE + cell] === 0) {
          cells[child * STRIDE + cell] = cells[fail * STRIDE + cell] ?? 0;
        }
      }
      child = cells[child * STRIDE + SIBLING] ?? 0;
    }
  }
}

/** The longest proper suffix of `state` that can go on with `byte`, after that byte. */
function failureOf(cells: Int32Array, state: number, byte: number): number {
  let from = cells[state * STRIDE + FAIL] ?? 0;
  for (;;) {
    let next = cells[from * STRIDE + CHILD] ?? 0;
    while (next !== 0 && cells[next * STRIDE + BYTE] !== byte) {
      next = cells[next * STRIDE + SIBLING] ?? 0;
    }
    if (next !== 0) return next;
    if (from === 0) return 0;
    from = cells[from * STRIDE + FAIL] ?? 0;
  }
}
