/**
 * Masks values in field lines and in the reason phrase: each name and value is a body of its own that is
 * there whole. Text is one character an octet, as heads are read. Returns what it was given when there is
 * nothing to mask, after one pass over all of it.
 */
import type { FormMatcher } from './form-matcher.ts';
import { MaskStream } from './mask-stream.ts';

/** Flat name, value array in; the same array, or a copy with masked texts. */
export function maskedFields(matcher: FormMatcher, fields: readonly string[]): readonly string[] {
  for (const text of fields) {
    if (isConcerned(matcher, text)) return fields.map((one) => maskedText(matcher, one));
  }
  return fields;
}

export function maskedText(matcher: FormMatcher, text: string): string {
  if (!isConcerned(matcher, text)) return text;
  const stream = new MaskStream(matcher);
  const begin = stream.push(Buffer.from(text, 'latin1'));
  return begin.toString('latin1') + stream.end().toString('latin1');
}

/** A value is in it, or its end is half of one. */
function isConcerned({ automaton }: FormMatcher, text: string): boolean {
  if (text.length < automaton.shortestHeld) return false;
  let state = 0;
  for (let index = 0; index < text.length; index += 1) {
    state = automaton.step(state, text.charCodeAt(index));
    if (automaton.covered(state) > 0) return true;
  }
  return automaton.held(state) > 0;
}
