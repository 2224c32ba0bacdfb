/**
 * Rows about the credential itself: `Authorization` and `X-Api-Key` are injected, and whatever the client
 * sent in their place, in whatever spelling and number, must not arrive.
 */
import { attack, ATTACKER_TOKEN, head } from '../attack-case.ts';
import type { AttackCase } from '../attack-case.ts';

const bearer = `Bearer ${ATTACKER_TOKEN}`;
const basic = `Basic ${Buffer.from(`x:${ATTACKER_TOKEN}`).toString('base64')}`;

const OWN: readonly (readonly [name: string, lines: readonly string[]])[] = [
  ['one', [`Authorization: ${bearer}`]],
  ['lower case', [`authorization: ${bearer}`]],
  ['upper case', [`AUTHORIZATION: ${bearer}`]],
  ['mixed case', [`aUtHoRiZaTiOn: ${bearer}`]],
  ['two adjacent', [`Authorization: ${bearer}`, `Authorization: ${bearer}2`]],
  [
    'three adjacent',
    [`Authorization: ${bearer}`, `Authorization: ${bearer}`, `Authorization: ${bearer}`],
  ],
  ['two cases', [`Authorization: ${bearer}`, `authorization: ${bearer}`]],
  ['two apart', [`Authorization: ${bearer}`, 'Accept: */*', `AUTHORIZATION: ${bearer}`]],
  ['eight in a row', Array.from({ length: 8 }, (_, i) => `authorization: ${bearer}${i}`)],
  ['Basic', [`Authorization: ${basic}`]],
  ['an unknown scheme', [`Authorization: Custom ${ATTACKER_TOKEN}`]],
  ['no scheme', [`Authorization: ${ATTACKER_TOKEN}`]],
  ['an empty one and one', ['Authorization:', `Authorization: ${bearer}`]],
  ['a list', [`Authorization: ${bearer}, ${bearer}`]],
  ['no space after the colon', [`Authorization:${bearer}`]],
  ['spaces and tabs around', [`Authorization: \t ${bearer} \t`]],
  ['an API key', [`X-Api-Key: ${ATTACKER_TOKEN}`]],
  ['an API key in lower case', [`x-api-key: ${ATTACKER_TOKEN}`]],
  ['an API key with underscores', [`X_Api_Key: ${ATTACKER_TOKEN}`]],
  ['an API key with one underscore', [`X-Api_Key: ${ATTACKER_TOKEN}`]],
  ['an API key with the other underscore', [`X_Api-Key: ${ATTACKER_TOKEN}`]],
  ['an API key in upper case with underscores', [`X_API_KEY: ${ATTACKER_TOKEN}`]],
  [
    'an API key in four spellings',
    [
      `X-Api-Key: ${ATTACKER_TOKEN}`,
      `x_api_key: ${ATTACKER_TOKEN}`,
      `X_API-KEY: ${ATTACKER_TOKEN}`,
      `x-api-KEY: ${ATTACKER_TOKEN}`,
    ],
  ],
  ['both', [`Authorization: ${bearer}`, `X-Api-Key: ${ATTACKER_TOKEN}`]],
  ['both around Host', [`X-Api-Key: ${ATTACKER_TOKEN}`, `Authorization: ${bearer}`, 'X-Last: 1']],
];

const own: readonly AttackCase[] = OWN.flatMap(([name, lines]) => [
  attack(`own credential: ${name}`, 'arrives', head('GET /own HTTP/1.1', ...lines), {
    absent: [basic],
  }),
  attack(
    `own credential with a body: ${name}`,
    'arrives',
    `${head('POST /own HTTP/1.1', ...lines, 'Content-Length: 5')}hello`,
    { body: 'hello', absent: [basic] },
  ),
]);

const folded: readonly AttackCase[] = [
  attack(
    'own credential folded under another field',
    'refused',
    head('GET /own HTTP/1.1', 'X: y', ` Authorization: ${bearer}`),
  ),
  attack(
    'own credential after a bare LF',
    'refused',
    head('GET /own HTTP/1.1', `X: y\nAuthorization: ${bearer}`),
  ),
  attack(
    'own credential after a bare CR',
    'refused',
    head('GET /own HTTP/1.1', `X: y\rAuthorization: ${bearer}`),
  ),
  attack(
    'own credential with a space before the colon',
    'refused',
    head('GET /own HTTP/1.1', `Authorization : ${bearer}`),
  ),
  attack(
    'own credential with a NUL in the name',
    'refused',
    head('GET /own HTTP/1.1', `Authorization\x00: ${bearer}`),
  ),
  attack(
    'own credential before Host',
    'arrives',
    `GET /own HTTP/1.1\r\nAuthorization: ${bearer}\r\nHost: {{host}}\r\n\r\n`,
  ),
  attack(
    'own credential as the user info of an absolute target',
    'refused',
    head(`GET https://x:${ATTACKER_TOKEN}@{{host}}/own HTTP/1.1`),
  ),
];

export const CREDENTIALS: readonly AttackCase[] = [...own, ...folded];
