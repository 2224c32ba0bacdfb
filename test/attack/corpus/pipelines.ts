/** Rows of several requests in one write: each is judged alone, and a bad one ends the connection. */
import { attack, ATTACKER_TOKEN, head } from '../attack-case.ts';
import type { AttackCase } from '../attack-case.ts';

const first = head('GET /first HTTP/1.1');
const second = head('GET /second HTTP/1.1');
const post = `${head('POST /post HTTP/1.1', 'Content-Length: 5')}hello`;
const chunkedDelete = `${head('DELETE /delete HTTP/1.1', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`;

/** A good request, then one that we refuse: one arrives, the client gets two answers in order. */
const thenRefused: readonly AttackCase[] = [
  ['another Host', 'GET /smuggled HTTP/1.1\r\nHost: evil.example\r\n\r\n'],
  ['two Hosts', 'GET /smuggled HTTP/1.1\r\nHost: {{host}}\r\nHost: {{host}}\r\n\r\n'],
  ['an absolute target elsewhere', head('GET https://evil.example/smuggled HTTP/1.1')],
  ['TRACE', head('TRACE /smuggled HTTP/1.1')],
  ['HTTP/2.0', head('GET /smuggled HTTP/2.0')],
  ['a fragment', head('GET /smuggled#f HTTP/1.1')],
].map(([name = '', raw = '']) =>
  attack(`a good request, then ${name}`, 'arrives', first + raw, { responses: 2 }),
);

/** A good request and, in the same read, one that the parser refuses: the whole read may be refused. */
const thenUnparsable: readonly AttackCase[] = [
  ['no Host', 'GET /smuggled HTTP/1.1\r\n\r\n'],
  ['a nested CONNECT', 'CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n'],
  ['garbage', 'garbage\r\n\r\n'],
  ['two lengths', head('POST /smuggled HTTP/1.1', 'Content-Length: 5', 'Content-Length: 6')],
  [
    'length and coding',
    head('POST /smuggled HTTP/1.1', 'Content-Length: 5', 'Transfer-Encoding: chunked'),
  ],
  ['a folded line', head('GET /smuggled HTTP/1.1', 'X: y', ' z')],
].map(([name = '', raw = '']) =>
  attack(`a good request, then ${name}`, 'either', first + raw, { responses: 2 }),
);

/** After a refusal for ambiguity nothing more is read from the connection. */
const afterBad: readonly AttackCase[] = [
  ['two lengths', head('POST /bad HTTP/1.1', 'Content-Length: 0', 'Content-Length: 0')],
  [
    'length and coding',
    `${head('POST /bad HTTP/1.1', 'Content-Length: 5', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
  ],
  [
    'a refused coding',
    `${head('POST /bad HTTP/1.1', 'Transfer-Encoding: identity, chunked')}0\r\n\r\n`,
  ],
  ['two Hosts', head('GET /bad HTTP/1.1', 'Host: {{host}}')],
  ['HTTP/2.0', head('GET /bad HTTP/2.0')],
  ['a fragment', head('GET /bad#f HTTP/1.1')],
].map(([name = '', raw = '']) =>
  attack(`nothing is served after ${name}`, 'refused', `${raw}${head('GET /smuggled HTTP/1.1')}`),
);

const good: readonly AttackCase[] = [
  attack('two pipelined GETs', 'arrives', first + second, { requests: 2 }),
  attack('five pipelined GETs', 'arrives', first + second + first + second + first, {
    requests: 5,
  }),
  attack('POST then GET', 'arrives', post + second, { requests: 2, body: 'hello' }),
  attack('chunked DELETE then GET', 'arrives', chunkedDelete + second, {
    requests: 2,
    body: 'hello',
  }),
  attack(
    'two with own credentials',
    'arrives',
    head('GET /a HTTP/1.1', `Authorization: Bearer ${ATTACKER_TOKEN}`) +
      head('GET /b HTTP/1.1', `X_Api_Key: ${ATTACKER_TOKEN}`),
    { requests: 2 },
  ),
  attack(
    'an empty line after the last body',
    'arrives',
    `${head('POST /last HTTP/1.1', 'Connection: close', 'Content-Length: 5')}hello\r\n`,
    { body: 'hello' },
  ),
  attack(
    'a second request after Connection: close',
    'either',
    head('GET /first HTTP/1.1', 'Connection: close') + head('GET /smuggled HTTP/1.1'),
  ),
  attack(
    'a second request after HTTP/1.0',
    'either',
    head('GET /first HTTP/1.0') + head('GET /smuggled HTTP/1.1'),
  ),
  attack('CRLF between two', 'either', `${first}\r\n${second}`, { requests: 2 }),
];

export const PIPELINES: readonly AttackCase[] = [
  ...thenRefused,
  ...thenUnparsable,
  ...afterBad,
  ...good,
];
