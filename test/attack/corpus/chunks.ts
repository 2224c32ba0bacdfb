/** Rows about chunked bodies: RFC 9112 section 7.1, sizes, extensions, ends and trailers. */
import { attack, ATTACKER_TOKEN, head, SMUGGLED_REQUEST } from '../attack-case.ts';
import type { AttackCase } from '../attack-case.ts';

const CHUNKED = head('POST /chunks HTTP/1.1', 'Transfer-Encoding: chunked');

const REFUSED_BODIES: readonly (readonly [name: string, body: string])[] = [
  ['size 0x5', '0x5\r\nhello\r\n0\r\n\r\n'],
  ['size +5', '+5\r\nhello\r\n0\r\n\r\n'],
  ['size -5', '-5\r\nhello\r\n0\r\n\r\n'],
  ['size -0', '-0\r\n\r\n'],
  ['an empty size', '\r\nhello\r\n0\r\n\r\n'],
  ['size g', 'g\r\nhello\r\n0\r\n\r\n'],
  ['size 5g', '5g\r\nhello\r\n0\r\n\r\n'],
  ['size 5_0', '5_0\r\nhello\r\n0\r\n\r\n'],
  ['size 5.0', '5.0\r\nhello\r\n0\r\n\r\n'],
  ['a space before the size', ' 5\r\nhello\r\n0\r\n\r\n'],
  ['a tab before the size', '\t5\r\nhello\r\n0\r\n\r\n'],
  ['a NUL after the size', '5\x00\r\nhello\r\n0\r\n\r\n'],
  ['a no-break space after the size', '5\xa0\r\nhello\r\n0\r\n\r\n'],
  ['a size that overflows 64 bits', '10000000000000005\r\nhello\r\n0\r\n\r\n'],
  ['a size of 20 digits', `${'f'.repeat(20)}\r\nhello\r\n0\r\n\r\n`],
  ['a size ended by LF', '5\nhello\r\n0\r\n\r\n'],
  ['a size ended by CR', '5\rhello\r\n0\r\n\r\n'],
  ['a size ended by CR CR LF', '5\r\r\nhello\r\n0\r\n\r\n'],
  ['a chunk ended by LF', '5\r\nhello\n0\r\n\r\n'],
  ['a chunk ended by CR', '5\r\nhello\r0\r\n\r\n'],
  ['a chunk without end', '5\r\nhello0\r\n\r\n'],
  ['a chunk longer than its size', '3\r\nhello\r\n0\r\n\r\n'],
  ['a chunk longer by a CRLF', '5\r\nhello\r\n\r\n0\r\n\r\n'],
  ['an extension with a bare LF', '5;a\nb\r\nhello\r\n0\r\n\r\n'],
  ['an extension with a bare CR', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
  ['an extension that hides a chunk after LF', `2;\nxx\r\n4c\r\n0\r\n\r\n${SMUGGLED_REQUEST}`],
  ['an extension with NUL', '5;a=\x00\r\nhello\r\n0\r\n\r\n'],
  ['a size and text without semicolon', '5 hello\r\nhello\r\n0\r\n\r\n'],
  ['a trailer folded', '0\r\nX-T: a\r\n b\r\n\r\n'],
  ['a trailer with a bare LF', '0\r\nX-T: a\nX-U: b\r\n\r\n'],
  ['a trailer with a bare CR', '0\r\nX-T: a\rX-U: b\r\n\r\n'],
  ['a trailer with a space before the colon', '0\r\nX-T : a\r\n\r\n'],
  ['a trailer with NUL', '0\r\nX-T: a\x00\r\n\r\n'],
  ['a trailer without colon', '0\r\nX-T\r\n\r\n'],
  ['a trailer section that is a request', `0\r\nGET /smuggled HTTP/1.1\r\nHost: {{host}}\r\n\r\n`],
];

const refused: readonly AttackCase[] = REFUSED_BODIES.map(([name, body]) =>
  attack(`chunked: ${name}`, 'refused', CHUNKED + body),
);

/** Legal, or harmless because chunks are cut anew: refused, or `hello` and nothing else. */
const HELLO_BODIES: readonly (readonly [name: string, body: string])[] = [
  ['plain', '5\r\nhello\r\n0\r\n\r\n'],
  ['two chunks', '3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n'],
  ['a size with leading zeros', '0000000005\r\nhello\r\n0\r\n\r\n'],
  ['a last chunk of many zeros', '5\r\nhello\r\n00000\r\n\r\n'],
  ['a space after the size', '5 \r\nhello\r\n0\r\n\r\n'],
  ['a tab after the size', '5\t\r\nhello\r\n0\r\n\r\n'],
  ['an extension', '5;name=value\r\nhello\r\n0\r\n\r\n'],
  ['a quoted extension', '5;name="a;b"\r\nhello\r\n0;last\r\n\r\n'],
  ['an extension without name', '5;\r\nhello\r\n0\r\n\r\n'],
  ['an extension like a size', '5;ff\r\nhello\r\n0;5\r\n\r\n'],
  ['an extension with a space before', '5 ;a=b\r\nhello\r\n0\r\n\r\n'],
  ['a long extension', `5;${'x'.repeat(2000)}\r\nhello\r\n0\r\n\r\n`],
  ['an ordinary trailer', '5\r\nhello\r\n0\r\nX-Checksum: 1\r\n\r\n'],
];

const hello: readonly AttackCase[] = HELLO_BODIES.map(([name, body]) =>
  attack(`chunked: ${name}`, 'either', CHUNKED + body, { body: 'hello' }),
);

/** RFC 9110 section 6.5.1: fields that must not be merged from a trailer into the head. */
const TRAILERS: readonly string[] = [
  `Authorization: Bearer ${ATTACKER_TOKEN}`,
  `authorization: Bearer ${ATTACKER_TOKEN}`,
  `X-Api-Key: ${ATTACKER_TOKEN}`,
  `X_Api_Key: ${ATTACKER_TOKEN}`,
  `Proxy-Authorization: Basic ${ATTACKER_TOKEN}`,
  `Host: ${ATTACKER_TOKEN}.example`,
  'Content-Length: 500',
  'Transfer-Encoding: chunked',
];

const FORBIDDEN_TRAILER = /^(?:host|content-length|transfer-encoding)/i;

const trailers: readonly AttackCase[] = TRAILERS.flatMap((line) => [
  attack(`chunked: the trailer ${line}`, 'either', `${CHUNKED}5\r\nhello\r\n0\r\n${line}\r\n\r\n`, {
    body: 'hello',
    absent: FORBIDDEN_TRAILER.test(line) ? [`0\r\n${line}`] : [],
  }),
  attack(
    `chunked: the announced trailer ${line}`,
    'either',
    `${head('POST /chunks HTTP/1.1', 'Transfer-Encoding: chunked', 'TE: trailers', `Trailer: ${line.split(':')[0] ?? ''}`)}5\r\nhello\r\n0\r\n${line}\r\n\r\n`,
    { body: 'hello', absent: FORBIDDEN_TRAILER.test(line) ? [`0\r\n${line}`] : [] },
  ),
]);

const endless: readonly AttackCase[] = [
  attack(
    'chunked: a size of 64 bits, then gone',
    'refused',
    `${CHUNKED}ffffffffffffffff\r\nhello\r\n`,
    {
      isCutOff: true,
    },
  ),
];

export const CHUNKS: readonly AttackCase[] = [...refused, ...hello, ...trailers, ...endless];
