/** What is looked for in answers, by what went out; what is kept of it, and for how long. */
import { describe, expect, test } from 'vitest';
import { inspect } from 'node:util';
import type { InjectedForm } from '../../src/inject/compose-request.ts';
import { Hidden } from '../../src/kernel/hidden.ts';
import { MaskBook } from '../../src/mask/mask-book.ts';
import type { ResponseMask } from '../../src/mask/mask-book.ts';
import { MaskStream } from '../../src/mask/mask-stream.ts';

const LONG = 'not-a-real-key-0123456789';

function form(value: string, more: Partial<InjectedForm> = {}): InjectedForm {
  const value_ = new Hidden(value);
  return { versionId: value, value: value_, basicUsername: null, maskResponses: true, ...more };
}

function masked(mask: ResponseMask | undefined, text: string): string {
  if (mask === undefined || mask.matcher === null) return text;
  const stream = new MaskStream(mask.matcher);
  return stream.push(Buffer.from(text)).toString() + stream.end().toString();
}

describe('what is looked for', () => {
  const book = new MaskBook({ publicPrefixes: ['', 'sk-', 'sk-ant-api03-'] });

  test('nothing where nothing went out', () => {
    expect(book.maskFor([])).toBeUndefined();
  });

  test.each([
    ['short', [form('0123456789abcde')]],
    ['disabled', [form(LONG, { maskResponses: false })]],
    ['disabled', [form('short', { maskResponses: false })]],
    ['short', [form('short'), form(LONG, { maskResponses: false })]],
    [null, [form('short'), form(LONG)]],
  ])('%s', (reason, injected) => {
    expect(book.maskFor(injected)?.reason).toBe(reason);
  });

  test('what is long enough and wanted, of several', () => {
    const open = 'shown-0123456789-shown';
    const mask = book.maskFor([form(LONG), form(open, { maskResponses: false }), form('short')]);
    expect(masked(mask, `${LONG} ${open} short`)).toBe(`${'*'.repeat(LONG.length)} ${open} short`);
  });

  test('the longest public prefix tells nothing', () => {
    const value = 'sk-ant-api03-0123456789abcdef';
    const mask = book.maskFor([form(value)]);
    expect(masked(mask, value.slice(0, 20))).toBe('sk-ant-api03-0123456');
    expect(masked(mask, value.slice(0, 21))).toBe('*'.repeat(21));
  });
});

describe('what is kept', () => {
  test('compiled once for a version, again for another and for another user name', () => {
    const book = new MaskBook({ publicPrefixes: [] });
    const first = book.maskFor([form(LONG)]);
    expect(book.maskFor([form(LONG)])).toBe(first);
    expect(book.maskFor([form(LONG, { versionId: 'next' })])).not.toBe(first);
    const named = book.maskFor([form(LONG, { basicUsername: 'a' })]);
    expect(named).not.toBe(first);
    expect(book.maskFor([form(LONG, { basicUsername: 'b' })])).not.toBe(named);
    expect(book.maskFor([form(LONG, { basicUsername: 'a' })])).toBe(named);
  });

  test('a user name cannot spell another set of versions', () => {
    const book = new MaskBook({ publicPrefixes: [] });
    const two = book.maskFor([form('a'.repeat(16)), form('b'.repeat(16))]);
    const name = `;${'b'.repeat(16)}`;
    const one = book.maskFor([form('a'.repeat(16), { basicUsername: name })]);
    expect(one).not.toBe(two);
  });

  test('I7: within what it may take, the least recently used leaves first', () => {
    const bytesMax = 20_000;
    const book = new MaskBook({ publicPrefixes: [], bytesMax });
    const first = book.maskFor([form(`${LONG}-first`)]);
    for (let i = 0; i < 100; i += 1) {
      book.maskFor([form(`${LONG}-${i}`)]);
      expect(book.maskFor([form(`${LONG}-first`)])).toBe(first);
      expect(book.bytes).toBeLessThan(bytesMax);
    }
    const last = book.maskFor([form(`${LONG}-99`)]);
    const gone = book.maskFor([form(`${LONG}-0`)]);
    expect(book.maskFor([form(`${LONG}-99`)])).toBe(last);
    expect(book.maskFor([form(`${LONG}-0`)])).toBe(gone);
    // One that is larger than everything is kept alone.
    const large = book.maskFor([form('+'.repeat(4_000))]);
    expect(book.maskFor([form('+'.repeat(4_000))])).toBe(large);
    expect(book.maskFor([form(`${LONG}-first`)])).not.toBe(first);
    expect(book.bytes).toBeLessThan(bytesMax);
  });

  test('I3: it prints nothing of a value', () => {
    const book = new MaskBook({ publicPrefixes: [] });
    const mask = book.maskFor([form(LONG, { versionId: 'v1' })]);
    const printed = inspect([book, mask], { depth: 20, showHidden: true }) + JSON.stringify(mask);
    expect(printed).not.toContain(LONG.slice(0, 8));
  });
});
