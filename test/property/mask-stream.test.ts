/**
 * Masking against a naive reading of the whole text: random values (alphabets of two letters among them, so
 * that they overlap themselves and each other), random texts with values and pieces of values in them,
 * cut into chunks at random.
 */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileForms } from '../../src/mask/form-matcher.ts';
import { maskedText } from '../../src/mask/masked-text.ts';
import { MaskStream } from '../../src/mask/mask-stream.ts';
import { formsOf, usernameTail } from '../../src/mask/value-form.ts';
import type { ValueForm } from '../../src/mask/value-form.ts';

const STAR = 0x2a;
const PREFIX = 'sk-';

const value = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 16, maxLength: 24 }),
  fc.string({ unit: fc.constantFrom('a'), minLength: 16, maxLength: 20 }),
  fc.string({ unit: 'grapheme-ascii', minLength: 16, maxLength: 40 }),
  fc.string({
    unit: fc.constantFrom('/', '+', '=', '"', '\\', ' ', '<', '&', 'é', '€', '😀', 'x'),
    minLength: 16,
    maxLength: 20,
  }),
  fc.base64String({ minLength: 20, maxLength: 60 }),
  fc
    .string({ unit: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), minLength: 14, maxLength: 30 })
    .map((text) => PREFIX + text),
);

const around = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 12 });

interface Planted {
  readonly forms: readonly ValueForm[];
  readonly text: Buffer;
  /** Lengths of chunks; the rest is the last one. */
  readonly cuts: readonly number[];
}

const planted: fc.Arbitrary<Planted> = fc
  .record({
    values: fc.oneof(
      fc.array(value, { minLength: 1, maxLength: 3 }),
      // One inside another.
      fc
        .tuple(value, around, around)
        .map(([inner, before, after]) => [inner, before + inner + after]),
    ),
    username: fc.option(fc.string({ unit: 'grapheme-ascii', maxLength: 4 })),
  })
  .chain(({ values, username }) => {
    const all = values.flatMap((one) =>
      formsOf({
        value: one,
        publicPrefix: one.startsWith(PREFIX) ? PREFIX : '',
        basicUser: username === null ? null : usernameTail(username),
      }),
    );
    const piece = fc.oneof(
      fc.constantFrom(...all).map(({ bytes }) => bytes),
      fc
        .tuple(fc.constantFrom(...all), fc.nat({ max: 20 }))
        .map(([{ bytes }, missing]) => bytes.subarray(0, Math.max(0, bytes.length - missing))),
      fc
        .tuple(fc.constantFrom(...all), fc.nat({ max: 60 }), fc.nat({ max: 60 }))
        .map(([{ bytes }, from, length]) =>
          bytes.subarray(from % bytes.length).subarray(0, length),
        ),
      fc
        .string({ unit: fc.constantFrom('a', 'b', '*', '\n'), maxLength: 30 })
        .map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    );
    return fc.record({
      forms: fc.constant(all),
      text: fc.array(piece, { maxLength: 8 }).map((pieces) => Buffer.concat(pieces)),
      cuts: fc.array(fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 80 })), {
        maxLength: 60,
      }),
    });
  });

interface Sent {
  /** All that left. */
  readonly text: Buffer;
  /** How much was received and how much had left after each chunk. */
  readonly progress: readonly { readonly received: number; readonly sent: number }[];
}

function stream({ forms, text, cuts }: Planted): Sent {
  const masking = new MaskStream(compileForms(forms));
  const parts: Buffer[] = [];
  const progress: { received: number; sent: number }[] = [];
  let received = 0;
  let sent = 0;
  for (const cut of [...cuts, text.length]) {
    // A copy, so that the text given is seen to be left alone, and what left to stay as it left.
    const part = Buffer.from(masking.push(text.subarray(received, received + cut)));
    parts.push(part);
    received = Math.min(text.length, received + cut);
    sent += part.length;
    progress.push({ received, sent });
  }
  parts.push(Buffer.from(masking.end()));
  return { text: Buffer.concat(parts), progress };
}

/** Where a form ends at `end`. */
function endsAt(text: Buffer, end: number, form: Buffer): boolean {
  return end >= form.length && text.subarray(end - form.length, end).equals(form);
}

interface Range {
  readonly from: number;
  readonly half: number;
  readonly to: number;
}

/** Every occurrence of every form, overlapping ones too. */
function occurrences(text: Buffer, forms: readonly ValueForm[]): Range[] {
  const found: Range[] = [];
  for (let end = 1; end <= text.length; end += 1) {
    for (const { bytes, halfBytes } of forms) {
      if (!endsAt(text, end, bytes)) continue;
      const from = end - bytes.length;
      found.push({ from, half: from + halfBytes, to: end });
    }
  }
  return found;
}

/** Running matches at the end of the text that have half of a secret part. */
function running(text: Buffer, forms: readonly ValueForm[]): Range[] {
  const found: Range[] = [];
  for (const { bytes, halfBytes } of forms) {
    for (let length = halfBytes; length < bytes.length; length += 1) {
      if (!endsAt(text, text.length, bytes.subarray(0, length))) continue;
      const from = text.length - length;
      found.push({ from, half: from + halfBytes, to: text.length });
    }
  }
  return found;
}

/** The reference: all of it seen at once. */
function maskWhole(text: Buffer, forms: readonly ValueForm[]): Buffer {
  const masked = Buffer.from(text);
  for (const { from, to } of [...occurrences(text, forms), ...running(text, forms)]) {
    masked.fill(STAR, from, to);
  }
  return masked;
}

describe('I3: masking', () => {
  test('in one chunk it does what the naive reading does', () => {
    fc.assert(
      fc.property(planted, (plan) => {
        expect(stream({ ...plan, cuts: [] }).text.toString('hex')).toBe(
          maskWhole(plan.text, plan.forms).toString('hex'),
        );
      }),
      { numRuns: 400 },
    );
  });

  test('however it is cut, the second half of a secret part never leaves, and nothing else is touched', () => {
    fc.assert(
      fc.property(planted, (plan) => {
        const sent = stream(plan).text;
        expect(sent.length).toBe(plan.text.length);
        const hidden = [...occurrences(plan.text, plan.forms), ...running(plan.text, plan.forms)];
        for (const { half, to } of hidden) {
          expect(sent.subarray(half, to).every((byte) => byte === STAR)).toBe(true);
        }
        const whole = maskWhole(plan.text, plan.forms);
        // Where it differs from what came, it is masked, and rightly so.
        const wrong = [...sent.entries()].filter(
          ([at, byte]) => byte !== plan.text[at] && !(byte === STAR && whole[at] === STAR),
        );
        expect(wrong).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });

  test('only a match that has half of a secret part is waited for, and nothing before it', () => {
    fc.assert(
      fc.property(planted, (plan) => {
        for (const { received, sent } of stream(plan).progress) {
          const soFar = plan.text.subarray(0, received);
          const held = running(soFar, plan.forms).map(({ from }) => from);
          expect(sent).toBeGreaterThanOrEqual(Math.min(received, ...held));
        }
      }),
      { numRuns: 400 },
    );
  });

  test('a text of a head is masked as a body of its own', () => {
    fc.assert(
      fc.property(planted, ({ forms, text }) => {
        expect(maskedText(compileForms(forms), text.toString('latin1'))).toBe(
          maskWhole(text, forms).toString('latin1'),
        );
      }),
      { numRuns: 200 },
    );
  });
});
