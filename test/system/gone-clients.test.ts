/**
 * Clients that break off at an awkward moment, with a reset: while a name is being resolved, while a
 * request before theirs is still being answered, while a tunnel is being dialled. What was not sent yet
 * is not sent, what was opened is closed, and the trail says so (I4).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDnsServer } from '../egress/dns-server.ts';
import type { DnsServer } from '../egress/dns-server.ts';
import { mintCanary } from '../support/canary.ts';
import { dialProxy, proxyAuthorization, sendConnect, startTls } from '../support/client.ts';
import type { HttpConnection } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { Origin } from '../support/origin.ts';
import { endless } from '../support/origin-replies.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { startUnansweringPort } from '../support/unanswering-port.ts';
import type { UnansweringPort } from '../support/unanswering-port.ts';

const HOST = 'api.example.test';
let scene: Scene;
let plain: Origin;
let dns: DnsServer;
let silent: UnansweringPort;

beforeAll(async () => {
  dns = await startDnsServer();
  plain = await Origin.start({ handlers: { '*': endless() } });
  silent = await startUnansweringPort();
  scene = await startScene({
    names: [HOST],
    hosts: { 'silent.example.test': silent.address },
    handlers: { '*': endless() },
    settings: { egress: { dns: { servers: [dns.address] } } },
  });
  const more = { auth: { type: 'bearer' }, hosts: [HOST] };
  await scene.product.createSecret('api', mintCanary(), more);
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
  await Promise.all([plain.close(), dns.close(), silent.close()]);
});

const reset = (connection: HttpConnection): void => {
  connection.socket.resetAndDestroy();
};

interface Row {
  readonly kind: string;
  readonly path?: string;
  readonly error_code?: string;
}

/** The rows of a sandbox, once there are `count`. */
async function waitForRows(sandbox: TestSandbox, count: number): Promise<readonly Row[]> {
  return eventually(async () => {
    const path = `/sandboxes/${sandbox.id}/network`;
    const { data } = (await scene.product.admin.must('GET', path)) as { data: readonly Row[] };
    expect(data).toHaveLength(count);
    return data;
  });
}

test('during the look-up: nothing is sent, nothing stays open, one row', async () => {
  const sandbox = await scene.product.createSandbox();
  dns.zone.set('late.example.test', { a: ['127.0.0.1'], isSilent: 'aaaa' });
  const authority = `late.example.test:${plain.port}`;
  using connection = await dialProxy(scene.product.proxy);
  connection.sendRequest({
    path: `http://${authority}/`,
    fields: ['Host', authority, 'Proxy-Authorization', proxyAuthorization(sandbox.token)],
  });
  // A has answered; AAAA is waited for another second.
  await eventually(() => expect(dns.asked).toContain('late.example.test aaaa'));
  reset(connection);
  expect(await waitForRows(sandbox, 1)).toMatchObject([{ error_code: 'client_aborted' }]);
  expect(plain.requests).toHaveLength(0);
  await eventually(() => expect(plain.openConnections).toBe(0));
});

test('with a second request behind the first: the second is not sent', async () => {
  const { product, origin } = scene;
  const sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
  const plan = { proxy: product.proxy, authority: `${HOST}:443`, token: sandbox.token };
  const { connection } = await sendConnect(plan);
  using tunnel = await startTls(connection, `${HOST}:443`, { ca: product.caPem });
  const ask = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
  tunnel.send(ask('/first') + ask('/second'));
  await origin.waitForRequests(1);
  reset(connection);
  expect(await waitForRows(sandbox, 1)).toMatchObject([
    { path: '/first', error_code: 'client_aborted' },
  ]);
  await delay(100);
  expect(origin.requests.map(({ url }) => url)).toEqual(['/first']);
});

test('while a tunnel is dialled: client_aborted, no fault of ours', async () => {
  const sandbox = await scene.product.createSandbox();
  using connection = await dialProxy(scene.product.proxy);
  const credentials = proxyAuthorization(sandbox.token);
  connection.send(
    `CONNECT silent.example.test:443 HTTP/1.1\r\nProxy-Authorization: ${credentials}\r\n\r\n`,
  );
  await delay(200);
  reset(connection);
  expect(await waitForRows(sandbox, 1)).toMatchObject([
    { kind: 'connection', error_code: 'client_aborted' },
  ]);
});
