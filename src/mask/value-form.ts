/**
 * The spellings in which an origin may send an injected value back (spec section 8): raw, base64 of
 * `user:value` as sent, and either of them percent-encoded or JSON-escaped. For each, from where on it is
 * secret. Pure; the result is as secret as the value and stays inside the matcher made from it.
 *
 * The secret part is what follows the user name and the provider's public prefix: `sk-ant-api03-` tells
 * nothing. Its half is counted in characters before any escaping, so that a value full of escapes has its
 * half where the plain one has it. Where the secret part is shorter than `FIXED.maskedValueBytesMin`, the half
 * still has `FIXED.heldCharsMin` characters: fewer could be guessed one response after another.
 */
import { FIXED } from '../kernel/limits.ts';
import { JSON_WRITERS } from './json-text.ts';
import { isPlainText, PERCENT_WRITERS } from './percent-text.ts';
import type { TextWriter } from './percent-text.ts';

export interface ValueForm {
  readonly bytes: Buffer;
  /** Bytes before the secret part. */
  readonly publicBytes: number;
  /** Bytes up to the half of the secret part: what is held back comes after so many have matched. */
  readonly halfBytes: number;
}

export interface InjectedText {
  readonly value: string;
  /** `''`: none known. The value begins with it. */
  readonly publicPrefix: string;
  /** Basic: what stands before the colon, from `usernameTail`. */
  readonly basicUser: Buffer | null;
}

/** Values shorter than this are not masked. UTF-8 bytes. */
export function isMaskable(value: string): boolean {
  return (
    value.length >= FIXED.maskedValueBytesMin ||
    Buffer.byteLength(value) >= FIXED.maskedValueBytesMin
  );
}

/**
 * What of a Basic user name is looked for together with the value: all of it or, of a long one, the end.
 * Three octets make four characters of base64, so the encoding of this end is an end of what was sent.
 */
export function usernameTail(username: string): Buffer {
  const octets = Buffer.from(username, 'utf8');
  const surplus = Math.max(0, octets.length - FIXED.maskedUsernameBytesMax);
  return octets.subarray(Math.ceil(surplus / 3) * 3);
}

/** Without duplicates; the plainest first. */
export function formsOf(injected: InjectedText): readonly ValueForm[] {
  const forms = new Map<string, ValueForm>();
  for (const text of textsOf(injected)) {
    for (const write of writersFor(text.text)) {
      const form = writeForm(text, write);
      const key = form.bytes.toString('latin1');
      if (!forms.has(key)) forms.set(key, form);
    }
  }
  return [...forms.values()];
}

const PLAIN: readonly TextWriter[] = [(text) => text];
/** encodeURIComponent in either case, JSON with and without slashes escaped. */
const FEW: readonly TextWriter[] = [
  ...PLAIN,
  ...PERCENT_WRITERS.slice(0, 2),
  ...JSON_WRITERS.slice(0, 2),
];
const ALL: readonly TextWriter[] = [...PLAIN, ...PERCENT_WRITERS, ...JSON_WRITERS];

function writersFor(text: string): readonly TextWriter[] {
  if (isPlainText(text)) return PLAIN;
  return text.length > FIXED.manySpellingsCharsMax ? FEW : ALL;
}

interface Text {
  readonly text: string;
  /** Characters before the secret part. */
  readonly publicChars: number;
}

function textsOf({ value, publicPrefix, basicUser }: InjectedText): readonly Text[] {
  const texts: Text[] = [{ text: value, publicChars: publicPrefix.length }];
  // An origin that reads head octets as Latin-1 and answers in UTF-8 writes each of ours as two.
  const misread = Buffer.from(value, 'utf8').toString('latin1');
  if (misread !== value) {
    const publicChars = Buffer.byteLength(publicPrefix, 'utf8');
    texts.push({ text: misread, publicChars });
  }
  if (basicUser !== null) texts.push(...basicTexts(basicUser, value, publicPrefix));
  return texts;
}

/** With its padding, which is part of it, and without, as many readers leave it. */
function basicTexts(user: Buffer, value: string, publicPrefix: string): readonly Text[] {
  const padded = Buffer.concat([user, Buffer.from(`:${value}`, 'utf8')]).toString('base64');
  const publicOctets = user.length + Buffer.byteLength(`:${publicPrefix}`, 'utf8');
  // A character that carries bits of both counts as secret.
  const publicChars = Math.floor((publicOctets * 4) / 3);
  const bare = padded.replace(/=+$/, '');
  const texts = [{ text: padded, publicChars }];
  if (bare !== padded) texts.push({ text: bare, publicChars });
  return texts;
}

function writeForm({ text, publicChars }: Text, write: TextWriter): ValueForm {
  const secretChars = text.length - publicChars;
  const heldChars = Math.max(Math.ceil(secretChars / 2), FIXED.heldCharsMin);
  const half = wholeChars(text, publicChars + heldChars);
  const begin = write(text.slice(0, publicChars));
  const untilHalf = begin + write(text.slice(publicChars, half));
  return {
    bytes: Buffer.from(untilHalf + write(text.slice(half)), 'utf8'),
    publicBytes: Buffer.byteLength(begin),
    halfBytes: Buffer.byteLength(untilHalf),
  };
}

/** A surrogate pair is one character: not cut in two. */
function wholeChars(text: string, end: number): number {
  const last = text.charCodeAt(end - 1);
  return last >= 0xd800 && last < 0xdc00 ? end + 1 : end;
}
