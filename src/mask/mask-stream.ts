/**
 * Replaces injected values in a body by as many `*`, chunk after chunk in one pass (spec section 8).
 * A running match is kept across chunks. Nothing of it is held back until half of the secret part has
 * matched; from there what has not been sent yet waits until the match completes (masked), fails
 * (sent) or the body ends (masked). So the second half of a secret part never leaves, a message that
 * does not end inside such a match leaves at once, and lengths stay as they are.
 *
 * No oracle: what is masked and what is delayed tells a sandbox only whether half of the secret part or
 * more was right at once, never whether one more character of a guess was.
 */
import type { FormMatcher } from './form-matcher.ts';

const STAR = 0x2a;
const NOTHING = Buffer.alloc(0);

export class MaskStream {
  readonly #matcher: FormMatcher;
  #state = 0;
  /** Received and not sent, masks already on it. Our own copy. */
  #held = NOTHING;
  /** What was masked last, from the start of the current chunk: one unbroken stretch. */
  #maskedFrom = 0;
  #maskedTo = 0;

  constructor(matcher: FormMatcher) {
    this.#matcher = matcher;
  }

  /** What may be sent now: the chunk itself where nothing concerns it, which is nearly always. */
  push(chunk: Buffer): Buffer {
    const shown = this.#match(chunk);
    const cut = this.#heldFrom(chunk.length);
    this.#maskedFrom -= chunk.length;
    this.#maskedTo -= chunk.length;
    if (this.#held.length === 0 && cut === chunk.length) return shown;
    return this.#release(shown, cut);
  }

  /** What is left when the body ends. */
  end(): Buffer {
    const rest = this.#held.fill(STAR);
    this.#held = NOTHING;
    return rest;
  }

  /** Runs the chunk through the automaton, past what the probe rules out. Copies before it masks. */
  #match(chunk: Buffer): Buffer {
    const { automaton, probe } = this.#matcher;
    const { length } = chunk;
    let shown = chunk;
    let state = this.#state;
    let at = 0;
    // Up to here every byte is looked at.
    let until = probe === undefined ? length : 0;
    while (at < length) {
      const depth = automaton.depth(state);
      if (probe !== undefined && at >= until && depth <= at && depth < probe.shortestPast) {
        // Every running match began in this chunk and still has its stretch to come.
        const found = probe.find(chunk, Math.max(0, at - probe.length + 1));
        const next = (found < 0 ? length - probe.length + 1 : found) - probe.furthest;
        until = found < 0 ? length : found + probe.length;
        if (next > at) {
          at = next;
          state = 0;
        }
      }
      state = automaton.step(state, chunk[at] ?? 0);
      at += 1;
      const covered = automaton.covered(state);
      if (covered > 0) {
        if (shown === chunk) shown = Buffer.from(chunk);
        this.#mask(shown, at - covered, at);
      }
    }
    this.#state = state;
    return shown;
  }

  /** From `from` to `to` of the chunk; below 0 is what is held, and before that what was sent. */
  #mask(shown: Buffer, from: number, to: number): void {
    // A match that overlaps the one before adds only its end.
    const isMore = from >= this.#maskedFrom && from <= this.#maskedTo;
    const fresh = isMore ? this.#maskedTo : from;
    if (!isMore) this.#maskedFrom = from;
    this.#maskedTo = to;
    if (fresh < 0) this.#held.fill(STAR, Math.max(0, this.#held.length + fresh));
    if (to - fresh === 1) shown[fresh] = STAR;
    else shown.fill(STAR, Math.max(0, fresh), to);
  }

  /** Where in the chunk (or, below 0, in what is held) that begins which must wait. */
  #heldFrom(length: number): number {
    const running = this.#matcher.automaton.held(this.#state);
    const from = Math.max(length - running, -this.#held.length);
    // What is masked already need not wait for another match.
    return this.#maskedFrom <= from && this.#maskedTo > from ? this.#maskedTo : from;
  }

  #release(shown: Buffer, cut: number): Buffer {
    const held = this.#held;
    if (cut <= 0) {
      const sent = held.length + cut;
      this.#held = Buffer.concat([held.subarray(sent), shown]);
      return held.subarray(0, sent);
    }
    // A copy: a few held bytes must not keep a whole chunk in memory.
    this.#held = Buffer.from(shown.subarray(cut));
    const sent = shown.subarray(0, cut);
    return held.length === 0 ? sent : Buffer.concat([held, sent]);
  }
}
