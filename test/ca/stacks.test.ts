/**
 * The chains in other people's TLS stacks. OpenSSL and GnuTLS must be there; Go, Java and Python are used
 * where the machine has them, and what is missing is said.
 */
import { writeFileSync } from 'node:fs';
import { once } from 'node:events';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { createSecureContext, createServer } from 'node:tls';
import type { SecureContext } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { CertificateAuthority } from '../../src/ca/authority.ts';
import { temporaryDirectory } from '../store/temporary-store.ts';
import { runTool } from '../support/tool.ts';
import { LEAF_HOSTS } from './leaf-names.ts';
import { openAuthority } from './open-authority.ts';
import { lacks } from '../support/missing-tools.ts';

interface Scene {
  readonly authority: CertificateAuthority;
  readonly directory: string;
  readonly caFile: string;
  /** In the order of `LEAF_HOSTS`. */
  readonly leafFiles: readonly string[];
}

async function openScene(): Promise<Scene> {
  const authority = await openAuthority();
  const directory = temporaryDirectory();
  const caFile = path.join(directory, 'ca.pem');
  writeFileSync(caFile, authority.caPem);
  const leafFiles: string[] = [];
  for (const [index, host] of LEAF_HOSTS.entries()) {
    const file = path.join(directory, `leaf-${index}.pem`);
    writeFileSync(file, (await authority.mintLeaf(host)).certPem);
    leafFiles.push(file);
  }
  return { authority, directory, caFile, leafFiles };
}

/**
 * A TLS server on loopback with a leaf for whatever name is asked for; its port. Java names no single-label
 * host in the SNI, so `localhost` is what a client without SNI gets.
 */
async function startTlsServer(authority: CertificateAuthority): Promise<number> {
  const contexts = new Map<string, SecureContext>();
  for (const host of LEAF_HOSTS) {
    const { certPem, keyPem } = await authority.mintLeaf(host);
    contexts.set(host.text, createSecureContext({ cert: certPem, key: keyPem }));
  }
  const fallback = await authority.mintLeaf({ kind: 'name', text: 'localhost' });
  const server = createServer({
    cert: fallback.certPem,
    key: fallback.keyPem,
    SNICallback: (name, callback) => callback(null, contexts.get(name)),
  });
  server.on('secureConnection', (socket) => socket.on('error', () => undefined).end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** `go run` compiles the standard library first where its cache is cold. */
const STACK_TIMEOUT_MS = 300_000;

const programFile = (name: string): string => path.join(import.meta.dirname, 'stacks', name);
const dnsNames = LEAF_HOSTS.filter(({ kind }) => kind === 'name').map(({ text }) => text);

test.skipIf(lacks('openssl'))('OpenSSL verifies every leaf under its strict rules', async () => {
  const { caFile, leafFiles } = await openScene();
  for (const [index, host] of LEAF_HOSTS.entries()) {
    const check = host.kind === 'name' ? '-verify_hostname' : '-verify_ip';
    const strict = ['verify', '-x509_strict', '-purpose', 'sslserver', check, host.text];
    const result = await runTool('openssl', [...strict, '-CAfile', caFile, leafFiles[index] ?? '']);
    expect(result.stdout + result.stderr).toMatch(/: OK\n$/);
  }
});

test.skipIf(lacks('openssl'))('OpenSSL refuses the leaf for another name', async () => {
  const { caFile, leafFiles } = await openScene();
  const result = await runTool('openssl', [
    'verify',
    '-verify_hostname',
    'other.example.com',
    '-CAfile',
    caFile,
    leafFiles[0] ?? '',
  ]);
  expect(result.stderr).toContain('hostname mismatch');
});

test.skipIf(lacks('certtool'))('GnuTLS verifies every leaf', async () => {
  const { caFile, leafFiles } = await openScene();
  for (const [index, host] of LEAF_HOSTS.entries()) {
    const name = host.kind === 'name' ? ['--verify-hostname', host.text] : [];
    const files = ['--load-ca-certificate', caFile, '--infile', leafFiles[index] ?? ''];
    const purpose = ['--verify-purpose', '1.3.6.1.5.5.7.3.1', '--verify-profile', 'medium'];
    const result = await runTool('certtool', ['--verify', ...files, ...purpose, ...name]);
    expect(result.stdout).toContain(
      'Chain verification output: Verified. The certificate is trusted.',
    );
  }
});

test.skipIf(lacks('gnutls-cli'))('GnuTLS shakes hands', async () => {
  const { authority, caFile } = await openScene();
  const port = await startTlsServer(authority);
  const name = 'api.example.com';
  const result = await runTool('gnutls-cli', [
    '--x509cafile',
    caFile,
    '--no-ocsp',
    '--port',
    String(port),
    '--sni-hostname',
    name,
    '--verify-hostname',
    name,
    '127.0.0.1',
  ]);
  expect(result.stdout).toContain('Status: The certificate is trusted.');
});

/** Stacks that are verified with where they are installed: a name, how to ask, how to verify. */
const optional = [
  {
    stack: 'Python',
    probe: ['python3', '-c', 'import ssl; ssl.VERIFY_X509_PARTIAL_CHAIN'],
    verify: ({ caFile }: Scene, port: number) => [
      'python3',
      programFile('verify.py'),
      caFile,
      String(port),
      ...dnsNames,
    ],
    names: dnsNames,
  },
  {
    stack: 'Go',
    probe: ['go', 'version'],
    verify: ({ caFile, leafFiles }: Scene) => [
      'go',
      'run',
      programFile('verify.go'),
      caFile,
      ...LEAF_HOSTS.flatMap((host, index) => [leafFiles[index] ?? '', host.text]),
    ],
    names: LEAF_HOSTS.map(({ text }) => text),
  },
  {
    stack: 'Java',
    probe: ['javac', '-version'],
    // The JDK's SNI refuses underscores before a certificate is seen.
    verify: ({ caFile }: Scene, port: number) => [
      'java',
      programFile('Verify.java'),
      caFile,
      String(port),
      ...dnsNames.filter((name) => !name.includes('_')),
    ],
    names: dnsNames.filter((name) => !name.includes('_')),
  },
] as const;

const [present, absent] = [true, false].map((wanted) =>
  optional.filter(({ probe: [command, ...args] }) => {
    return (spawnSync(command, args, { stdio: 'ignore' }).status === 0) === wanted;
  }),
);
for (const { stack } of absent ?? [])
  console.log(`not verified with ${stack}: it is not installed`);

test.each(present ?? [])(
  '$stack verifies the leaves',
  async ({ verify, names }) => {
    const scene = await openScene();
    const [command = '', ...args] = verify(scene, await startTlsServer(scene.authority));
    const env = { HOME: process.env['HOME'] ?? scene.directory };
    const result = await runTool(command, args, { env, timeoutMs: STACK_TIMEOUT_MS });
    expect(result.stderr).toBe('');
    expect(result.stdout.trim().split('\n')).toEqual(names.map((name) => `verified ${name}`));
  },
  STACK_TIMEOUT_MS,
);
