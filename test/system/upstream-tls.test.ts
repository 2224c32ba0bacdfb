/**
 * An origin whose TLS is not as it should be, fault by fault, through the whole product: refused with a
 * sentence that names the fault, nothing of the request sent, and served again once the origin is mended.
 */
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import tls from 'node:tls';
import type { SecureContextOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { eventually } from '../support/eventually.ts';
import { startProduct } from '../support/product.ts';
import type { Product, TestSandbox } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';
import type { LeafFault } from '../support/test-authority.ts';

const HOST = 'api.example.test';
const LISTED = 'listed.example.test';
const OWN_CA = 'own-ca.example.test';
const NAMES = [HOST, LISTED, OWN_CA];
const value = mintCanary();
const root = new TestAuthority('Trusted root');
const stranger = new TestAuthority('Stranger');
const company = new TestAuthority('Company root');
const issuing = new TestAuthority('Issuing', root);
const narrow = new TestAuthority('Narrow', root, { permittedName: 'other.test' });
const good = root.mintLeaf(NAMES);
const revoked = root.mintLeaf(NAMES);

/** Answers on one port with whatever TLS, or none, it is told. */
class ChangingOrigin {
  /** Instead of TLS. */
  onRaw: ((socket: Socket) => void) | null = null;
  requests = 0;
  readonly #tls: tls.Server;
  readonly #front: net.Server;
  readonly #sockets = new Set<Socket>();

  constructor() {
    const inner = http.createServer((_, response) => {
      this.requests += 1;
      response.setHeader('connection', 'close');
      response.end('ok');
    });
    this.#tls = tls.createServer(contextOf(good), (socket) => {
      socket.on('error', () => {});
      inner.emit('connection', socket);
    });
    this.#tls.on('tlsClientError', () => {});
    this.#front = net.createServer((socket) => {
      this.#sockets.add(socket.on('error', () => {}));
      if (this.onRaw === null) this.#tls.emit('connection', socket);
      else this.onRaw(socket);
    });
  }

  async listen(): Promise<string> {
    this.#front.listen(0, '127.0.0.1');
    await once(this.#front, 'listening');
    return `127.0.0.1:${(this.#front.address() as AddressInfo).port}`;
  }

  /** A new context has new ticket keys: no session of an earlier one is resumed. */
  use(options: SecureContextOptions = contextOf(good)): void {
    this.onRaw = null;
    this.#tls.setSecureContext({ minVersion: 'TLSv1', ...options });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#front.close(resolve));
  }
}

function contextOf({ certPem: cert, keyPem: key }: { certPem: string; keyPem: string }) {
  return { cert, key };
}

function leafOf(fault: LeafFault, names = NAMES, from = root): SecureContextOptions {
  return { ...contextOf(from.mintLeaf(names, fault)), ciphers: 'DEFAULT:@SECLEVEL=0' };
}

function withChain(from: TestAuthority, ...chain: readonly TestAuthority[]): SecureContextOptions {
  const { certPem, keyPem } = from.mintLeaf(NAMES);
  return { cert: certPem + chain.map(({ caPem }) => caPem).join(''), key: keyPem };
}

const origin = new ChangingOrigin();
let product: Product;
let sandbox: TestSandbox;

beforeAll(async () => {
  const address = await origin.listen();
  product = await startProduct({
    originCa: root.caPem,
    hosts: Object.fromEntries(NAMES.map((name) => [name, address])),
    files: { 'company.pem': company.caPem, 'revoked.crl': root.mintCrl([revoked]) },
    settings: {
      egress: { host_ca: { [OWN_CA]: ['company.pem'] }, host_crl: { [LISTED]: ['revoked.crl'] } },
      limits: { tls_handshake_timeout_ms: 500 },
    },
  });
  await product.createSecret('api', value, { auth: { type: 'bearer' }, hosts: NAMES });
  sandbox = await product.createSandbox({ secrets: { KEY: 'api' } });
});

afterEach(() => {
  origin.use();
});

afterAll(async () => {
  await product.assertNoLeak(value);
  await product[Symbol.asyncDispose]();
  await origin.close();
});

interface Answer {
  /** Status, or the code of a refusal. */
  readonly said: number | string;
  readonly message: string;
  /** It reached the origin. */
  readonly sent: boolean;
}

async function get(host = HOST): Promise<Answer> {
  const before = origin.requests;
  using tunnel = await product.openTunnel(sandbox, `${host}:443`);
  const answer = await tunnel.request({ path: '/' });
  const sent = origin.requests > before;
  if (answer.status === 200) return { said: 200, message: answer.text(), sent };
  const { error } = answer.json() as { error: { code: string; message: string } };
  return { said: error.code, message: error.message, sent };
}

const SERVED: Answer = { said: 200, message: 'ok', sent: true };

function refused(fault: string, code = 'upstream_tls_failed') {
  return { said: code, message: expect.stringContaining(fault) as string, sent: false };
}

describe('I2: a certificate that does not verify', () => {
  test.each<[string, SecureContextOptions, string]>([
    ['expired', leafOf({ expired: true }), 'certificate has expired'],
    ['not valid yet', leafOf({ notYetValid: true }), 'not valid yet'],
    ['for another host', leafOf({}, ['other.example.test']), 'for another host'],
    ['self-signed', leafOf({ selfSigned: true }), 'self-signed'],
    ['of an unknown issuer', leafOf({}, NAMES, stranger), 'issuer is not trusted or missing'],
    ['of an untrusted root', withChain(stranger, stranger), 'untrusted root'],
    ['with a missing intermediate', withChain(issuing), 'issuer is not trusted or missing'],
    ['with a common name only', leafOf({ commonNameOnly: true }), 'no subjectAltName'],
    ['with RSA of 1024 bits', leafOf({ weakKey: true }), 'key is too weak'],
    ['signed with SHA-1', leafOf({ sha1: true }), 'weak algorithm'],
    ['for clients', leafOf({ client: true }), 'not for servers'],
    ['its issuer may not certify', withChain(narrow, narrow), 'may not certify'],
  ])('%s', async (_, faulty, fault) => {
    origin.use(faulty);
    expect(await get(HOST)).toEqual(refused(fault));
    origin.use();
    expect(await get()).toEqual(SERVED);
  });

  test('and one with its intermediate does', async () => {
    origin.use(withChain(issuing, issuing));
    expect(await get()).toEqual(SERVED);
  });
});

describe('a handshake that fails', () => {
  test.each<[string, SecureContextOptions, string]>([
    ['TLS 1.0', { ...leafOf({}), maxVersion: 'TLSv1' }, 'protocol_version'],
    ['TLS 1.1', { ...leafOf({}), maxVersion: 'TLSv1.1' }, 'protocol_version'],
    [
      'no cipher in common',
      { ...contextOf(good), maxVersion: 'TLSv1.2', ciphers: 'NULL:@SECLEVEL=0' },
      'handshake_failure',
    ],
  ])('%s', async (_, faulty, fault) => {
    origin.use(faulty);
    expect(await get(HOST)).toEqual(refused(fault));
    origin.use();
    expect(await get()).toEqual(SERVED);
  });

  test.each<[string, string, (socket: Socket) => void, string]>([
    [
      'plain HTTP on the port',
      'upstream_tls_failed',
      (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
      'it does not speak TLS',
    ],
    [
      'an alert at once',
      'upstream_tls_failed',
      (socket) => socket.end(Buffer.from([0x15, 3, 3, 0, 2, 2, 112])),
      'unrecognized_name',
    ],
    ['no answer', 'upstream_timeout', () => {}, 'TLS handshake in time'],
    ['the end', 'upstream_unreachable', (socket) => socket.end(), 'during the TLS handshake'],
    [
      'a reset',
      'upstream_unreachable',
      (socket) => socket.once('data', () => socket.resetAndDestroy()),
      'during the TLS handshake',
    ],
  ])('%s', async (_, code, onRaw, fault) => {
    origin.onRaw = onRaw;
    expect(await get()).toEqual(refused(fault, code));
    origin.use();
    expect(await get()).toEqual(SERVED);
  });
});

describe('hosts with rules of their own', () => {
  test('a CA of egress.host_ca counts for its hosts and for no others', async () => {
    origin.use(leafOf({}, NAMES, company));
    expect(await get(OWN_CA)).toEqual(SERVED);
    expect(await get(HOST)).toEqual(refused('issuer is not trusted or missing'));
    origin.use();
    expect(await get(OWN_CA)).toEqual(SERVED);
  });

  test('revoked as configured, for the hosts of egress.host_crl', async () => {
    origin.use(contextOf(revoked));
    expect(await get(LISTED)).toEqual(refused('certificate is revoked'));
    expect(await get(HOST)).toEqual(SERVED);
    origin.use();
    expect(await get(LISTED)).toEqual(SERVED);
  });

  test('a chain that no list covers is refused there', async () => {
    origin.use(withChain(issuing, issuing));
    expect(await get(LISTED)).toEqual(refused('no revocation list'));
  });

  test('a list that was renewed is read without a restart, one that has expired refuses', async () => {
    const file = join(product.directory, 'revoked.crl');
    await writeFile(file, root.mintCrl([good, revoked]));
    await eventually(async () => expect(await get(LISTED)).toEqual(refused('is revoked')));
    await writeFile(file, `${root.mintCrl([], { isStale: true })}\n`);
    await eventually(async () => expect(await get(LISTED)).toEqual(refused('has expired')));
    await writeFile(file, root.mintCrl([revoked]));
    await eventually(async () => expect(await get(LISTED)).toEqual(SERVED));
  });
});
