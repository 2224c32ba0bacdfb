/**
 * The proxy over TLS: the same answers, limits and interceptions as on the plain listener, with a certificate
 * of our own CA or the operator's. Real curl among the clients.
 */
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandEnv, ROOT, runSallyport } from '../cli/command-line.ts';
import { mintCanary } from '../support/canary.ts';
import { HttpConnection, proxyAuthorization, sendConnect, startTls } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { Origin, valuesOf } from '../support/origin.ts';
import { startProduct } from '../support/product.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { TestAuthority } from '../support/test-authority.ts';
import { runTool } from '../support/tool.ts';

const HOST = 'api.example.test';
const TUNNELLED = 'files.example.test';
const NAME = 'proxy.example.test';
const value = mintCanary();
let scene: Scene;
let sandbox: TestSandbox;

beforeAll(async () => {
  scene = await startScene({
    names: [HOST, TUNNELLED],
    settings: {
      proxy: {
        tls_listen: '127.0.0.1:0',
        tls: { names: [NAME, '127.0.0.1'] },
        public_url: `https://${NAME}:3130`,
      },
      limits: {
        connections_per_sandbox_max: 4,
        tls_handshake_timeout_ms: 700,
        head_timeout_ms: 700,
      },
    },
  });
  await scene.product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: [HOST] });
  sandbox = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
});

afterAll(async () => {
  await scene.product.assertNoLeak(value);
  await scene[Symbol.asyncDispose]();
});

/** A TLS connection to the proxy itself; `name: null` sends no SNI. */
async function dialTlsProxy(name: string | null = NAME, ca = scene.product.caPem) {
  const { host, port } = scene.product.proxyTls;
  const secure = tls.connect({
    host,
    port,
    ca,
    ...(name === null ? {} : { servername: name }),
    checkServerIdentity: (_, certificate) => tls.checkServerIdentity(name ?? host, certificate),
  });
  await Promise.race([once(secure, 'secureConnect'), once(secure, 'close')]);
  if (secure.destroyed) throw new Error('no TLS');
  return new HttpConnection(secure, `${host}:${port}`);
}

async function openTunnel(host: string, token = sandbox.token): Promise<HttpConnection> {
  const authority = `${host}:443`;
  const plan = { proxy: scene.product.proxyTls, authority, token };
  const { response, connection } = await sendConnect(plan, await dialTlsProxy());
  if (response.status !== 200) throw new Error(`${response.status} ${response.reason}`);
  return startTls(connection, authority, { ca: scene.product.caPem + scene.authority.caPem });
}

describe('through the TLS listener', () => {
  test('interception inside TLS: the secret is injected', async () => {
    using tunnel = await openTunnel(HOST);
    const big = 'x'.repeat(300_000);
    expect((await tunnel.request({ method: 'POST', path: '/', body: big })).status).toBe(200);
    expect(scene.origin.last.body).toHaveLength(big.length);
    expect(valuesOf(scene.origin.last.rawHeaders, 'authorization')).toEqual([`Bearer ${value}`]);
  });

  test('a tunnel inside TLS, counted in bytes', async () => {
    using tunnel = await openTunnel(TUNNELLED);
    expect((await tunnel.request({ path: '/' })).status).toBe(200);
    tunnel.destroy();
    await eventually(async () => {
      const path = `/sandboxes/${sandbox.id}/network?limit=20`;
      const { data } = await scene.product.admin.must('GET', path);
      const row = data.find((one: { host: string }) => one.host === TUNNELLED);
      expect(row.bytes_sent).toBeGreaterThan(300);
      expect(row.bytes_recv).toBeGreaterThan(300);
    });
  });

  test('a 407 leaves the connection open for the next CONNECT', async () => {
    const connection = await dialTlsProxy();
    const plan = { proxy: scene.product.proxyTls, authority: `${TUNNELLED}:443` };
    expect((await sendConnect(plan, connection)).response.status).toBe(407);
    const second = await sendConnect({ ...plan, token: sandbox.token }, connection);
    expect(second.response.status).toBe(200);
    connection.destroy();
  });

  test('its own paths and plain http requests', async () => {
    using connection = await dialTlsProxy(null);
    expect((await connection.request({ path: '/healthz' })).text()).toContain('ok');
    const fields = ['Host', HOST, 'Proxy-Authorization', proxyAuthorization(sandbox.token)];
    const answer = await connection.request({ path: `http://${HOST}/`, fields });
    expect(answer.status).toBe(502);
  });

  test.each([
    ['a name it has', NAME, `DNS:${NAME}`],
    ['another name', 'other.example.test', `DNS:${NAME}`],
    ['none, by address', null, 'IP Address:127.0.0.1'],
  ])('the certificate for who asks for %s', async (_, name, subject) => {
    const { host, port } = scene.product.proxyTls;
    const asked = name === null ? {} : { servername: name };
    const secure = tls.connect({ host, port, rejectUnauthorized: false, ...asked });
    await once(secure, 'secureConnect');
    expect(secure.getPeerCertificate().subjectaltname).toBe(subject);
    secure.destroy();
  });

  test('sallyport run', async () => {
    const { product } = scene;
    const env = { SALLYPORT_URL: product.admin.origin, SALLYPORT_API_KEY: product.admin.key };
    const proxy = ['--proxy', `https://127.0.0.1:${product.proxyTls.port}`];
    const command = ['--secret', 'api', '--', 'curl', '-sS', `https://${HOST}/`];
    const ran = await runSallyport(['run', ...proxy, ...command], { env });
    expect([ran.code, ran.stderr, ran.stdout]).toEqual([0, '', '{"ok":true}']);
  });

  test.each([
    ['sallyport relay', true, '{"ok":true}', 'port_denied'],
    ['sallyport relay, which tells no proxy its token that it does not trust', false, '', '502'],
  ])('%s', async (_, isTrusted, body, plainAnswer) => {
    const { product } = scene;
    const ca = join(product.directory, 'ca.pem');
    const upstream = ['--upstream', `https://127.0.0.1:${product.proxyTls.port}`];
    const args = [...upstream, ...(isTrusted ? ['--upstream-ca', ca] : [])];
    const relay = spawn(process.execPath, [join(ROOT, 'cli/main.ts'), 'relay', '--json', ...args], {
      env: commandEnv(),
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const ended = once(relay, 'exit');
    try {
      relay.stdin.end(`${sandbox.token}\n`);
      const [line] = (await once(relay.stdout, 'data')) as [Buffer];
      const { url } = JSON.parse(line.toString()) as { url: string };
      const got = await runTool('curl', ['-sS', '-x', url, '--cacert', ca, `https://${HOST}/`]);
      expect(got.stdout).toBe(body);
      const shown = ['-w', '%{http_code}', `http://${HOST}:9/`];
      expect((await runTool('curl', ['-sS', '-x', url, ...shown])).stdout).toContain(plainAnswer);
    } finally {
      relay.kill('SIGKILL');
      await ended;
    }
  });

  test("Node's fetch, with the variables of a sandbox", async () => {
    const { product } = scene;
    const code = `fetch('https://${HOST}/').then((r) => r.text()).then(console.log)`;
    const done = await runTool(process.execPath, ['-e', code], {
      env: {
        NODE_USE_ENV_PROXY: '1',
        NODE_EXTRA_CA_CERTS: join(product.directory, 'ca.pem'),
        HTTPS_PROXY: `https://sandbox:${sandbox.token}@127.0.0.1:${product.proxyTls.port}`,
      },
    });
    expect(done.stdout.trim()).toBe('{"ok":true}');
  });

  test('curl, with the files of a sandbox', async () => {
    const { product, authority } = scene;
    const { port } = product.proxyTls;
    const bundle = join(product.directory, 'ca.pem');
    const args = ['-sS', '--proxy', `https://sandbox:${sandbox.token}@${NAME}:${port}`];
    const where = ['--resolve', `${NAME}:${port}:127.0.0.1`, '--proxy-cacert', bundle];
    const done = await runTool('curl', [...args, ...where, '--cacert', bundle, `https://${HOST}/`]);
    expect([done.code, done.stderr, done.stdout]).toEqual([0, '', '{"ok":true}']);
    const wrong = join(product.directory, 'wrong-ca.pem');
    await writeFile(wrong, authority.caPem);
    const bad = await runTool('curl', [
      ...args,
      ...where.slice(0, 3),
      wrong,
      '--cacert',
      bundle,
      `https://${HOST}/`,
    ]);
    expect(bad.code).not.toBe(0);
  });

  test('sandboxes are told the public URL', () => {
    expect(sandbox.env['HTTPS_PROXY']).toMatch(new RegExp(`^https://[^@]+@${NAME}:3130$`));
  });
});

describe('its limits', () => {
  test('I7: a handshake that does not come, or stops, is ended', async () => {
    const { host, port } = scene.product.proxyTls;
    const silent = net.connect(port, host);
    const halting = net.connect(port, host);
    halting.write(Buffer.from([0x16, 3, 1, 2, 0, 1]));
    const plain = net.connect(port, host);
    plain.write('CONNECT a:443 HTTP/1.1\r\n\r\n');
    const sockets = [silent, halting, plain];
    for (const socket of sockets) socket.on('error', () => {}).resume();
    const closing = sockets.map(
      (socket) => new Promise((resolve) => socket.once('close', resolve)),
    );
    await Promise.all(closing);
    expect(sockets.map((socket) => socket.destroyed)).toEqual([true, true, true]);
  });

  test('I7: a head that stops is refused in time', async () => {
    using connection = await dialTlsProxy();
    connection.send('CONNECT api.example.test:443 HTTP/1.1\r\nHost: a');
    const head = await connection.readHead();
    expect(head.status).toBe(408);
  });

  test('I7: connections of a sandbox count over both listeners', async () => {
    const box = await scene.product.createSandbox();
    const open = await Promise.all([
      openTunnel(TUNNELLED, box.token),
      openTunnel(TUNNELLED, box.token),
      scene.product.openTunnel(box, `${TUNNELLED}:443`, scene.authority.caPem),
      scene.product.openTunnel(box, `${TUNNELLED}:443`, scene.authority.caPem),
    ]);
    await expect(openTunnel(TUNNELLED, box.token)).rejects.toThrow('503 too_many_connections');
    for (const tunnel of open) tunnel.destroy();
  });

  test('I5: it is never dialled through the proxy', async () => {
    await eventually(async () => {
      const plan = { proxy: scene.product.proxy, token: sandbox.token };
      const authority = `127.0.0.1:${scene.product.proxyTls.port}`;
      using answer = await sendConnect({ ...plan, authority });
      expect(answer.response.reason).toBe('internal_address_denied');
    });
  });

  test('a deleted sandbox loses what it has open there', async () => {
    const box = await scene.product.createSandbox({ secrets: { KEY: 'api' } });
    const tunnel = await openTunnel(HOST, box.token);
    const closed = new Promise((resolve) => tunnel.socket.once('close', resolve));
    await scene.product.admin.must('DELETE', `/sandboxes/${box.id}`);
    await closed;
    expect(tunnel.socket.destroyed).toBe(true);
  });
});

test("with the operator's certificate; stopping waits for nobody who does nothing", async () => {
  const company = new TestAuthority('Company');
  const leaf = company.mintLeaf([NAME]);
  await using origin = await Origin.start({ leaf: company.mintLeaf([HOST]) });
  await using product = await startProduct({
    originCa: company.caPem,
    hosts: { [HOST]: origin.address },
    settings: {
      limits: { connections_max: 2 },
      proxy: { tls_listen: '127.0.0.1:0', tls: { cert_file: 'proxy.pem', key_file: 'proxy.key' } },
    },
    files: { 'proxy.pem': leaf.certPem, 'proxy.key': leaf.keyPem },
  });
  const { host, port } = product.proxyTls;
  const idle = tls.connect({ host, port, ca: company.caPem, servername: NAME });
  await once(idle, 'secureConnect');
  const second = tls.connect({ host, port, ca: company.caPem, servername: NAME });
  await once(
    second.on('error', () => {}),
    'secureConnect',
  );
  // I7: a third has no room, and no handshake either.
  const third = net.connect({ host, port });
  third.on('error', () => {}).write('\x16');
  await new Promise((resolve) => third.once('close', resolve));
  // It may be a reset: nobody was waiting for anything.
  const closed = new Promise((resolve) => idle.on('error', () => {}).once('close', resolve));
  idle.resume();
  await product.stop();
  await closed;
  expect(product.output.stdout).toContain('"proxy_tls"');
});
