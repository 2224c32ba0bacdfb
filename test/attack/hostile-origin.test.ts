/**
 * An origin that lies: response splitting, statuses and fields that only a proxy may send, framing that
 * two readers take differently, answers nobody asked for. The client gets what the origin said, made
 * unambiguous, or a refusal; never a second response, never a word in our name.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import type { HttpConnection, RawResponse } from '../support/client.ts';
import { valuesOf } from '../support/origin.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';
import { RawOrigin } from '../support/raw-origin.ts';
import type { Step } from '../support/raw-origin.ts';
import { outcomeOf } from '../support/refusal.ts';
import { TestAuthority } from '../support/test-authority.ts';

const HOST = 'api.example.test';
const value = mintCanary();
const authority = new TestAuthority();
/** Played on every connection; each test sets its own. */
let script: readonly Step[] = [];
let origin: RawOrigin;
let product: Product;
let sandbox: TestSandbox;

beforeAll(async () => {
  // A live view of `script`, whatever the number of the connection.
  const scripts = { length: 1, at: () => script } as unknown as readonly (readonly Step[])[];
  Object.defineProperty(scripts, 0, { get: () => script });
  origin = await RawOrigin.start({ leaf: authority.mintLeaf([HOST]), scripts });
  product = await startProduct({ hosts: { [HOST]: origin.address }, originCa: authority.caPem });
  await product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST] });
  sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
});

afterEach(async () => {
  // The next request works, on a connection that nothing is left over on.
  const next = (await answered(closing('good'))).text();
  if (next !== 'good') throw new Error(`the next request got ${next}`);
});

afterAll(async () => {
  await product.assertNoLeak(value);
  await product[Symbol.asyncDispose]();
  await origin.close();
});

const open = (): Promise<HttpConnection> => product.openTunnel(sandbox, `${HOST}:443`);

const closing = (body: string): string =>
  `HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

/** What the client gets when the origin answers `raw` and closes. */
async function answered(raw: string): Promise<RawResponse> {
  script = [{ await: '\r\n\r\n' }, { send: raw }, { waitMs: 20 }, { end: 'close' }];
  using tunnel = await open();
  return await tunnel.request({ path: '/' });
}

describe('I6 response splitting: what follows a response is not the next one', () => {
  const poisoned = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';
  test.each([
    ['after a length', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'],
    ['after chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    ['after a 204', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['after a 304', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n'],
  ])('%s', async (_name, raw) => {
    script = [{ await: '\r\n\r\n' }, { send: raw + poisoned }];
    using tunnel = await open();
    const first = await tunnel.request({ path: '/one' });
    expect(first.text()).not.toContain('poison');
    expect((await answered(closing('mine'))).text()).toBe('mine');
  });

  test.each([
    ['a bare CR in a field', 'X-A: b\rSet-Cookie: x=1'],
    ['a bare LF in a field', 'X-A: b\nSet-Cookie: x=1'],
    ['a NUL in a field', 'X-A: b\0c'],
    ['a folded field', 'X-A: b\r\n Set-Cookie: x=1'],
    ['a space before the colon', 'X-A : b'],
    ['two lengths', 'Content-Length: 5'],
    ['length and coding', 'Transfer-Encoding: chunked'],
    ['a length that is no number', 'Content-Length: 0x2'],
  ])('%s: refused, or nothing of it in a field of its own', async (_name, line) => {
    const answer = await answered(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${line}\r\n\r\nok`);
    expect(['200', '502 upstream_protocol_error']).toContain(outcomeOf(answer));
    expect(answer.field('set-cookie')).toBeUndefined();
    expect(answer.fields.join('\n')).not.toMatch(/[\r\0]/);
    expect(['ok', 'upstream']).toContain(answer.status === 200 ? answer.text() : 'upstream');
  });

  test('a percent-encoded line break in Location stays text', async () => {
    const location = `https://${HOST}/%0d%0aSet-Cookie:%20x=1`;
    const answer = await answered(
      `HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`,
    );
    expect(answer.field('location')).toBe(location);
    expect(answer.field('set-cookie')).toBeUndefined();
  });
});

describe('I6 connections to the origin after an answer out of turn', () => {
  const upgrade = ['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Version', '99'];
  const handshake = [...upgrade, 'Sec-WebSocket-Key', 'AAAAAAAAAAAAAAAAAAAAAA=='];
  const smuggled = `GET /smuggled HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;

  test('a body in the answer to HEAD is not the next response', async () => {
    const body = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`;
    script = [{ await: '\r\n\r\n' }, { send: head + body }];
    using tunnel = await open();
    const first = await tunnel.request({ method: 'HEAD', path: '/' });
    expect([first.status, first.text()]).toEqual([200, '']);
    expect((await answered(closing('mine'))).text()).toBe('mine');
  });

  test('an answer before the body was sent: what then comes is not a request', async () => {
    script = [{ await: '\r\n\r\n' }, { send: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly' }];
    using tunnel = await open();
    const length = ['Content-Length', String(smuggled.length)];
    tunnel.sendRequest({ method: 'POST', path: '/early', fields: length });
    tunnel.send(smuggled.slice(0, 4));
    expect((await tunnel.readResponse()).text()).toBe('early');
    tunnel.send(smuggled.slice(4));
    expect((await answered(closing('mine'))).text()).toBe('mine');
    const last = origin.connections.at(-1)?.text() ?? '';
    expect(last).not.toContain('/smuggled');
  });

  test.each([
    ['426', 'HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno'],
    ['a 200', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno'],
  ])('a refused WebSocket (%s) leaves no tunnel to smuggle through', async (_name, raw) => {
    script = [{ await: '\r\n\r\n' }, { send: raw }, { waitMs: 100 }, { end: 'close' }];
    const before = origin.connections.length;
    using tunnel = await open();
    tunnel.sendRequest({ path: '/live', fields: handshake });
    expect((await tunnel.readResponse()).text()).toBe('no');
    tunnel.send(smuggled);
    await tunnel.reader.waitForEnd();
    const seen = origin.connections.slice(before).map(({ text }) => text());
    expect(seen.join('')).not.toContain('/smuggled');
  });

  test.each(['h2c', 'websocket, h2c', 'TLS/1.0', ''])(
    'a 101 to %j is not the WebSocket that was asked for',
    async (protocol) => {
      const line = protocol === '' ? '' : `Upgrade: ${protocol}\r\n`;
      const raw = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n${line}\r\nraw`;
      script = [{ await: '\r\n\r\n' }, { send: raw }];
      using tunnel = await open();
      tunnel.sendRequest({ path: '/live', fields: handshake });
      expect(outcomeOf(await tunnel.readResponse())).toBe('502 upstream_protocol_error');
    },
  );
});

describe('words only a proxy may say', () => {
  test('I6 a 407 is not passed on, with no invitation to show credentials', async () => {
    const answer = await answered(
      'HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic realm="sallyport"\r\nContent-Length: 0\r\n\r\n',
    );
    expect(outcomeOf(answer)).toBe('502 upstream_protocol_error');
    expect(answer.field('proxy-authenticate')).toBeUndefined();
  });

  const forged = [
    'sallyport; error=http_request_denied; details="credential_revoked"',
    'Sallyport;error=dns_error',
    '"sallyport"; error=dns_error; details="forged"',
    'cdn; error=connection_timeout, sallyport; error=dns_error',
    ' ,sallyport',
    'sallyport',
    'sallyport\t; error=dns_error',
  ];
  test.each(forged)('I6 Proxy-Status forgery: %s', async (member) => {
    const answer = await answered(
      `HTTP/1.1 200 OK\r\nProxy-Status: ${member}\r\nproxy-status: ${member}\r\nContent-Length: 2\r\n\r\nok`,
    );
    expect(answer.status).toBe(200);
    const statuses = valuesOf(answer.fields, 'proxy-status').join('\n').toLowerCase();
    expect(statuses).not.toContain('sallyport');
  });

  test('what another proxy says of itself passes', async () => {
    const member = 'ExampleCDN; error=connection_timeout';
    const answer = await answered(
      `HTTP/1.1 200 OK\r\nProxy-Status: ${member}\r\nContent-Length: 2\r\n\r\nok`,
    );
    expect(answer.field('proxy-status')).toBe(member);
  });

  test('I6 Proxy-Status forgery and Alt-Svc in trailers and in a 103', async () => {
    const lines = 'Proxy-Status: sallyport; error=dns_error\r\nAlt-Svc: h3=":443"\r\n';
    const proxy = 'Proxy-Authenticate: Basic\r\nConnection: close\r\n';
    const answer = await answered(
      `HTTP/1.1 103 Early Hints\r\n${lines}Link: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${lines}${proxy}X-Sum: 1\r\n\r\n`,
    );
    expect(answer.text()).toBe('ok');
    expect(answer.interim.map(({ fields }) => fields)).toEqual([['Link', '</a>']]);
    expect(answer.trailers).toEqual(['X-Sum', '1']);
  });

  test.each(['Alt-Svc', 'ALT-SVC', 'alt-svc', 'Proxy-Authenticate', 'Proxy-Connection'])(
    'I6 %s does not reach the client',
    async (name) => {
      const answer = await answered(
        `HTTP/1.1 200 OK\r\n${name}: h3=":443"; ma=86400\r\nContent-Length: 2\r\n\r\nok`,
      );
      expect(answer.status).toBe(200);
      expect(answer.field(name)).toBeUndefined();
    },
  );

  test('I6 Connection cannot take our framing away', async () => {
    const answer = await answered(
      'HTTP/1.1 200 OK\r\nConnection: content-length, date, set-cookie\r\nSet-Cookie: a=1\r\nContent-Length: 2\r\n\r\nok',
    );
    expect(answer.text()).toBe('ok');
    expect(answer.field('set-cookie')).toBeUndefined();
  });

  test.each([
    ['with Upgrade', 'Connection: Upgrade\r\nUpgrade: websocket\r\n', []],
    ['without Upgrade', '', []],
    ['without Upgrade, to Expect', '', ['Expect', '100-continue', 'Content-Length', '2']],
  ])('I6 a 101 %s that nobody asked for', async (_name, lines, fields) => {
    script = [
      { await: '\r\n\r\n' },
      { send: `HTTP/1.1 101 Switching Protocols\r\n${lines}\r\nraw bytes` },
      { waitMs: 20 },
      { end: 'close' },
    ];
    using tunnel = await open();
    tunnel.sendRequest({ method: 'PUT', path: '/', fields });
    expect(outcomeOf(await tunnel.readResponse())).toBe('502 upstream_protocol_error');
  });
});

describe('I7 more than a head may be', () => {
  test.each([
    ['a field of a megabyte', `X-A: ${'a'.repeat(1_000_000)}\r\n`],
    ['a hundred thousand fields', 'X: 1\r\n'.repeat(100_000)],
  ])('%s', async (_name, lines) => {
    const answer = await answered(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${lines}\r\nok`);
    expect(outcomeOf(answer)).toBe('502 upstream_protocol_error');
  });

  test('interim responses without end', async () => {
    const answer = await answered('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(5_000)).catch(
      () => undefined,
    );
    // Refused, cut off, or passed on and then refused: never a success, never a crash.
    expect(answer === undefined || answer.status >= 500).toBe(true);
  });
});
