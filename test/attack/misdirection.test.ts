/**
 * A request that says it goes where its connection does not: every place a target can be named in must
 * agree with the CONNECT, on every request. Refused means that nothing was dialled (I1).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { dialProxy, proxyAuthorization, sendConnect, startTls } from '../support/client.ts';
import type { HttpConnection } from '../support/client.ts';
import { valuesOf } from '../support/origin.ts';
import { redirect } from '../support/origin-replies.ts';
import type { TestSandbox } from '../support/product.ts';
import { outcomeOf } from '../support/refusal.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const OTHER = 'other.example.test';
const CDN = 'cdn.example.test';
const value = mintCanary();
let scene: Scene;
let sandbox: TestSandbox;

beforeAll(async () => {
  scene = await startScene({
    names: [HOST, OTHER, CDN],
    handlers: { '/download': redirect(`https://${CDN}/file`, 307) },
  });
  await scene.product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST] });
  await scene.product.createSecret('other', mintCanary(), {
    auth: { type: 'bearer' },
    hosts: [OTHER],
  });
  sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api', OTHER: 'other' } });
});

afterAll(async () => {
  await scene.product.assertNoLeak(value);
  await scene[Symbol.asyncDispose]();
});

const open = (host = HOST): Promise<HttpConnection> =>
  scene.product.openTunnel(sandbox, `${host}:443`, scene.authority.caPem);

async function refusedWithoutDialling(raw: string): Promise<string> {
  const { origin } = scene;
  origin.clear();
  const dialled = origin.connectionCount;
  using tunnel = await open();
  const outcome = outcomeOf(await tunnel.request(raw));
  expect(origin.requests).toEqual([]);
  expect(origin.connectionCount).toBe(dialled);
  return outcome;
}

describe('Host mismatch', () => {
  test.each([
    OTHER,
    `${HOST}:8443`,
    `${HOST}:80`,
    `sub.${HOST}`,
    `${HOST}.evil.example`,
    `x${HOST}`,
    'example.test',
    '127.0.0.1',
    'localhost',
  ])('I1 Host: %s', async (host) => {
    const raw = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    expect(await refusedWithoutDialling(raw)).toBe('421 misdirected_request');
  });

  test('I6 the second request of a kept-alive tunnel is judged as the first', async () => {
    scene.origin.clear();
    using tunnel = await open();
    expect((await tunnel.request({ path: '/one' })).status).toBe(200);
    const second = await tunnel.request({ path: '/two', fields: ['Host', OTHER] });
    expect(outcomeOf(second)).toBe('421 misdirected_request');
    expect(scene.origin.requests.map(({ url }) => url)).toEqual(['/one']);
  });

  test('I6 pipelined behind a good one', async () => {
    scene.origin.clear();
    using tunnel = await open();
    const good = `GET /good HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
    tunnel.send(good + good.replace(HOST, OTHER).replace('good', 'bad'));
    expect((await tunnel.readResponse()).status).toBe(200);
    expect(outcomeOf(await tunnel.readResponse())).toBe('421 misdirected_request');
    expect(scene.origin.requests.map(({ url }) => url)).toEqual(['/good']);
  });
});

describe('absolute-form inside the tunnel', () => {
  test.each([
    [`https://${OTHER}/`, '421 misdirected_request'],
    [`https://${HOST}:8443/`, '421 misdirected_request'],
    [`http://${HOST}/`, '421 misdirected_request'],
    [`https://${HOST}.evil.example/`, '421 misdirected_request'],
    [`https://127.0.0.1/`, '421 misdirected_request'],
    [`ftp://${HOST}/`, '400 bad_request'],
  ])('I1 %s', async (target, expected) => {
    const raw = `GET ${target} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
    expect(await refusedWithoutDialling(raw)).toBe(expected);
  });

  test('of the tunnel itself goes out in origin-form', async () => {
    using tunnel = await open();
    expect((await tunnel.request({ path: `https://${HOST}/x?y=1` })).status).toBe(200);
    expect(scene.origin.last.url).toBe('/x?y=1');
    expect(valuesOf(scene.origin.last.rawHeaders, 'host')).toEqual([HOST]);
  });
});

describe('SNI mismatch', () => {
  async function handshake(serverName: string | null): Promise<string> {
    const plan = { proxy: scene.product.proxy, authority: `${HOST}:443`, token: sandbox.token };
    using answer = await sendConnect(plan);
    expect(answer.response.status).toBe(200);
    const trust = { ca: scene.product.caPem, serverName };
    return await startTls(answer.connection, `${HOST}:443`, trust).then(
      (tunnel) => {
        tunnel.destroy();
        return 'accepted';
      },
      () => 'ended',
    );
  }

  test.each([OTHER, `sub.${HOST}`, `${HOST}.evil.example`, 'example.test', 'localhost'])(
    'I1 %s ends the handshake, nothing is dialled',
    async (serverName) => {
      const dialled = scene.origin.connectionCount;
      expect(await handshake(serverName)).toBe('ended');
      expect(scene.origin.connectionCount).toBe(dialled);
    },
  );

  test.each([HOST.toUpperCase(), `${HOST}.`, null])('%s is the same host', async (serverName) => {
    expect(await handshake(serverName)).toBe('accepted');
  });
});

describe('CONNECT where none belongs', () => {
  test.each([`${HOST}:443`, `${OTHER}:443`, '127.0.0.1:22', 'sallyport.internal:80'])(
    'I1 nested CONNECT %s opens nothing, and what follows is not read as a request',
    async (authority) => {
      const raw = `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
      expect(await refusedWithoutDialling(raw)).toBe('405 method_not_allowed');
    },
  );

  test.each([
    ['sallyport.internal:80', 'internal_address_denied'],
    ['SALLYPORT.internal.:443', 'internal_address_denied'],
    ['127.0.0.1:PROXY', 'internal_address_denied'],
    ['localhost:PROXY', 'internal_address_denied'],
    ['[::1]:PROXY', 'internal_address_denied'],
    ['0.0.0.0:PROXY', 'internal_address_denied'],
    ['[::ffff:7f00:1]:ADMIN', 'internal_address_denied'],
    ['127.0.0.2:ADMIN', 'internal_address_denied'],
  ])('I1 CONNECT to the proxy itself: %s', async (target, code) => {
    const { product } = scene;
    const admin = new URL(product.admin.origin).port;
    const authority = target.replace('PROXY', String(product.proxy.port)).replace('ADMIN', admin);
    using answer = await sendConnect({ proxy: product.proxy, authority, token: sandbox.token });
    expect(answer.response).toMatchObject({ status: 403, reason: code });
  });

  test('I1 plain requests reach the admin API by no name', async () => {
    const { product } = scene;
    const { port } = new URL(product.admin.origin);
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '127.1', '0x7f000001', '2130706433']) {
      using connection = await dialProxy(product.proxy);
      const credentials = ['Proxy-Authorization', proxyAuthorization(sandbox.token)];
      const fields = ['Host', `${host}:${port}`, 'X-Api-Key', product.bootstrapKey, ...credentials];
      const path = `http://${host}:${port}/secrets`;
      expect(outcomeOf(await connection.request({ path, fields }))).toBe(
        '403 internal_address_denied',
      );
    }
  });
});

describe('I6 a CONNECT authority that two readers take differently', () => {
  test.each([
    HOST,
    `${HOST}:`,
    ':443',
    `${HOST}:443:443`,
    `${HOST}:443@${OTHER}:443`,
    `user@${HOST}:443`,
    `${HOST}:0x1bb`,
    `${HOST}:+443`,
    `${HOST}:-1`,
    `${HOST}:0`,
    `${HOST}:65536`,
    `${HOST}:443/path`,
    `${HOST}/:443`,
    `${HOST}?:443`,
    `https://${HOST}:443`,
    `//${HOST}:443`,
    `${HOST}%00:443`,
    `${HOST}%2eevil.example:443`,
    `${HOST},${OTHER}:443`,
    `${HOST}\\@${OTHER}:443`,
    `[${HOST}]:443`,
    '[::1:443',
    '::1]:443',
    '..:443',
    `.${HOST}:443`,
    `api..example.test:443`,
    `${HOST}..:443`,
    `xn--\xff.test:443`,
  ])('%s', async (authority) => {
    const { product, origin } = scene;
    const dialled = origin.connectionCount;
    using answer = await sendConnect({ proxy: product.proxy, authority, token: sandbox.token });
    expect(answer.response).toMatchObject({ status: 400 });
    expect(origin.connectionCount).toBe(dialled);
  });

  test('one with a body announced, or two hosts, or a coding, is refused', async () => {
    const { product } = scene;
    for (const fields of [
      ['Content-Length', '5'],
      ['Transfer-Encoding', 'chunked'],
      ['Content-Length', '0', 'Transfer-Encoding', 'chunked'],
      ['Host', OTHER],
    ]) {
      const plan = { proxy: product.proxy, authority: `${HOST}:443`, token: sandbox.token };
      using answer = await sendConnect({ ...plan, fields });
      expect(`${fields.join(' ')} ${answer.response.status}`).toBe(`${fields.join(' ')} 400`);
    }
  });
});

test('I2 redirects: the cross-host hop gets nothing, in a tunnel of its own or by Host', async () => {
  const { origin } = scene;
  origin.clear();
  using tunnel = await open();
  const answer = await tunnel.request({ path: '/download' });
  expect([answer.status, answer.field('location')]).toEqual([307, `https://${CDN}/file`]);
  expect(origin.requests).toHaveLength(1);
  using cdn = await open(CDN);
  const placeholder = sandbox.placeholders['KEY'] ?? '';
  const fields = ['Authorization', `Bearer ${placeholder}`];
  expect((await cdn.request({ path: '/file', fields })).status).toBe(200);
  expect(origin.last.rawHeaders.join()).not.toContain(value);
  const lazy = await tunnel.request({ path: '/file', fields: ['Host', CDN] });
  expect(outcomeOf(lazy)).toBe('421 misdirected_request');
});
