/**
 * Raw requests for the differential fuzzer: rows of the corpus bent at random places, two rows spliced,
 * and heads put together from the parts that servers are known to read differently (the permutations of
 * the published smuggling tools: a byte before, inside or behind a field that frames).
 */
import * as fc from 'fast-check';
import { ATTACKER_TOKEN, SMUGGLED_REQUEST } from './attack-case.ts';
import { CORPUS } from './corpus/corpus.ts';

/** What to put in, take the place of something, or repeat. */
const PIECES: readonly string[] = [
  '\r\n',
  '\r',
  '\n',
  '\0',
  ' ',
  '\t',
  '\x0b',
  '\x0c',
  '\x85',
  '\xa0',
  '\xff',
  ':',
  ';',
  ',',
  '"',
  '\\',
  '_',
  '-',
  '+',
  '0',
  '1',
  '5',
  '0x',
  'ffffffffffffffff',
  '%0d%0a',
  '%2e%2e/',
  'Host: {{host}}\r\n',
  'Host: evil.example\r\n',
  'Content-Length: 5\r\n',
  'Content-Length: 0\r\n',
  'Content_Length: 44\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  'Transfer_Encoding: chunked\r\n',
  'Connection: close\r\n',
  'Connection: Authorization\r\n',
  'Connection: upgrade\r\nUpgrade: h2c\r\n',
  'Expect: 100-continue\r\n',
  `Authorization: Bearer ${ATTACKER_TOKEN}\r\n`,
  `X_Api_Key: ${ATTACKER_TOKEN}\r\n`,
  '0\r\n\r\n',
  '5\r\nhello\r\n',
  SMUGGLED_REQUEST,
];

const piece = fc.constantFrom(...PIECES);
const anyByte = fc.nat(255).map((code) => String.fromCharCode(code));
const row = fc.constantFrom(...CORPUS.map(({ raw }) => raw));

interface Change {
  readonly kind: 'insert' | 'replace' | 'delete' | 'repeat';
  /** Share of the text, so that a change keeps its place when a row shrinks. */
  readonly at: number;
  readonly length: number;
  readonly text: string;
}

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('insert', 'replace', 'delete', 'repeat'),
  at: fc.nat(10_000).map((share) => share / 10_000),
  length: fc.integer({ min: 1, max: 24 }),
  text: fc.oneof(piece, anyByte),
});

const bentRow = fc
  .tuple(row, fc.array(change, { minLength: 1, maxLength: 3 }))
  .map(([raw, changes]) => changes.reduce(applyChange, raw));

const splicedRows = fc
  .tuple(row, row, fc.nat(100), fc.nat(100))
  .map(([first, second, cut, from]) => cutAt(first, cut)[0] + cutAt(second, from)[1]);

const framedField = fc.constantFrom(
  ['Transfer-Encoding', 'chunked'],
  ['Content-Length', '44'],
  ['Content-Length', '0'],
  ['Host', '{{host}}'],
  ['Authorization', `Bearer ${ATTACKER_TOKEN}`],
);
const oddByte = fc.oneof(piece, anyByte, fc.constant(''));

/** One field that frames, with a byte in one of the places where readers disagree. */
const permutedField = fc
  .tuple(framedField, oddByte, fc.nat(7))
  .map(([[name = '', value = ''], byte, place]) => {
    const middle = name.length >> 1;
    if (place === 0) return `${byte}${name}: ${value}\r\n`;
    if (place === 1) return `${name}${byte}: ${value}\r\n`;
    if (place === 2) return `${name}:${byte}${value}\r\n`;
    if (place === 3) return `${name}: ${value}${byte}\r\n`;
    if (place === 4) return `X: X${byte}${name}: ${value}\r\n`;
    if (place === 5) return `${name.slice(0, middle)}${byte}${name.slice(middle)}: ${value}\r\n`;
    if (place === 6) return `${name}: x${byte}${value}\r\n`;
    return `${name}:${value},${byte}${value}\r\n`;
  });

const composedRequest = fc
  .tuple(
    fc.constantFrom('GET', 'POST', 'DELETE', 'OPTIONS', 'HEAD', 'PUT'),
    fc.constantFrom('/t', '/', '*', '/t?a=b;c', '//evil.example/t', 'https://{{host}}/t', '/t\\u'),
    fc.constantFrom('HTTP/1.1', 'HTTP/1.0', 'HTTP/1.1 ', 'HTTP/2.0', 'http/1.1'),
    fc.array(permutedField, { minLength: 1, maxLength: 4 }),
    fc.constantFrom(
      '',
      'hello',
      '0\r\n\r\n',
      '5\r\nhello\r\n0\r\n\r\n',
      '5;x="\r\nhello\r\n0\r\n\r\n',
    ),
    fc.boolean(),
  )
  .map(
    ([method, target, version, fields, body, isSmuggling]) =>
      `${method} ${target} ${version}\r\nHost: {{host}}\r\n${fields.join('')}\r\n${body}` +
      (isSmuggling ? SMUGGLED_REQUEST : ''),
  );

/** latin1, with `{{host}}`. */
export const mutatedRequest: fc.Arbitrary<string> = fc.oneof(bentRow, splicedRows, composedRequest);

function applyChange(raw: string, { kind, at, length, text }: Change): string {
  const start = Math.floor(at * raw.length);
  const before = raw.slice(0, start);
  const after = raw.slice(start);
  if (kind === 'insert') return before + text + after;
  if (kind === 'replace') return before + text + after.slice(text.length);
  if (kind === 'delete') return before + after.slice(length);
  return before + after.slice(0, length) + after;
}

function cutAt(text: string, percent: number): readonly [string, string] {
  const at = Math.floor((text.length * percent) / 100);
  return [text.slice(0, at), text.slice(at)];
}
