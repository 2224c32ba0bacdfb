/**
 * The CONNECT itself as the attack: targets, hosts, framing and sizes. Refused, or one tunnel to exactly
 * the authority it names; never two readings of whom it is for or where it ends.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dialProxy, proxyAuthorization } from '../support/client.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const API = 'api.example.test';
let scene: Scene;
let sandbox: TestSandbox;

beforeAll(async () => {
  scene = await startScene({ names: [API] });
  sandbox = await scene.product.createSandbox();
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

/** Status of the first answer to these bytes; `closed` when there is none. */
async function answerTo(head: string): Promise<string> {
  const authorization = `Proxy-Authorization: ${proxyAuthorization(sandbox.token)}`;
  using connection = await dialProxy(scene.product.proxy);
  connection.send(head.replaceAll('{{auth}}', authorization));
  try {
    return String((await connection.readHead()).status);
  } catch {
    return 'closed';
  }
}

const connect = (target: string, ...lines: readonly string[]): string =>
  [`CONNECT ${target} HTTP/1.1`, `Host: ${target}`, '{{auth}}', ...lines, '', ''].join('\r\n');

test.each([
  [`${API}:443`, connect(`${API}:443`)],
  ['no Host, as Python', `CONNECT ${API}:443 HTTP/1.1\r\n{{auth}}\r\n\r\n`],
  [
    'Host without port, as undici',
    `CONNECT ${API}:443 HTTP/1.1\r\nHost: ${API}\r\n{{auth}}\r\n\r\n`,
  ],
  ['HTTP/1.0 without Host', `CONNECT ${API}:443 HTTP/1.0\r\n{{auth}}\r\n\r\n`],
  ['capitals and a trailing dot', connect('API.Example.Test.:443')],
  ['connection: close', connect(`${API}:443`, 'Connection: close')],
  ['Proxy-Connection', connect(`${API}:443`, 'Proxy-Connection: keep-alive')],
  ['a length of 0', connect(`${API}:443`, 'Content-Length: 0')],
])('%s opens a tunnel', async (_name, head) => {
  expect(await answerTo(head)).toBe('200');
});

const REFUSED: readonly (readonly [name: string, head: string])[] = [
  ['no port', connect(API)],
  ['an empty port', connect(`${API}:`)],
  ['port 0', connect(`${API}:0`)],
  ['a port with a leading zero', connect(`${API}:0443`)],
  ['a port above 65535', connect(`${API}:65979`)],
  ['a named port', connect(`${API}:https`)],
  ['no host', connect(':443')],
  ['user info', connect(`user:pass@${API}:443`)],
  ['user info that is the host', connect(`${API}:443@evil.example:443`)],
  ['a URL', connect(`https://${API}:443`)],
  ['a path', connect(`${API}:443/x`)],
  ['a query', connect(`${API}:443?x`)],
  ['a fragment', connect(`${API}:443#x`)],
  ['percent-encoding', connect('api%2eexample%2etest:443')],
  ['two ports', connect(`${API}:443:443`)],
  ['IPv6 without brackets', connect('::1:443')],
  ['a zone id', connect('[fe80::1%25lo]:443')],
  ['an empty label', connect('api..example.test:443')],
  ['a number that is no address', connect('1.2.3.4.5:443')],
  ['a backslash', connect(`${API}\\.evil.example:443`)],
  ['*', connect('*:443')],
  ['a raw byte', connect('caf\xe9.example:443')],
  ['a NUL', connect(`${API}\x00:443`)],
  ['an authority of 4,000 bytes', connect(`${'a.'.repeat(2_000)}example:443`)],
  ['a field of 80,000 bytes', connect(`${API}:443`, `X: ${'x'.repeat(80_000)}`)],
  ['3,000 fields', connect(`${API}:443`, ...Array.from({ length: 3_000 }, () => 'X: y'))],
  ['a folded line', connect(`${API}:443`, 'X: y', ' z')],
  ['a bare LF', connect(`${API}:443`, 'X: y\nZ: z')],
  ['a space before the colon', connect(`${API}:443`, 'X : y')],
  ['two Hosts', connect(`${API}:443`, 'Host: evil.example:443')],
  ['HTTP/2.0', connect(`${API}:443`).replace('HTTP/1.1', 'HTTP/2.0')],
  ['two lengths', connect(`${API}:443`, 'Content-Length: 0', 'Content-Length: 0')],
  [
    'a length and a coding',
    connect(`${API}:443`, 'Content-Length: 0', 'Transfer-Encoding: chunked'),
  ],
  ['a coding', connect(`${API}:443`, 'Transfer-Encoding: chunked')],
  ['a coding that is none', connect(`${API}:443`, 'Transfer-Encoding: identity')],
  ['a length with _', connect(`${API}:443`, 'Content_Length: 5')],
];

test.each(REFUSED)('I6 I7 %s is refused', async (_name, head) => {
  expect(['400', '431', 'closed']).toContain(await answerTo(head));
  expect(scene.origin.connectionCount).toBe(0);
});
