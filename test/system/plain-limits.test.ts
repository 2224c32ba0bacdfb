/**
 * What holds on a CONNECT holds on every other way in (proxy sections 1 and 2): guesses are delayed on
 * upgrades too, connections beyond the limit get their 503 and nothing else, a plain connection follows
 * the token of its requests.
 */
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dialProxy, proxyAuthorization } from '../support/client.ts';
import type { HttpConnection } from '../support/client.ts';
import { Origin } from '../support/origin.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';

const HOST = 'plain.example.test';
const CONNECTIONS = 30;
let origin: Origin;
let product: Product;

beforeAll(async () => {
  origin = await Origin.start();
  product = await startProduct({
    hosts: { [HOST]: origin.address },
    settings: { proxy: { listen: '0.0.0.0:0' }, limits: { connections_max: CONNECTIONS } },
  });
});

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  await origin.close();
});

function send(connection: HttpConnection, token: string, ...lines: readonly string[]): void {
  const authorization = `Proxy-Authorization: ${proxyAuthorization(token)}`;
  const head = [`GET http://${HOST}/ HTTP/1.1`, `Host: ${HOST}`, authorization, ...lines];
  connection.send(`${head.join('\r\n')}\r\n\r\n`);
}

async function statusWith(connection: HttpConnection, sandbox: TestSandbox): Promise<number> {
  send(connection, sandbox.token);
  return (await connection.readResponse()).status;
}

test('a connection beyond the limit is refused, and what it sends is not served', async () => {
  const sandbox = await product.createSandbox();
  const held = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => dialProxy(product.proxy)),
  );
  using surplus = await dialProxy(product.proxy);
  send(surplus, sandbox.token);
  const text = (await surplus.reader.readToEnd()).toString();
  expect(text).toMatch(/^HTTP\/1.1 503 too_many_connections\r\n/);
  expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
  expect(origin.requests).toHaveLength(0);
  const closed = held.map((connection) => once(connection.socket, 'close'));
  for (const connection of held) connection.destroy();
  await Promise.all(closed);
});

test('a plain connection ends with the token it used last, not with an earlier one', async () => {
  const one = await product.createSandbox();
  const other = await product.createSandbox();
  using connection = await dialProxy(product.proxy);
  for (const sandbox of [one, other, one, other]) {
    expect(await statusWith(connection, sandbox)).toBe(200);
  }
  await product.admin.must('DELETE', `/sandboxes/${one.id}`);
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  expect(await statusWith(connection, other)).toBe(200);
  await product.admin.must('DELETE', `/sandboxes/${other.id}`);
  await connection.reader.waitForEnd();
});

test('the address a connection came to is this listener, whatever it listens on', async () => {
  const { port } = product.proxy;
  using connection = await dialProxy({ host: '127.0.0.5', port });
  const { status } = await connection.request({ path: `http://127.0.0.5:${port}/healthz` });
  expect(status).toBe(200);
});

test('guesses by upgrade are delayed like the others', async () => {
  const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
  const guess = async (number: number): Promise<string> => {
    using connection = await dialProxy(product.proxy);
    const lines = [...upgrade, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
    send(connection, `guess-${number}`, ...lines);
    // The order of answers shows the delay: no time is measured.
    const answered = connection.readHead().then(({ status }) => `answer ${status}`);
    const other = dialProxy(product.proxy).then(async (challenge) => {
      challenge.send(`GET http://${HOST}/ HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      await new Promise((resolve) => setTimeout(resolve, 300));
      const { status } = await challenge.readResponse();
      challenge.destroy();
      return `challenge ${status}`;
    });
    const first = await Promise.race([answered, other]);
    await Promise.all([answered, other]);
    return first;
  };
  const firsts: string[] = [];
  for (let number = 1; number <= 20; number += 1) firsts.push(await guess(number));
  expect(firsts.slice(0, 19)).toEqual(Array.from({ length: 19 }, () => 'answer 407'));
  expect(firsts[19]).toBe('challenge 407');
});
