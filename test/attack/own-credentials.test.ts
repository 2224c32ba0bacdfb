/**
 * A sandbox that sends credentials of its own to a bound host, in every place and spelling it can think
 * of: exactly the injected value arrives, or nothing does. Complements the corpus (`corpus.test.ts`) with
 * what needs more than one raw head: queries, trailers, upgrades, `keep`.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { dialProxy, proxyAuthorization } from '../support/client.ts';
import type { HttpConnection } from '../support/client.ts';
import { valuesOf } from '../support/origin.ts';
import type { RecordedRequest } from '../support/origin.ts';
import type { TestSandbox } from '../support/product.ts';
import { outcomeOf } from '../support/refusal.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const KEEP = 'keep.example.test';
const OWN = 'attackers-own';
const value = mintCanary();
let scene: Scene;
let sandbox: TestSandbox;

beforeAll(async () => {
  scene = await startScene({ names: [HOST, KEEP], onUpgrade: (_request, socket) => socket.end() });
  const { product } = scene;
  await product.createSecret('api', value, {
    auth: { type: 'api-key', header: 'X-Api-Key' },
    hosts: [HOST],
    also_strip: { headers: ['Authorization'], query: ['api_key', 'key'] },
  });
  await product.createSecret('kept', value, {
    auth: { type: 'bearer' },
    hosts: [KEEP],
    on_existing: 'keep',
  });
  sandbox = await product.createSandbox({ secrets: { KEY: 'api', KEPT: 'kept' } });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

const open = (host = HOST): Promise<HttpConnection> =>
  scene.product.openTunnel(sandbox, `${host}:443`);

/** The one request that arrived, after checking that it carries the value once and nothing of the client. */
function expectOnlyOurs(): RecordedRequest {
  const { origin } = scene;
  expect(origin.requests).toHaveLength(1);
  const { last } = origin;
  expect(valuesOf(last.rawHeaders, 'x-api-key')).toEqual([value]);
  const everything = [last.url, ...last.rawHeaders, ...last.rawTrailers].join('\n');
  expect(everything).not.toContain(OWN);
  return last;
}

describe('own key on a bound host', () => {
  const spellings: readonly (readonly [string, readonly string[]])[] = [
    ['duplicate headers', ['X-Api-Key', OWN, 'X-Api-Key', `${OWN}2`, 'X-Api-Key', `${OWN}3`]],
    ['mixed case', ['x-aPi-KeY', OWN, 'X-API-KEY', OWN]],
    ['`_` for `-`', ['X_Api_Key', OWN, 'x-api_key', OWN, 'X_API-Key', OWN]],
    ['every place this API takes one', ['Authorization', `Bearer ${OWN}`, 'x_api_key', OWN]],
    ['in the cookie-like list form', ['X-Api-Key', `${OWN}, ${OWN}`]],
  ];
  test.each(spellings)('I6 %s: only the injected value arrives', async (_name, fields) => {
    scene.origin.clear();
    using tunnel = await open();
    expect((await tunnel.request({ path: '/', fields })).status).toBe(200);
    expectOnlyOurs();
  });

  const queries = [
    `?api_key=${OWN}`,
    `?a=1&api_key=${OWN}&b=2&api_key=${OWN}`,
    `?a=1;api_key=${OWN}`,
    `?%61pi_key=${OWN}`,
    `?api%5Fkey=${OWN}`,
    `?%6B%65%79=${OWN}`,
    `?&&key=${OWN}`,
  ];
  test.each(queries)('I6 in the query %s: stripped', async (query) => {
    scene.origin.clear();
    using tunnel = await open();
    expect((await tunnel.request({ path: `/find${query}` })).status).toBe(200);
    expectOnlyOurs();
  });

  test.each([
    ['announced', ['Trailer', 'X-Api-Key, Authorization']],
    ['not announced', []],
    ['announced under another name', ['Trailer', 'X-Sum']],
  ])('I6 in request trailers, %s: never arrives', async (_name, fields) => {
    scene.origin.clear();
    using tunnel = await open();
    const trailers = ['X-Api-Key', OWN, 'X_Api_Key', OWN, 'authorization', `Bearer ${OWN}`];
    const hops = ['Host', `${OWN}.example`, 'TE', OWN, 'Proxy-Authorization', OWN];
    const plan = { method: 'POST', path: '/', body: 'hello', chunked: true };
    const answer = await tunnel.request({ ...plan, fields, trailers: [...trailers, ...hops] });
    expect(answer.status).toBe(200);
    expect(expectOnlyOurs().body.toString()).toBe('hello');
  });

  test.each(['Content-Length', 'Transfer-Encoding'])(
    'I6 framing in request trailers (%s): refused, or gone',
    async (name) => {
      scene.origin.clear();
      using tunnel = await open();
      const plan = { method: 'POST', path: '/', body: 'hello', chunked: true };
      const answer = await tunnel.request({ ...plan, trailers: [name, '0'] });
      expect(['200', '400 bad_request']).toContain(outcomeOf(answer));
      expect(scene.origin.requests.flatMap(({ rawTrailers }) => rawTrailers)).toEqual([]);
    },
  );

  test('I6 `keep`: a kept credential goes alone, ours is not put beside it', async () => {
    scene.origin.clear();
    using tunnel = await open(KEEP);
    const fields = ['Authorization', `Bearer ${OWN}`];
    expect((await tunnel.request({ path: '/', fields })).status).toBe(200);
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${OWN}`]);
    expect(scene.origin.last.rawHeaders.join()).not.toContain(value);
  });

  test('I6 `keep`: an empty one does not keep ours out', async () => {
    scene.origin.clear();
    using tunnel = await open(KEEP);
    const fields = ['Authorization', '', 'AUTHORIZATION', ''];
    expect((await tunnel.request({ path: '/', fields })).status).toBe(200);
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${value}`]);
  });
});

describe('a header named in Connection', () => {
  test.each(['X-Api-Key', 'x_api_key', 'close, X-API-KEY', 'Host', 'Content-Length'])(
    'I6 Connection: %s is refused and nothing arrives',
    async (option) => {
      scene.origin.clear();
      using tunnel = await open();
      const answer = await tunnel.request({ path: '/', fields: ['Connection', option] });
      expect(outcomeOf(answer)).toBe('400 bad_request');
      expect(scene.origin.requests).toEqual([]);
    },
  );
});

describe('upgrades', () => {
  test('I6 h2c with a body that is a request: one request, the body stays a body', async () => {
    scene.origin.clear();
    using tunnel = await open();
    const body = `GET /smuggled HTTP/1.1\r\nHost: ${HOST}\r\nX-Api-Key: own\r\n\r\n`;
    const upgrade = ['Connection', 'Upgrade, HTTP2-Settings', 'Upgrade', 'h2c'];
    const fields = [...upgrade, 'HTTP2-Settings', 'AAMAAABkAAQAoAAAAAIAAAAA', 'X-Api-Key', OWN];
    const answer = await tunnel.request({ method: 'POST', path: '/', fields, body });
    expect(answer.status).toBe(200);
    const arrived = expectOnlyOurs();
    expect(arrived.body.toString()).toBe(body);
    expect(valuesOf(arrived.rawHeaders, 'upgrade')).toEqual([]);
  });

  test('I6 a WebSocket handshake carries the injected value, not the own one', async () => {
    scene.origin.clear();
    using tunnel = await open();
    const handshake = ['Connection', 'Upgrade', 'Upgrade', 'websocket'];
    const keys = ['Sec-WebSocket-Version', '13', 'Sec-WebSocket-Key', 'AAAAAAAAAAAAAAAAAAAAAA=='];
    const own = ['X-Api-Key', OWN, 'x_api_key', OWN, 'Authorization', OWN];
    tunnel.sendRequest({ path: `/live?key=${OWN}`, fields: [...handshake, ...keys, ...own] });
    await scene.origin.waitForRequests(1);
    expect(expectOnlyOurs().upgrade).toBe(true);
  });
});

describe('credentials in the user info of a URL', () => {
  test.each([`http://x:${OWN}@${HOST}/`, `http://${OWN}@${HOST}/`])(
    'I6 %s over plain http is refused',
    async (path) => {
      scene.origin.clear();
      using connection = await dialProxy(scene.product.proxy);
      const credentials = proxyAuthorization(sandbox.token);
      const fields = ['Host', HOST, 'Proxy-Authorization', credentials];
      expect(outcomeOf(await connection.request({ path, fields }))).toBe('400 bad_request');
      expect(scene.origin.requests).toEqual([]);
    },
  );

  test('I6 in absolute-form inside the tunnel it is refused', async () => {
    scene.origin.clear();
    using tunnel = await open();
    const answer = await tunnel.request({ path: `https://x:${OWN}@${HOST}/` });
    expect(outcomeOf(answer)).toBe('400 bad_request');
    expect(scene.origin.requests).toEqual([]);
  });
});

test('I3 the value reached the origin and nobody else', async () => {
  await expect(scene.product.assertNoLeak(value)).resolves.toBeUndefined();
});
