/**
 * Clients that reset the connection at every point of an exchange. After each: nobody else notices, one
 * audit event for every request that was read (I4), and nothing is held (I7).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { dialProxy, proxyAuthorization, sendConnect } from '../support/client.ts';
import type { HttpConnection } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { big, endless, events, slow } from '../support/origin-replies.ts';
import type { Product, TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const HOST = 'api.example.test';
const FREE = 'free.example.test';
const SWITCH =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const value = mintCanary();
let scene: Scene;
let product: Product;

beforeAll(async () => {
  scene = await startScene({
    names: [HOST, FREE],
    onUpgrade: (_request, socket) => {
      socket.on('error', () => {});
      socket.write(`${SWITCH}first frame`);
    },
    handlers: {
      '/slow': slow(700, 'late but whole'),
      '/endless': endless(),
      '/events': events(10_000, 5),
      '/big': big(8 * 1024 * 1024),
    },
  });
  product = scene.product;
  await product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST] });
});

afterAll(async () => {
  await product.assertNoLeak(value);
  await scene[Symbol.asyncDispose]();
});

interface Row {
  readonly kind: string;
  readonly path?: string;
  readonly error_code?: string | null;
}

async function listRequests(sandbox: TestSandbox): Promise<Row[]> {
  const path = `/sandboxes/${sandbox.id}/network?limit=1000`;
  const { data } = (await product.admin.must('GET', path)) as { data: Row[] };
  return data.filter(({ kind }) => kind === 'request');
}

const open = (sandbox: TestSandbox): Promise<HttpConnection> =>
  product.openTunnel(sandbox, `${HOST}:443`);

async function expectServes(sandbox: TestSandbox): Promise<void> {
  using tunnel = await open(sandbox);
  const answer = await tunnel.request({ path: '/still-there' });
  if (answer.status !== 200) throw new Error(`no service: ${answer.status} ${answer.text()}`);
}

describe('I4 clients that reset the connection', () => {
  const authority = `${HOST}:443`;
  const head = `GET /reset HTTP/1.1\r\nHost: ${HOST}\r\n`;
  const post = `POST /reset HTTP/1.1\r\nHost: ${HOST}\r\n`;

  async function bareTunnel(sandbox: TestSandbox): Promise<HttpConnection> {
    const plan = { proxy: product.proxy, authority, token: sandbox.token };
    return (await sendConnect(plan)).connection;
  }

  /** Each leaves a connection at one point of an exchange; `requests`: how many events that makes. */
  const points: readonly {
    readonly when: string;
    readonly requests: number;
    readonly go: (sandbox: TestSandbox) => Promise<HttpConnection>;
  }[] = [
    { when: 'after connecting', requests: 0, go: () => dialProxy(product.proxy) },
    {
      when: 'amid the CONNECT',
      requests: 0,
      go: async () => {
        const client = await dialProxy(product.proxy);
        client.send(`CONNECT ${authority} HTTP/1.1\r\nHost: ap`);
        return client;
      },
    },
    {
      when: 'right after the CONNECT',
      requests: 0,
      go: async ({ token }) => {
        const client = await dialProxy(product.proxy);
        const credentials = `Proxy-Authorization: ${proxyAuthorization(token)}\r\n`;
        client.send(`CONNECT ${authority} HTTP/1.1\r\n${credentials}\r\n`);
        return client;
      },
    },
    {
      when: 'after the 200',
      requests: 0,
      go: (sandbox) => bareTunnel(sandbox),
    },
    {
      when: 'amid the ClientHello',
      requests: 0,
      go: async (sandbox) => {
        const client = await bareTunnel(sandbox);
        client.send(Buffer.from('160301020001000100', 'hex'));
        return client;
      },
    },
    { when: 'after the handshake', requests: 0, go: open },
    {
      when: 'amid the head',
      requests: 0,
      go: async (sandbox) => {
        const client = await open(sandbox);
        client.send(head);
        return client;
      },
    },
    {
      when: 'after the head, before the body',
      requests: 1,
      go: async (sandbox) => {
        const client = await open(sandbox);
        client.send(`${post}Content-Length: 100\r\n\r\n`);
        return client;
      },
    },
    {
      when: 'amid a body',
      requests: 1,
      go: async (sandbox) => {
        const client = await open(sandbox);
        client.send(`${post}Content-Length: 100\r\n\r\nhalf`);
        return client;
      },
    },
    {
      when: 'amid a chunk',
      requests: 1,
      go: async (sandbox) => {
        const client = await open(sandbox);
        client.send(`${post}Transfer-Encoding: chunked\r\n\r\n64\r\nhalf`);
        return client;
      },
    },
    {
      when: 'while waiting for the response',
      requests: 1,
      go: async (sandbox) => {
        const client = await open(sandbox);
        client.send(`${head.replace('/reset', '/slow')}\r\n`);
        return client;
      },
    },
    {
      when: 'amid a stream',
      requests: 1,
      go: async (sandbox) => {
        const tunnel = await open(sandbox);
        tunnel.sendRequest({ path: '/events' });
        await tunnel.reader.readUntil('event 1');
        return tunnel;
      },
    },
    {
      when: 'amid a large body that it does not read',
      requests: 1,
      go: async (sandbox) => {
        const tunnel = await open(sandbox);
        tunnel.sendRequest({ path: '/big' });
        await tunnel.reader.readUntil('\r\n\r\n');
        tunnel.socket.pause();
        return tunnel;
      },
    },
    {
      when: 'with an upgraded connection',
      requests: 1,
      go: async (sandbox) => {
        const tunnel = await open(sandbox);
        const upgrade = ['Connection', 'Upgrade', 'Upgrade', 'websocket'];
        const key = [
          'Sec-WebSocket-Version',
          '13',
          'Sec-WebSocket-Key',
          'AAAAAAAAAAAAAAAAAAAAAA==',
        ];
        tunnel.sendRequest({ path: '/live', fields: [...upgrade, ...key] });
        await tunnel.reader.readUntil('first frame');
        return tunnel;
      },
    },
    {
      when: 'with a tunnel that is not looked into',
      requests: 0,
      go: async ({ token }) => {
        const plan = { proxy: product.proxy, authority: `${FREE}:443`, token };
        const { connection } = await sendConnect(plan);
        connection.send(Buffer.from('160301020001000100', 'hex'));
        return connection;
      },
    },
    {
      when: 'with more requests waiting behind',
      requests: 1,
      go: async (sandbox) => {
        const client = await open(sandbox);
        client.send(`${head.replace('/reset', '/endless')}\r\n${head}\r\n${head}\r\n`);
        return client;
      },
    },
  ];

  test.each(points)('$when', async ({ requests, go }) => {
    const sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
    for (const waitMs of [0, 1, 20]) {
      const client = await go(sandbox);
      await delay(waitMs);
      client.reset();
    }
    const other = await product.createSandbox({ secrets: { KEY: 'api' } });
    await expectServes(other);
    await expectServes(sandbox);
    await eventually(async () => {
      const rows = await listRequests(sandbox);
      const cut = rows.filter(({ path }) => path !== '/still-there');
      // A reset may overtake the last bytes before it: then there was no request to record.
      expect(cut.length).toBeLessThanOrEqual(3 * requests);
      expect(cut.length).toBeGreaterThanOrEqual(requests);
      expect(cut.every(({ error_code: code }) => code === 'client_aborted')).toBe(true);
      expect(rows.length - cut.length).toBe(1);
    });
  });

  test('I7 afterwards nothing is held: no client, no tunnel, no exchange with the origin', async () => {
    await eventually(async () => {
      const text = (await product.admin.get('/metrics')).text;
      const held = [...text.matchAll(/^sallyport_connections\{kind="(\w+)"\} (\d+)$/gm)];
      expect(held.length).toBeGreaterThan(0);
      expect(held.filter(([, , count]) => count !== '0').map(([line]) => line)).toEqual([]);
    }, 5_000);
  });
});
