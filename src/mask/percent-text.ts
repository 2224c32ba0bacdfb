/**
 * A text as URLs and forms carry it: percent-encoded (RFC 3986 2.1) the ways common writers do, which
 * differ in what they leave alone, in how they write a space, and in the case of the digits. Pure. Every
 * way works character by character, so the encoding of a part is a part of the encoding.
 */

/** One way to write a text; works character by character. */
export type TextWriter = (text: string) => string;

/** Both kinds of writer leave these alone, so most keys have one spelling. */
export function isPlainText(text: string): boolean {
  return /^[A-Za-z0-9\-_.]*$/.test(text);
}

interface PercentWay {
  /** What does not stay as it is. */
  readonly changed: RegExp;
  readonly space: '+' | '%20';
}

const WAYS: readonly PercentWay[] = [
  // encodeURIComponent.
  { changed: /[^A-Za-z0-9\-_.!~*'()]/gu, space: '%20' },
  // RFC 3986 unreserved: Python's quote(safe=''), PHP's rawurlencode.
  { changed: /[^A-Za-z0-9\-_.~]/gu, space: '%20' },
  // The same with form spaces: Python's quote_plus, Go's QueryEscape.
  { changed: /[^A-Za-z0-9\-_.~]/gu, space: '+' },
  // application/x-www-form-urlencoded of WHATWG, Java's URLEncoder.
  { changed: /[^A-Za-z0-9\-_.*]/gu, space: '+' },
  // PHP's urlencode.
  { changed: /[^A-Za-z0-9\-_.]/gu, space: '+' },
  // Python's quote.
  { changed: /[^A-Za-z0-9\-_.~/]/gu, space: '%20' },
  // A path segment: Go's PathEscape, and what `place.ts` writes.
  { changed: /[^A-Za-z0-9\-_.~$&+=:@]/gu, space: '%20' },
  { changed: /[^A-Za-z0-9\-_.~!*'()$&+,=:@]/gu, space: '%20' },
  // encodeURI, and nearly what URL parsers do to a query.
  { changed: /[^A-Za-z0-9\-_.!~*'();/?:@&=+$,#]/gu, space: '%20' },
];

/** The ways in capitals, then the same in small digits. */
export const PERCENT_WRITERS: readonly TextWriter[] = WAYS.flatMap((way) => [
  (text) => percentText(text, way),
  (text) => percentText(text, way).replaceAll(/%[0-9A-F]{2}/g, (octet) => octet.toLowerCase()),
]);

function percentText(text: string, { changed, space }: PercentWay): string {
  return text.replaceAll(changed, (char) => (char === ' ' ? space : percentOctets(char)));
}

/** `encodeURIComponent` leaves a few alone that others do not; all of them are ASCII. */
function percentOctets(char: string): string {
  const code = char.charCodeAt(0);
  if (code >= 0x80) return encodeURIComponent(char);
  return `%${code.toString(16).toUpperCase().padStart(2, '0')}`;
}
