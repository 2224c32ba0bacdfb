/** Rows about the request line: method, target, version, and what stands around them. */
import { attack, head } from '../attack-case.ts';
import type { AttackCase } from '../attack-case.ts';

const visible = (line: string): string => JSON.stringify(line).slice(1, -1);

const REFUSED_LINES: readonly string[] = [
  // Versions.
  'GET /v HTTP/2.0',
  'GET /v HTTP/1.2',
  'GET /v HTTP/1.10',
  'GET /v HTTP/01.1',
  'GET /v HTTP/1.01',
  'GET /v HTTP/0.9',
  'GET /v HTTP/3.0',
  'GET /v HTTP/11',
  'GET /v HTTP/1',
  'GET /v HTTP/1.1.1',
  'GET /v HTTP/1,1',
  'GET /v HTTP/-1.1',
  'GET /v HTTP/1.x',
  'GET /v HTTP/ 1.1',
  'GET /v HTTP /1.1',
  'GET /v http/1.1',
  'GET /v Http/1.1',
  'GET /v HTTPS/1.1',
  'GET /v ICE/1.0',
  'GET /v HTTP/1.1x',
  'GET /v HTTP/1.1 x',
  'GET /v HTTP/1.1 HTTP/1.1',
  'GET /v\x00 HTTP/1.1',
  'GET /v',
  'GET',
  'GET HTTP/1.1',
  // Methods.
  'get /m HTTP/1.1',
  'Get /m HTTP/1.1',
  'GE T /m HTTP/1.1',
  'GET: /m HTTP/1.1',
  'GET/m HTTP/1.1',
  'GETX /m HTTP/1.1',
  'G(ET /m HTTP/1.1',
  'G\x00ET /m HTTP/1.1',
  '\x00GET /m HTTP/1.1',
  'GET\x00 /m HTTP/1.1',
  'G\xc9T /m HTTP/1.1',
  'GET\t/m HTTP/1.1',
  'GET\x0b/m HTTP/1.1',
  'GET\r/m HTTP/1.1',
  'GET /m\tHTTP/1.1',
  'GET /m\x0bHTTP/1.1',
  'TRACE /m HTTP/1.1',
  'TRACK /m HTTP/1.1',
  'CONNECT {{host}}:443 HTTP/1.1',
  'CONNECT evil.example:443 HTTP/1.1',
  'CONNECT /m HTTP/1.1',
  'PRI * HTTP/2.0',
  // Targets.
  'GET /t#fragment HTTP/1.1',
  'GET /t?q#fragment HTTP/1.1',
  'GET # HTTP/1.1',
  'GET /t\x01 HTTP/1.1',
  'GET /t\x1f HTTP/1.1',
  'GET /t\x7f HTTP/1.1',
  'GET /t\x80 HTTP/1.1',
  'GET /caf\xc3\xa9 HTTP/1.1',
  'GET /t\rX HTTP/1.1',
  'GET /t\nX HTTP/1.1',
  'GET /a /b HTTP/1.1',
  'GET * HTTP/1.1',
  'POST * HTTP/1.1',
  'GET {{host}} HTTP/1.1',
  'GET {{host}}:443 HTTP/1.1',
  'GET t HTTP/1.1',
  'GET ?t HTTP/1.1',
  'GET \\t HTTP/1.1',
  'GET https:/t HTTP/1.1',
  'GET https:t HTTP/1.1',
  'GET https:///t HTTP/1.1',
  'GET //{{host}}@evil.example:443#/t HTTP/1.1',
  // Absolute-form of somewhere else.
  'GET https://evil.example/t HTTP/1.1',
  'GET http://evil.example/t HTTP/1.1',
  'GET http://{{host}}/t HTTP/1.1',
  'GET https://{{host}}:444/t HTTP/1.1',
  'GET https://{{host}}.evil.example/t HTTP/1.1',
  'GET https://evil.example?@{{host}}/t HTTP/1.1',
  'GET https://evil.example\\@{{host}}/t HTTP/1.1',
  'GET https://user@{{host}}/t HTTP/1.1',
  'GET https://user:pass@{{host}}/t HTTP/1.1',
  'GET https://{{host}}@evil.example/t HTTP/1.1',
  'GET https://{{host}}%2eevil.example/t HTTP/1.1',
  'GET https://{{host}}:/t HTTP/1.1',
  'GET https://{{host}}:0443/t HTTP/1.1',
  'GET https://{{host}}/t#f HTTP/1.1',
  'GET ftp://{{host}}/t HTTP/1.1',
  'GET file:///etc/passwd HTTP/1.1',
  'GET wss://{{host}}/t HTTP/1.1',
];

const refused: readonly AttackCase[] = REFUSED_LINES.map((line) =>
  attack(visible(line), 'refused', head(line)),
);

/** One request for every reader once written anew: refused, or that one. */
const EITHER_LINES: readonly string[] = [
  'GET /v RTSP/1.0',
  'GET  /two-spaces HTTP/1.1',
  'GET /two-spaces  HTTP/1.1',
  'GET /trailing-space HTTP/1.1 ',
  'GET /t?a=b;c&d=\\e{}|^`<>" HTTP/1.1',
  'GET //evil.example/t HTTP/1.1',
  'GET /\\evil.example/t HTTP/1.1',
  'GET /../../etc/passwd HTTP/1.1',
  'GET /%2e%2e/%00%0d%0aX:y HTTP/1.1',
  'GET /https://evil.example/ HTTP/1.1',
  'GET /@evil.example HTTP/1.1',
  'GET /;@evil.example HTTP/1.1',
  'PURGE /m HTTP/1.1',
  'M-SEARCH /m HTTP/1.1',
  'SOURCE /m HTTP/1.1',
  'UNLINK /m HTTP/1.1',
];

const either: readonly AttackCase[] = EITHER_LINES.map((line) =>
  attack(visible(line), 'either', head(line)),
);

const arriving: readonly AttackCase[] = [
  attack('an ordinary GET', 'arrives', head('GET /ordinary?a=1&b=2 HTTP/1.1')),
  attack('absolute-form of the tunnel', 'arrives', head('GET https://{{host}}/abs?q HTTP/1.1'), {
    absent: ['https://'],
  }),
  attack('absolute-form in capitals', 'arrives', head('GET HTTPS://{{host}}:443/abs HTTP/1.1'), {
    absent: ['HTTPS://'],
  }),
  attack('OPTIONS *', 'arrives', head('OPTIONS * HTTP/1.1')),
];

const around: readonly AttackCase[] = [
  attack('an empty line before', 'either', `\r\n${head('GET /around HTTP/1.1')}`),
  attack(
    'many empty lines before',
    'either',
    `${'\r\n'.repeat(20)}${head('GET /around HTTP/1.1')}`,
  ),
  attack('a bare LF before', 'either', `\n${head('GET /around HTTP/1.1')}`),
  attack('a space before', 'refused', ` ${head('GET /around HTTP/1.1')}`),
  attack('a BOM before', 'refused', `\xef\xbb\xbf${head('GET /around HTTP/1.1')}`),
  attack('lines ended by LF alone', 'refused', 'GET /lf HTTP/1.1\nHost: {{host}}\n\n'),
  attack('lines ended by CR alone', 'refused', 'GET /cr HTTP/1.1\rHost: {{host}}\r\r', {
    isCutOff: true,
  }),
  attack('request line ended by LF alone', 'refused', 'GET /lf HTTP/1.1\nHost: {{host}}\r\n\r\n'),
  attack('head ended by LF alone', 'refused', 'GET /lf HTTP/1.1\r\nHost: {{host}}\r\n\n', {
    isCutOff: true,
  }),
  attack('the HTTP/2 preface', 'refused', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  attack('an HTTP/0.9 request', 'refused', 'GET /old\r\n\r\n'),
  attack(
    'bytes that are no HTTP',
    'refused',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
  ),
  attack('a target of 60 KiB', 'either', head(`GET /${'a'.repeat(60_000)} HTTP/1.1`)),
  attack('a target beyond the limit', 'refused', head(`GET /${'a'.repeat(70_000)} HTTP/1.1`)),
];

export const REQUEST_LINES: readonly AttackCase[] = [...refused, ...either, ...arriving, ...around];
