/** Rows about where a body ends: RFC 9112 section 6, every Content-Length and Transfer-Encoding trick. */
import { attack, head, SMUGGLED_REQUEST } from '../attack-case.ts';
import type { AttackCase } from '../attack-case.ts';

/** A chunked body that ends at once for one reader and holds a request for the other. */
const CHUNKED_THEN_SMUGGLED = `0\r\n\r\n${SMUGGLED_REQUEST}`;
const CHUNKED_HELLO = '5\r\nhello\r\n0\r\n\r\n';

const REFUSED_CODINGS: readonly string[] = [
  'Transfer-Encoding: identity',
  'Transfer-Encoding: identity, chunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, gzip',
  'Transfer-Encoding: gzip',
  'Transfer-Encoding: cow',
  'Transfer-Encoding: cow, chunked',
  'Transfer-Encoding: ,chunked',
  'Transfer-Encoding: chunked,',
  'Transfer-Encoding: , chunked ,',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding: chunked chunked',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: chunkedx',
  'Transfer-Encoding: "chunked"',
  "Transfer-Encoding: 'chunked'",
  'Transfer-Encoding: chunked;q=1',
  'Transfer-Encoding: chunked; foo',
  'Transfer-Encoding: x',
  'Transfer-Encoding:',
  'Transfer-Encoding: \x0bchunked',
  'Transfer-Encoding: chunked\x0b',
  'Transfer-Encoding: \x0cchunked',
  'Transfer-Encoding: \xa0chunked',
  'Transfer-Encoding: chunked\xa0',
  'Transfer-Encoding: \x00chunked',
  'Transfer-Encoding: chun\x00ked',
  'Transfer-Encoding: chunked\x7f',
  'Transfer-Encoding: chunKed\xff',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding\t: chunked',
  'Transfer-Encoding\x0b: chunked',
  'Transfer-Encoding\x00: chunked',
  'Transfer Encoding: chunked',
  'Transfer_Encoding: chunked',
  'transfer_encoding: chunked',
  ' Transfer-Encoding: chunked',
  '\tTransfer-Encoding: chunked',
  'Transfer-Encoding:\r\n chunked',
  'Transfer-Encoding: chunked\r\n , identity',
  'X: y\r\n Transfer-Encoding: chunked',
  'X: y\nTransfer-Encoding: chunked',
  'X: y\rTransfer-Encoding: chunked',
  'X: y\r\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
  'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding:',
  'Transfer-Encoding: chunked\r\nTransfer_Encoding: chunked',
  'Content-Length: 4\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nContent-Length: 4',
  'Transfer-Encoding: chunked\r\nContent-Length: 0',
  'Content-Length: 0\r\nTRANSFER-ENCODING: CHUNKED',
  'Content_Length: 4\r\nTransfer-Encoding: chunked',
  'Content-Length: 4\r\nTransfer_Encoding: chunked',
  'Content-Length: 4\r\nTransfer-Encoding: identity',
  'Content-Length: 4\r\nTransfer-Encoding: ,chunked',
];

const REFUSED_LENGTHS: readonly string[] = [
  'Content-Length: +5',
  'Content-Length: -5',
  'Content-Length: -0',
  'Content-Length: 0x5',
  'Content-Length: 5,5',
  'Content-Length: 5, 5',
  'Content-Length: 5, 6',
  'Content-Length: ,5',
  'Content-Length: 5,',
  'Content-Length: 5 5',
  'Content-Length: 5;',
  'Content-Length: 5.0',
  'Content-Length: 5e0',
  'Content-Length: "5"',
  'Content-Length: five',
  'Content-Length:',
  'Content-Length: 5\x00',
  'Content-Length: \x0b5',
  'Content-Length: 5\x0b',
  'Content-Length: \xa05',
  'Content-Length: \xb2',
  'Content-Length: 18446744073709551621',
  'Content-Length: 9223372036854775813',
  'Content-Length: 9007199254740993',
  `Content-Length: ${'9'.repeat(100)}`,
  'Content-Length: 5\r\nContent-Length: 5',
  'Content-Length: 5\r\nContent-Length: 6',
  'Content-Length: 0\r\nContent-Length: 5',
  'Content-Length: 5\r\ncontent-length: 0',
  'Content-Length: 5\r\nContent_Length: 0',
  'Content_Length: 5',
  'content_length: 0\r\nContent-Length: 5',
  'Content-Length : 5',
  'Content-Length\t: 5',
  'Content-Length\x00: 5',
  'Content Length: 5',
  ' Content-Length: 5',
  'X: y\r\n Content-Length: 5',
  'X: y\nContent-Length: 5',
  'X: y\rContent-Length: 5',
  'Content-Length:\r\n 5',
  'Content-Length: 5\r\n 5',
];

const visible = (line: string): string => JSON.stringify(line).slice(1, -1);

const codings: readonly AttackCase[] = REFUSED_CODINGS.map((line) =>
  attack(visible(line), 'refused', head('POST /te HTTP/1.1', line) + CHUNKED_THEN_SMUGGLED),
);

const lengths: readonly AttackCase[] = REFUSED_LENGTHS.map((line) =>
  attack(visible(line), 'refused', `${head('POST /cl HTTP/1.1', line)}hello`),
);

const accepted: readonly AttackCase[] = [
  ['Transfer-Encoding: chunked', CHUNKED_HELLO],
  ['Transfer-Encoding:chunked', CHUNKED_HELLO],
  ['transfer-encoding: Chunked', CHUNKED_HELLO],
  ['TRANSFER-ENCODING: CHUNKED', CHUNKED_HELLO],
  ['Transfer-Encoding: \t chunked \t', CHUNKED_HELLO],
  ['Content-Length: 5', 'hello'],
  ['Content-Length:5', 'hello'],
  ['Content-Length: \t5\t ', 'hello'],
  ['content-length: 00005', 'hello'],
].map(([line = '', body = '']) =>
  attack(`good: ${visible(line)}`, 'either', head('POST /good HTTP/1.1', line) + body, {
    body: 'hello',
  }),
);

const versions: readonly AttackCase[] = [
  attack(
    'chunked on HTTP/1.0',
    'refused',
    head('POST /old HTTP/1.0', 'Transfer-Encoding: chunked') + CHUNKED_THEN_SMUGGLED,
  ),
  attack(
    'chunked on HTTP/1.0 that keeps alive',
    'refused',
    head('POST /old HTTP/1.0', 'Connection: keep-alive', 'Transfer-Encoding: chunked') +
      CHUNKED_THEN_SMUGGLED,
  ),
  attack(
    'Content-Length and chunked on HTTP/1.0',
    'refused',
    head('POST /old HTTP/1.0', 'Content-Length: 4', 'Transfer-Encoding: chunked') +
      CHUNKED_THEN_SMUGGLED,
  ),
  attack(
    'HTTP/1.0 with a length',
    'arrives',
    `${head('POST /old HTTP/1.0', 'Content-Length: 5')}hello`,
    {
      body: 'hello',
    },
  ),
];

/** A request as body of another, by every method: the body must stay the body. */
const METHODS = ['GET', 'DELETE', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'PROPFIND', 'QUERY', 'REPORT'];
const asBody = `GET /smuggled HTTP/1.1\r\nHost: evil.example\r\nX-Pad: ${'x'.repeat(20)}\r\n\r\n`;

const nested: readonly AttackCase[] = METHODS.flatMap((method) => [
  attack(
    `chunked ${method} with a request as body`,
    'either',
    `${head(`${method} /nested HTTP/1.1`, 'Transfer-Encoding: chunked')}${asBody.length.toString(16)}\r\n${asBody}\r\n0\r\n\r\n`,
    { body: asBody },
  ),
  attack(
    `${method} of known length with a request as body`,
    'either',
    head(`${method} /nested HTTP/1.1`, `Content-Length: ${asBody.length}`) + asBody,
    { body: asBody },
  ),
]);

const heads: readonly AttackCase[] = [
  attack('HEAD with a body', 'either', `${head('HEAD /head HTTP/1.1', 'Content-Length: 5')}hello`),
  attack(
    'chunked HEAD with a body',
    'either',
    head('HEAD /head HTTP/1.1', 'Transfer-Encoding: chunked') + CHUNKED_HELLO,
  ),
  attack('DELETE with length 0', 'arrives', head('DELETE /zero HTTP/1.1', 'Content-Length: 0')),
  attack('POST without any length', 'arrives', head('POST /zero HTTP/1.1')),
];

const cutOff: readonly AttackCase[] = [
  attack(
    'a body shorter than its length, then gone',
    'refused',
    `${head('POST /cut HTTP/1.1', 'Content-Length: 50')}hello`,
    { isCutOff: true },
  ),
  attack(
    'a chunked body without its end, then gone',
    'refused',
    `${head('POST /cut HTTP/1.1', 'Transfer-Encoding: chunked')}5\r\nhello\r\n`,
    { isCutOff: true },
  ),
  attack(
    'a chunk cut in the middle, then gone',
    'refused',
    `${head('PUT /cut HTTP/1.1', 'Transfer-Encoding: chunked')}ff\r\nhello`,
    { isCutOff: true },
  ),
  attack(
    'a DELETE whose body never comes, then gone',
    'refused',
    head('DELETE /cut HTTP/1.1', 'Content-Length: 50'),
    { isCutOff: true },
  ),
  attack('half a head, then gone', 'refused', 'GET /cut HTTP/1.1\r\nHost: {{host}}\r\n', {
    isCutOff: true,
  }),
];

export const FRAMING: readonly AttackCase[] = [
  ...codings,
  ...lengths,
  ...accepted,
  ...versions,
  ...nested,
  ...heads,
  ...cutOff,
];
