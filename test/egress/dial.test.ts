/** Connections to origins: which address, which certificate, and what a failure is called. */
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { TlsOptions } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { createDialer } from '../../src/egress/dial.ts';
import { createTrust, systemBundlePem } from '../../src/egress/trust.ts';
import { Refusal, StartError } from '../../src/kernel/errors.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/limits.ts';
import type { Address } from '../../src/wire/address.ts';
import { TestAuthority } from '../support/test-authority.ts';
import type { LeafFault } from '../support/test-authority.ts';

const HOST = 'api.example.com';
const LOCAL = { family: 4 as const, text: '127.0.0.1' };
const authority = new TestAuthority();
const dialer = dialerWith({});
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

function dialerWith(limits: Partial<typeof DEFAULT_LIMITS>) {
  const trust = createTrust({ extraCaPems: [authority.caPem] });
  return createDialer({ trust, limits: { ...DEFAULT_LIMITS, ...limits } });
}

function leafFor(names: readonly string[], fault: LeafFault = {}, from = authority) {
  const { certPem: cert, keyPem: key } = from.mintLeaf(names, fault);
  return { cert, key };
}

async function listenTls(options: TlsOptions): Promise<number> {
  const server = createTlsServer(options, (socket) => socket.on('error', () => undefined));
  server.on('tlsClientError', () => undefined);
  return listen(server);
}

async function listen(server: ReturnType<typeof createTcpServer>, host = '127.0.0.1') {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

function originAt(port: number, host = HOST) {
  return {
    organizationId: 'org_1',
    host,
    port: 443,
    addresses: [LOCAL],
    dialPort: port,
    clientIdentity: null,
  };
}

function tcpTo(addresses: readonly Address[], dialPort: number) {
  return { host: HOST, port: 443, addresses, dialPort };
}

async function dialTls(port: number, host = HOST, from = dialer) {
  const socket = await from.dialTls(originAt(port, host), { alpn: ['http/1.1'] });
  closers.push(() => socket.destroy());
  return socket;
}

async function refusalOf(promise: Promise<unknown>): Promise<Refusal> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Refusal);
  return error as Refusal;
}

describe('TLS that verifies', () => {
  test('SNI is the name, ALPN is what was offered, the certificate is checked for the host', async () => {
    let sni: string | undefined;
    const leaf = leafFor([HOST]);
    const port = await listenTls({
      ...leaf,
      ALPNProtocols: ['h2', 'http/1.1'],
      SNICallback: (name, done) => {
        sni = name;
        done(null);
      },
    });
    const socket = await dialTls(port);
    expect(socket.authorized).toBe(true);
    expect(socket.alpnProtocol).toBe('http/1.1');
    expect(sni).toBe(HOST);
    expect(socket.remoteAddress).toBe('127.0.0.1');
  });

  test('a literal address is verified by its IP subjectAltName, without SNI', async () => {
    let sni: string | undefined;
    const leaf = leafFor(['127.0.0.1']);
    const port = await listenTls({
      ...leaf,
      SNICallback: (name, done) => {
        sni = name;
        done(null);
      },
    });
    expect((await dialTls(port, '127.0.0.1')).authorized).toBe(true);
    expect(sni).toBeUndefined();
    const refusal = await refusalOf(dialTls(port, '127.0.0.2'));
    expect(refusal.message).toContain('another host');
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'a session of %s is resumed for its own host only',
    async (version) => {
      const leaf = leafFor(['*.example.com']);
      const port = await listenTls({ ...leaf, minVersion: version, maxVersion: version });
      const from = dialerWith({});
      const first = await dialTls(port, HOST, from);
      await new Promise((resolve) => setTimeout(resolve, 50));
      first.destroy();
      expect((await dialTls(port, HOST, from)).isSessionReused()).toBe(true);
      expect((await dialTls(port, 'other.example.com', from)).isSessionReused()).toBe(false);
    },
  );
});

describe('TLS that does not verify', () => {
  test.each([
    ['expired', leafFor([HOST], { expired: true }), 'certificate has expired'],
    ['not valid yet', leafFor([HOST], { notYetValid: true }), 'certificate is not valid yet'],
    ['for another host', leafFor(['api.example.org']), 'certificate is for another host'],
    ['for a look-alike', leafFor([`${HOST}.evil.example`]), 'certificate is for another host'],
    ['with a common name only', leafFor([HOST], { commonNameOnly: true }), 'no subjectAltName'],
    ['self-signed', leafFor([HOST], { selfSigned: true }), 'certificate is self-signed'],
    [
      'from an untrusted issuer',
      leafFor([HOST], {}, new TestAuthority('Other Root')),
      'certificate issuer is not trusted or missing',
    ],
    ['with RSA of 1024 bits', leafFor([HOST], { weakKey: true }), 'key is too weak'],
    ['signed with SHA-1', leafFor([HOST], { sha1: true }), 'weak algorithm'],
  ])('a certificate %s', async (_, leaf, fault) => {
    const port = await listenTls({ ...leaf, ciphers: 'DEFAULT:@SECLEVEL=0' });
    const refusal = await refusalOf(dialTls(port));
    expect(refusal.code).toBe('upstream_tls_failed');
    expect(refusal.proxyError).toBe('tls_certificate_error');
    expect(refusal.message).toContain(fault);
    expect(refusal.auditDetail).toContain(fault);
  });

  test('a chain that ends in an untrusted root is named as such, and recovers with the origin', async () => {
    const other = new TestAuthority('Other Root');
    const bad = leafFor([HOST], {}, other);
    const good = leafFor([HOST]);
    const badPort = await listenTls({ key: bad.key, cert: bad.cert + other.caPem });
    expect((await refusalOf(dialTls(badPort))).message).toContain('untrusted root');
    expect((await dialTls(await listenTls(good))).authorized).toBe(true);
  });

  test('TLS 1.1', async () => {
    const leaf = leafFor([HOST]);
    const port = await listenTls({
      ...leaf,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT:@SECLEVEL=0',
    });
    const refusal = await refusalOf(dialTls(port));
    expect(refusal.code).toBe('upstream_tls_failed');
    expect(['tls_protocol_error', 'tls_alert_received']).toContain(refusal.proxyError);
  });

  test('no common cipher is an alert', async () => {
    const leaf = leafFor([HOST]);
    const port = await listenTls({
      ...leaf,
      maxVersion: 'TLSv1.2',
      ciphers: 'AES128-CCM8:@SECLEVEL=0',
    });
    const refusal = await refusalOf(dialTls(port));
    expect(refusal.code).toBe('upstream_tls_failed');
    expect(refusal.proxyError).toBe('tls_alert_received');
  });

  test('plain HTTP on the port', async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    const refusal = await refusalOf(dialTls(await listen(server)));
    expect(refusal.code).toBe('upstream_tls_failed');
    expect(refusal.proxyError).toBe('tls_protocol_error');
    expect(refusal.message).toContain('does not speak TLS');
  });

  test('closed during the handshake is unreachable, silence is a timeout', async () => {
    const closing = createTcpServer((socket) => socket.destroy());
    const closed = await refusalOf(dialTls(await listen(closing)));
    expect(closed.code).toBe('upstream_unreachable');
    expect(closed.proxyError).toBe('connection_terminated');
    const silent = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      closers.push(() => socket.destroy());
    });
    const late = await refusalOf(
      dialTls(await listen(silent), HOST, dialerWith({ tlsHandshakeTimeoutMs: 100 })),
    );
    expect(late.code).toBe('upstream_timeout');
    expect(late.proxyError).toBe('connection_timeout');
  });
});

describe('TCP', () => {
  const blackhole = { family: 4 as const, text: '192.0.2.1' };

  async function echoPort(host = '0.0.0.0'): Promise<number> {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      closers.push(() => socket.destroy());
    });
    return listen(server, host);
  }

  test('refused, and which code', async () => {
    const port = await echoPort();
    for (const close of closers.splice(0)) close();
    const refusal = await refusalOf(dialer.dialTcp(tcpTo([LOCAL], port)));
    expect(refusal.code).toBe('upstream_unreachable');
    expect(refusal.proxyError).toBe('connection_refused');
  });

  test('the next address is tried when one fails, and when one is silent', async () => {
    const port = await echoPort('127.0.0.2');
    const second = { family: 4 as const, text: '127.0.0.2' };
    for (const first of [LOCAL, blackhole]) {
      const socket = await dialer.dialTcp(tcpTo([first, second], port));
      expect(socket.remoteAddress).toBe('127.0.0.2');
      socket.destroy();
    }
  });

  test('I5: only listed addresses are connected to', async () => {
    const seen: string[] = [];
    const server = createTcpServer((socket) => {
      seen.push(socket.localAddress ?? '');
      socket.destroy();
    });
    const port = await listen(server, '0.0.0.0');
    const addresses = ['127.0.0.3', '127.0.0.4'].map((text) => ({ family: 4 as const, text }));
    const socket = await dialer.dialTcp(tcpTo(addresses, port));
    await new Promise((resolve) => socket.on('close', resolve).resume().end());
    expect(seen).toEqual(['127.0.0.3']);
  });

  test('an abort ends the attempt with its reason', async () => {
    const abort = new AbortController();
    const pending = dialer.dialTcp(tcpTo([blackhole], 9), { signal: abort.signal });
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(pending).rejects.toBe(reason);
    await expect(dialer.dialTcp(tcpTo([blackhole], 9), { signal: abort.signal })).rejects.toBe(
      reason,
    );
  });

  test('half-open is kept: the far end may finish first', async () => {
    const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
      socket.end('bye');
      socket.on('data', () => undefined);
      closers.push(() => socket.destroy());
    });
    const socket = await dialer.dialTcp(tcpTo([LOCAL], await listen(server)));
    await new Promise((resolve) => socket.on('end', resolve).resume());
    expect(socket.writable).toBe(true);
    socket.destroy();
  });
});

describe('the trust set', () => {
  test('the bundle for sandboxes holds the roots once each', () => {
    const pems = systemBundlePem().match(/-----BEGIN CERTIFICATE-----[^-]+/g) ?? [];
    expect(pems.length).toBeGreaterThan(50);
    expect(new Set(pems).size).toBe(pems.length);
  });

  test('an extra CA that is no certificate stops the start', () => {
    expect(() => createTrust({ extraCaPems: ['hello'] })).toThrow(StartError);
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    expect(() => createTrust({ extraCaPems: [broken] })).toThrow(StartError);
  });
});
