/**
 * `egress.tunnel_sni: check`: the server name of the TLS hello inside a tunnel is held to the rules of the
 * sandbox, without changing or holding back a byte of what is allowed, whoever speaks first.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { dialProxy, proxyAuthorization, sendConnect, startTls } from '../support/client.ts';
import type { HttpConnection } from '../support/client.ts';
import { extension, helloMessage, records, serverNames } from '../support/client-hello.ts';
import { eventually } from '../support/eventually.ts';
import type { SandboxPlan, TestSandbox } from '../support/product.ts';
import { RawOrigin } from '../support/raw-origin.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const NAMED = 'named.example.test';
const OTHER = 'other.example.test';
const BOUND = 'api.example.test';
const RAW = 'raw.example.test';
const BANNER = 'SSH-2.0-origin\r\n';
let scene: Scene;
let raw: RawOrigin;

beforeAll(async () => {
  // Says its banner at once, then whatever it is told comes back as `bytes()`.
  raw = await RawOrigin.start({ scripts: [[{ send: BANNER }]] });
  scene = await startScene({
    names: [NAMED, OTHER, BOUND],
    hosts: { [RAW]: raw.address },
    settings: { egress: { tunnel_sni: 'check' }, limits: { tls_handshake_timeout_ms: 400 } },
  });
  await scene.product.createSecret('api', mintCanary(), {
    auth: { type: 'bearer' },
    hosts: [BOUND],
  });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
  await raw.close();
});

const STRICT: SandboxPlan = { network: { allow_out: [NAMED, RAW] } };

async function connect(sandbox: TestSandbox, host: string): Promise<HttpConnection> {
  const plan = { proxy: scene.product.proxy, authority: `${host}:443`, token: sandbox.token };
  const { response, connection } = await sendConnect(plan);
  expect(response.status).toBe(200);
  return connection;
}

async function handshake(sandbox: TestSandbox, host: string, serverName: string | null) {
  const connection = await connect(sandbox, host);
  const ca = scene.authority.caPem;
  return startTls(connection, `${host}:443`, { ca, serverName });
}

interface Row {
  readonly code: string | null;
  readonly decision: string;
  readonly verdict: string;
  readonly detail: string | null;
  readonly bytes_in: number;
}

async function rowOf(sandbox: TestSandbox): Promise<Row> {
  return eventually(async () => {
    const path = `/audit?sandbox=${sandbox.id}`;
    const { data } = (await scene.product.admin.must('GET', path)) as { data: Row[] };
    expect(data).toHaveLength(1);
    return data[0] as Row;
  });
}

/** The bytes of the newest connection of the raw origin. */
const received = (): Buffer => raw.connections.at(-1)?.bytes() ?? Buffer.alloc(0);

describe('under a strict allow list', () => {
  test.each([
    ['the same name', NAMED],
    ['another spelling of it', 'NAMED.Example.TEST'],
    ['none', null],
  ])('%s passes', async (_, serverName) => {
    const sandbox = await scene.product.createSandbox(STRICT);
    using tunnel = await handshake(sandbox, NAMED, serverName);
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
  });

  test('a name that the rules would refuse closes the tunnel; the origin gets no byte', async () => {
    const sandbox = await scene.product.createSandbox(STRICT);
    using connection = await connect(sandbox, RAW);
    connection.send(records(helloMessage([serverNames(OTHER)])));
    await connection.reader.waitForEnd(3_000);
    expect(await rowOf(sandbox)).toMatchObject({
      code: 'sni_mismatch',
      decision: 'deny',
      verdict: 'blocked',
      detail: `${OTHER}: host_not_allowed`,
    });
    expect(received()).toEqual(Buffer.alloc(0));
  });

  test('two names, a name that is no host, a hello that breaks off or never ends: closed (I6)', async () => {
    const twice = records(helloMessage([serverNames(RAW), serverNames(RAW)]));
    const noHost = records(helloMessage([serverNames('a..b')]));
    const whole = records(helloMessage([serverNames(RAW)]));
    for (const bytes of [twice, noHost, whole.subarray(0, 20)]) {
      const sandbox = await scene.product.createSandbox(STRICT);
      using connection = await connect(sandbox, RAW);
      connection.send(bytes);
      await connection.reader.waitForEnd(3_000);
      expect(await rowOf(sandbox)).toMatchObject({ code: 'sni_mismatch', decision: 'deny' });
      expect(received()).toEqual(Buffer.alloc(0));
    }
  });

  test('sent together with the CONNECT it is held back all the same', async () => {
    const sandbox = await scene.product.createSandbox(STRICT);
    const { proxy } = scene.product;
    const refused = records(helloMessage([serverNames(OTHER)]));
    const allowed = records(helloMessage([serverNames(RAW)]));
    for (const [hello, passes] of [
      [refused, false],
      [allowed, true],
    ] as const) {
      const before = raw.connections.length;
      using connection = await dialProxy(proxy);
      const credentials = `Proxy-Authorization: ${proxyAuthorization(sandbox.token)}`;
      const head = Buffer.from(`CONNECT ${RAW}:443 HTTP/1.1\r\n${credentials}\r\n\r\n`);
      connection.send(Buffer.concat([head, hello]));
      expect((await connection.readHead()).status).toBe(200);
      await eventually(() => expect(raw.connections.length).toBe(before + 1));
      if (!passes) await connection.reader.waitForEnd(3_000);
      const expected = passes ? hello : Buffer.alloc(0);
      await eventually(() => expect(received()).toEqual(expected));
    }
  });

  test('rules narrowed to refuse the name close the tunnel', async () => {
    const network = { allow_out: [RAW, OTHER] };
    const sandbox = await scene.product.createSandbox({ network });
    using connection = await connect(sandbox, RAW);
    const hello = records(helloMessage([serverNames(OTHER)]));
    connection.send(hello);
    await eventually(() => expect(received()).toEqual(hello));
    const narrowed = { network: { allow_out: [RAW], deny_out: [] } };
    await scene.product.admin.must('PATCH', `/sandboxes/${sandbox.id}`, narrowed);
    await connection.reader.waitForEnd(3_000);
    expect(await rowOf(sandbox)).toMatchObject({ code: 'closed_by_policy' });
  });
});

describe('where nothing refuses it', () => {
  test('another name passes, byte for byte, in any pieces', async () => {
    const sandbox = await scene.product.createSandbox();
    using connection = await connect(sandbox, RAW);
    const padding = extension(21, Buffer.alloc(3_000));
    const bytes = Buffer.concat([
      records(helloMessage([padding, serverNames(OTHER)]), 700),
      Buffer.from('early data'),
    ]);
    for (let at = 0; at < bytes.length; at += 97) {
      connection.send(bytes.subarray(at, at + 97));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually(() => expect(received()).toEqual(bytes));
    connection.reset();
    expect(await rowOf(sandbox)).toMatchObject({ code: null, bytes_in: bytes.length });
  });

  test('the name of a host that is intercepted is closed: its secret was passed by', async () => {
    const sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
    await expect(handshake(sandbox, OTHER, BOUND)).rejects.toThrow(
      /disconnected|cut off|ECONNRESET/,
    );
    expect(await rowOf(sandbox)).toMatchObject({
      code: 'sni_mismatch',
      detail: `${BOUND}: a host that is intercepted`,
    });
  });
});

describe('protocols that are not TLS', () => {
  test('a server that speaks first is heard at once, then both ways', async () => {
    const sandbox = await scene.product.createSandbox(STRICT);
    using connection = await connect(sandbox, RAW);
    expect((await connection.reader.readUntil(BANNER)).toString()).toBe(BANNER);
    // Longer than a handshake may take: the time runs from the client's first byte.
    await delay(600);
    connection.send('SSH-2.0-client\r\n');
    await eventually(() => expect(received().toString()).toBe('SSH-2.0-client\r\n'));
  });

  test('a client that only ends its half still gets everything', async () => {
    const sandbox = await scene.product.createSandbox(STRICT);
    using connection = await connect(sandbox, RAW);
    connection.socket.end();
    expect((await connection.reader.readUntil(BANNER)).toString()).toBe(BANNER);
    await eventually(() => expect(raw.connections.at(-1)?.ended()).toBe(true));
    raw.connections.at(-1)?.socket.end('bye');
    expect((await connection.reader.readUntil('bye')).toString()).toBe('bye');
    expect(await rowOf(sandbox)).toMatchObject({ code: null, decision: 'tunnel' });
  });

  test('a client that resets before it spoke is no fault of the origin; one row (I4)', async () => {
    const sandbox = await scene.product.createSandbox(STRICT);
    const connection = await connect(sandbox, RAW);
    await connection.reader.readUntil(BANNER);
    connection.reset();
    expect(await rowOf(sandbox)).toMatchObject({ code: null, decision: 'tunnel' });
  });
});
