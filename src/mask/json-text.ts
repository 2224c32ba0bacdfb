/**
 * A text as it stands inside a JSON string (RFC 8259 section 7): escaped the ways common writers do. Pure.
 * Every way works character by character, so the encoding of a part is a part of the encoding.
 */
import type { TextWriter } from './percent-text.ts';

interface JsonWay {
  /** What does not stay as it is, by UTF-16 units. */
  readonly changed: RegExp;
  readonly digits: 'lower' | 'upper';
  /** The quotation mark is `\u0022` as well. */
  readonly isTerse?: boolean;
}

const WAYS: readonly JsonWay[] = [
  // JSON.stringify; C, Rust and Java libraries.
  { changed: /["\\\0-\x1f]/g, digits: 'lower' },
  // PHP without flags: the slash too, and everything beyond ASCII.
  { changed: /["\\/\0-\x1f\u0080-\uffff]/g, digits: 'lower' },
  { changed: /["\\/\0-\x1f]/g, digits: 'lower' },
  // Python's ensure_ascii.
  { changed: /["\\\0-\x1f\u0080-\uffff]/g, digits: 'lower' },
  { changed: /["\\\0-\x1f\u0080-\uffff]/g, digits: 'upper' },
  // Safe inside HTML: Go, Rails; PHP's JSON_HEX flags.
  { changed: /["\\\0-\x1f<>&\u2028\u2029]/g, digits: 'lower' },
  { changed: /["\\/\0-\x1f<>&'\u0080-\uffff]/g, digits: 'upper', isTerse: true },
  // Gson.
  { changed: /["\\\0-\x1f<>&='\u2028\u2029]/g, digits: 'lower' },
  // System.Text.Json.
  { changed: /["\\\0-\x1f<>&'+`\u007f-\uffff]/g, digits: 'upper', isTerse: true },
];

export const JSON_WRITERS: readonly TextWriter[] = WAYS.map(
  ({ changed, digits, isTerse = false }) =>
    (text) =>
      text.replaceAll(changed, (unit) => {
        const short = isTerse && unit === '"' ? undefined : SHORT_FORMS[unit];
        return short ?? unicodeEscape(unit, digits);
      }),
);

const SHORT_FORMS: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '/': '\\/',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

function unicodeEscape(unit: string, digits: JsonWay['digits']): string {
  const hex = unit.charCodeAt(0).toString(16).padStart(4, '0');
  return `\\u${digits === 'upper' ? hex.toUpperCase() : hex}`;
}
