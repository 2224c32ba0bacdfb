/** Rows about field lines: their syntax, Host, Connection, Upgrade, Expect. */
import { attack, ATTACKER_TOKEN, head } from '../attack-case.ts';
import type { AttackCase } from '../attack-case.ts';

const visible = (line: string): string => JSON.stringify(line).slice(1, -1);
const get = (...lines: readonly string[]): string => head('GET /fields HTTP/1.1', ...lines);

const REFUSED_LINES: readonly string[] = [
  'X Y: v',
  'X\tY: v',
  'X : v',
  'X\t: v',
  'X\x0b: v',
  'X\x00Y: v',
  'X\x01: v',
  'X\x7f: v',
  'X\x80: v',
  'X(Y): v',
  'X/Y: v',
  'X@Y: v',
  'X[Y]: v',
  'X{Y}: v',
  'X"Y": v',
  'X=Y: v',
  'X,Y: v',
  'X;Y: v',
  'X<Y>: v',
  'X?Y: v',
  'X\\Y: v',
  ': v',
  ' : v',
  'no colon at all',
  'X: a\x00b',
  'X: a\rb',
  'X: a\nb',
  'X: a\r\r\nY: b',
  'X: a\x01b',
  'X: a\x1bb',
  'X: a\x7fb',
  'X: a\r\n folded',
  'X: a\r\n\tfolded',
  'X:\r\n\r folded',
  ' X: first line folded into Host',
];

const refused: readonly AttackCase[] = REFUSED_LINES.map((line) =>
  attack(visible(line), 'refused', get(line)),
);

const HOSTLESS = 'GET /hosts HTTP/1.1\r\n';
const REFUSED_HOSTS: readonly (readonly [name: string, lines: string])[] = [
  ['no Host', ''],
  ['an empty Host', 'Host:\r\n'],
  ['a Host of spaces', 'Host:   \r\n'],
  ['two equal Hosts', 'Host: {{host}}\r\nHost: {{host}}\r\n'],
  ['two Hosts', 'Host: {{host}}\r\nHost: evil.example\r\n'],
  ['two Hosts, the other first', 'Host: evil.example\r\nHost: {{host}}\r\n'],
  ['two Hosts in two cases', 'Host: {{host}}\r\nhOST: evil.example\r\n'],
  ['a second Host folded', 'Host: {{host}}\r\n Host: evil.example\r\n'],
  ['a Host with a space before the colon', 'Host : {{host}}\r\n'],
  ['a Host with a tab before the colon', 'Host\t: {{host}}\r\n'],
  ['a Host and one with a space', 'Host: {{host}}\r\nHost : evil.example\r\n'],
  ['another Host', 'Host: evil.example\r\n'],
  ['a Host that only ends alike', 'Host: evil{{host}}\r\n'],
  ['a Host that only begins alike', 'Host: {{host}}.evil.example\r\n'],
  ['a list of Hosts', 'Host: {{host}}, evil.example\r\n'],
  ['two Hosts in one line', 'Host: {{host}} evil.example\r\n'],
  ['user info in Host', 'Host: user@{{host}}\r\n'],
  ['user info that is the host', 'Host: {{host}}@evil.example\r\n'],
  ['a path in Host', 'Host: {{host}}/x\r\n'],
  ['a query in Host', 'Host: {{host}}?x\r\n'],
  ['a fragment in Host', 'Host: {{host}}#x\r\n'],
  ['a scheme in Host', 'Host: https://{{host}}\r\n'],
  ['another port', 'Host: {{host}}:444\r\n'],
  ['the port of http', 'Host: {{host}}:80\r\n'],
  ['an empty port', 'Host: {{host}}:\r\n'],
  ['a port of zero', 'Host: {{host}}:0\r\n'],
  ['a port with a leading zero', 'Host: {{host}}:0443\r\n'],
  ['a signed port', 'Host: {{host}}:+443\r\n'],
  ['a port twice', 'Host: {{host}}:443:443\r\n'],
  ['a port that is none', 'Host: {{host}}:x\r\n'],
  ['percent-encoding in Host', 'Host: %61pi.example.test\r\n'],
  ['a NUL in Host', 'Host: {{host}}\x00\r\n'],
  ['two trailing dots', 'Host: {{host}}..\r\n'],
  ['an address', 'Host: 127.0.0.1\r\n'],
  ['a Host spelled with _ only', 'H_ost: {{host}}\r\n'],
  ['absolute-form disagreeing with Host', ''],
];

const hosts: readonly AttackCase[] = REFUSED_HOSTS.map(([name, lines]) =>
  name.startsWith('absolute-form')
    ? attack(name, 'refused', 'GET https://{{host}}/t HTTP/1.1\r\nHost: evil.example\r\n\r\n')
    : attack(name, 'refused', `${HOSTLESS}${lines}\r\n`),
);

const sameHosts: readonly AttackCase[] = [
  ['the Host with its port', 'Host: {{host}}:443\r\n'],
  ['the Host with a trailing dot', 'Host: {{host}}.\r\n'],
  ['the Host in capitals', 'Host: API.Example.TEST\r\n'],
  ['the name of Host in capitals', 'HOST: {{host}}\r\n'],
  ['spaces around Host', 'Host: \t {{host}} \t\r\n'],
].map(([name = '', lines = '']) => attack(name, 'either', `${HOSTLESS}${lines}\r\n`));

const REFUSED_CONNECTIONS: readonly string[] = [
  'Connection: host',
  'Connection: Host, close',
  'Connection: close, HOST',
  'Connection: content-length',
  'Connection: transfer-encoding',
  'Connection: authorization',
  'Connection: Authorization',
  'Connection: keep-alive, AUTHORIZATION',
  'Connection: close\r\nConnection: authorization',
  'Connection: x-api-key',
  'Connection: X_Api_Key',
  'Connection: x_api-key, close',
  'Connection: ,authorization,',
  'Connection: \tauthorization\t',
  'Connection: "authorization"',
  'Connection: authorization;q=1',
];

const connections: readonly AttackCase[] = [
  ...REFUSED_CONNECTIONS.map((line) => attack(line, 'refused', get(line))),
  attack('Connection: close', 'arrives', get('Connection: close')),
  attack(
    'Connection: keep-alive, Keep-Alive: timeout',
    'arrives',
    get('Connection: keep-alive', 'Keep-Alive: timeout=999'),
    {
      absent: ['timeout=999'],
    },
  ),
  attack('Connection: x-hop', 'arrives', get('Connection: x-hop', 'X-Hop: secret-hop'), {
    absent: ['secret-hop'],
  }),
  attack('Connection: x_hop', 'arrives', get('Connection: x_hop', 'X-Hop: secret-hop'), {
    absent: ['secret-hop'],
  }),
  attack('Proxy-Connection: authorization', 'arrives', get('Proxy-Connection: authorization'), {
    absent: ['Proxy-Connection', 'proxy-connection'],
  }),
  attack(
    'Proxy-Authorization inside',
    'arrives',
    get(`Proxy-Authorization: Bearer ${ATTACKER_TOKEN}`),
  ),
  attack(
    'Proxy_Authorization inside',
    'arrives',
    get(`Proxy_Authorization: Bearer ${ATTACKER_TOKEN}`),
  ),
  attack('Proxy-Anything inside', 'arrives', get('Proxy-Anything: hop-only'), {
    absent: ['hop-only'],
  }),
  attack('TE: trailers', 'arrives', get('TE: trailers', 'Connection: TE')),
  attack('TE: chunked', 'arrives', get('TE: chunked, gzip'), { absent: ['chunked'] }),
];

const body = 'SM\r\n\r\nbody';
const h2c = [
  'Connection: Upgrade, HTTP2-Settings',
  'Upgrade: h2c',
  'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
];
const noUpgrade = { absent: ['pgrade:', 'h2c', 'HTTP2-Settings', 'http2-settings'] };

const upgrades: readonly AttackCase[] = [
  attack('Upgrade: h2c', 'arrives', get(...h2c), noUpgrade),
  attack('Upgrade: h2c without Connection', 'arrives', get('Upgrade: h2c'), noUpgrade),
  attack(
    'Upgrade: h2c with a body',
    'arrives',
    head('POST /upgrade HTTP/1.1', ...h2c, `Content-Length: ${body.length}`) + body,
    { ...noUpgrade, body },
  ),
  attack(
    'Upgrade: h2c with a chunked body',
    'arrives',
    `${head('POST /upgrade HTTP/1.1', ...h2c, 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
    { ...noUpgrade, body: 'hello' },
  ),
  attack('Upgrade: TLS/1.0', 'arrives', get('Connection: Upgrade', 'Upgrade: TLS/1.0'), {
    absent: ['TLS/1.0'],
  }),
  attack(
    'Upgrade: websocket, h2c',
    'either',
    get('Connection: Upgrade', 'Upgrade: websocket, h2c'),
    {
      absent: ['h2c'],
    },
  ),
  attack(
    'Upgrade: websocket without a key',
    'either',
    get('Connection: Upgrade', 'Upgrade: websocket'),
  ),
  attack(
    'Upgrade: websocket as a POST with a body',
    'either',
    `${head('POST /ws HTTP/1.1', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', 'Content-Length: 5')}hello`,
    { body: 'hello' },
  ),
  attack('Expect: 200-ok', 'refused', get('Expect: 200-ok')),
  attack('two Expects', 'refused', get('Expect: 100-continue', 'Expect: 100-continue')),
  attack(
    'Expect: 100-continue with the body at once',
    'arrives',
    `${head('POST /expect HTTP/1.1', 'Expect: 100-continue', 'Content-Length: 5')}hello`,
    { body: 'hello' },
  ),
  attack(
    'Expect: 100-continue, chunked, the body at once',
    'arrives',
    `${head('POST /expect HTTP/1.1', 'Expect: 100-continue', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
    { body: 'hello' },
  ),
  attack('Expect: 100-continue without a body', 'either', get('Expect: 100-continue')),
];

const sizes: readonly AttackCase[] = [
  attack('257 field lines', 'refused', get(...Array.from({ length: 256 }, (_, i) => `X-${i}: v`))),
  attack(
    '2,000 field lines',
    'refused',
    get(...Array.from({ length: 2_000 }, (_, i) => `X-${i}: v`)),
  ),
  attack('a value of 70 KiB', 'refused', get(`X: ${'v'.repeat(70_000)}`)),
  attack('a name of 70 KiB', 'refused', get(`${'x'.repeat(70_000)}: v`)),
  attack('250 field lines', 'arrives', get(...Array.from({ length: 249 }, (_, i) => `X-${i}: v`))),
  attack('obs-text and tabs in a value', 'either', get('X: a\tb\xe9\xff')),
  attack('an empty value', 'arrives', get('X:')),
];

export const FIELD_LINES: readonly AttackCase[] = [
  ...refused,
  ...hosts,
  ...sameHosts,
  ...connections,
  ...upgrades,
  ...sizes,
];
