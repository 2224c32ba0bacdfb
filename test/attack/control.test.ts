/**
 * The control of the corpus: the same rows, the same origin, the same judge, with `http-proxy` in the
 * place of Sallyport. A corpus that acquits it would prove nothing about us.
 */
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import httpProxy from 'http-proxy';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AttackCase } from './attack-case.ts';
import { CORPUS } from './corpus/corpus.ts';
import { RecordingOrigin } from './recording-origin.ts';
import type { CorpusPlan } from './run-corpus.ts';
import { runRow } from './run-corpus.ts';

const INJECTED = {
  authorization: 'Bearer not-a-real-key-of-the-control',
  'x-api-key': 'not-a-real-key-of-the-control',
};

let origin: RecordingOrigin;
let server: http.Server;
let plan: CorpusPlan;

beforeAll(async () => {
  origin = await RecordingOrigin.start();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const proxy = httpProxy.createProxyServer({
    target: `http://${origin.address}`,
    agent,
    headers: INJECTED,
  });
  proxy.on('error', (_error, _request, response) => response.destroy());
  server = http.createServer((request, response) => proxy.web(request, response));
  server.on('clientError', (_error, socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const dial = async () => {
    const socket = net.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  };
  plan = { origin, host: 'api.example.test', injected: INJECTED, dial };
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await origin[Symbol.asyncDispose]();
});

function row(name: string): AttackCase {
  const found = CORPUS.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no row ${name}`);
  return found;
}

test('the corpus is large and its names are unique', () => {
  expect(CORPUS.length).toBeGreaterThan(300);
  expect(new Set(CORPUS.map(({ name }) => name)).size).toBe(CORPUS.length);
});

test('an ordinary request is acquitted even here, so the judge is not merely severe', async () => {
  expect(await runRow(plan, row('an ordinary GET'))).toEqual([]);
  expect(await runRow(plan, row('good: Content-Length: 5'))).toEqual([]);
});

test('a chunked DELETE smuggles a second request behind the injected credential', async () => {
  const faults = await runRow(plan, row('chunked DELETE with a request as body'));
  expect(faults).toContain('a smuggled request arrived');
});

test.each([
  'chunked OPTIONS with a request as body',
  'own credential: an API key with underscores',
  'two Hosts',
  'Transfer-Encoding: identity, chunked',
  'GET https://evil.example/t HTTP/1.1',
])('the control is convicted of %s', async (name) => {
  expect(await runRow(plan, row(name))).not.toEqual([]);
});
