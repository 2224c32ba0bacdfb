/**
 * Requests without a CONNECT from sandboxes that may not make them: paused, from a wrong address, with no
 * room left, for ordinary requests, upgrades and the proxy's own paths. Refused like on a CONNECT, and
 * recorded like every exchange (I4).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dialProxy, proxyAuthorization } from '../support/client.ts';
import type { HttpConnection, RawResponse } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { Origin } from '../support/origin.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';

const HOST = 'plain.example.test';
let origin: Origin;
let product: Product;

beforeAll(async () => {
  origin = await Origin.start();
  product = await startProduct({
    hosts: { [HOST]: origin.address },
    settings: { limits: { connections_per_sandbox_max: 2 } },
  });
});

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  await origin.close();
});

const UPGRADE = 'Connection,Upgrade,Upgrade,websocket,Sec-WebSocket-Key,a,Sec-WebSocket-Version,13';
const kinds = [
  ['an ordinary request', []],
  ['an upgrade', UPGRADE.split(',')],
] as const;

function ask(
  connection: HttpConnection,
  sandbox: TestSandbox,
  fields: readonly string[],
): Promise<RawResponse> {
  const credentials = ['Proxy-Authorization', proxyAuthorization(sandbox.token)];
  return connection.request({
    path: `http://${HOST}/`,
    fields: ['Host', HOST, ...credentials, ...fields],
  });
}

/** The code of the one row the sandbox has. */
async function waitForCode(sandbox: TestSandbox, code: string): Promise<void> {
  await eventually(async () => {
    const path = `/sandboxes/${sandbox.id}/network`;
    const { data } = (await product.admin.must('GET', path)) as {
      data: readonly { kind: string; host: string; error_code?: string }[];
    };
    expect(data).toMatchObject([{ kind: 'request', host: HOST, error_code: code }]);
  });
}

describe.each(kinds)('%s', (_kind, fields) => {
  test('of a paused sandbox is refused and recorded', async () => {
    const sandbox = await product.createSandbox();
    await product.admin.must('POST', `/sandboxes/${sandbox.id}/pause`);
    using connection = await dialProxy(product.proxy);
    const answer = await ask(connection, sandbox, fields);
    expect([answer.status, answer.reason]).toEqual([403, 'sandbox_paused']);
    await waitForCode(sandbox, 'sandbox_paused');
  });

  test('from an address the token is not for is challenged and recorded', async () => {
    const sandbox = await product.createSandbox({ more: { source_cidrs: ['10.0.0.0/8'] } });
    using connection = await dialProxy(product.proxy);
    const answer = await ask(connection, sandbox, fields);
    expect([answer.status, answer.reason]).toEqual([407, 'proxy_auth_required']);
    await waitForCode(sandbox, 'proxy_auth_required');
  });

  test('beyond the connections of its sandbox is refused and recorded', async () => {
    const sandbox = await product.createSandbox();
    const busy = [await dialProxy(product.proxy), await dialProxy(product.proxy)];
    for (const connection of busy) {
      expect((await ask(connection, sandbox, [])).status).toBe(200);
    }
    using connection = await dialProxy(product.proxy);
    const answer = await ask(connection, sandbox, fields);
    expect([answer.status, answer.reason]).toEqual([503, 'too_many_connections']);
    for (const one of busy) one.destroy();
    await eventually(async () => {
      const path = `/sandboxes/${sandbox.id}/network`;
      const text = JSON.stringify(await product.admin.must('GET', path));
      expect(text).toContain('"too_many_connections"');
    });
  });
});

describe('/.well-known/sallyport', () => {
  const path = '/.well-known/sallyport';

  test('is not for a token that is used from elsewhere', async () => {
    const sandbox = await product.createSandbox({ more: { source_cidrs: ['10.0.0.0/8'] } });
    using connection = await dialProxy(product.proxy);
    for (const name of ['Authorization', 'Proxy-Authorization']) {
      const answer = await connection.request({ path, fields: [name, `Bearer ${sandbox.token}`] });
      expect(answer.status).toBe(407);
      expect(answer.text()).not.toContain(sandbox.id);
    }
  });

  test('lists no secret that has expired', async () => {
    const expiresAt = new Date(Date.now() + 1_500).toISOString();
    const more = { auth: { type: 'bearer' }, hosts: [HOST], expires_at: expiresAt };
    await product.createSecret('fading', 'not-a-real-key-0001', more);
    const sandbox = await product.createSandbox({ secrets: { FADING: 'fading' } });
    using connection = await dialProxy(product.proxy);
    const read = async (): Promise<string> =>
      (
        await connection.request({ path, fields: ['Authorization', `Bearer ${sandbox.token}`] })
      ).text();
    expect(await read()).toContain('FADING');
    await eventually(async () => expect(await read()).not.toContain('FADING'));
  });
});
