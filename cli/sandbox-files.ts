/**
 * The files a sandbox's variables point at, in a private directory of this machine: our CA alone, and the
 * system roots with it (OpenSSL's variables replace the trust store, so they need both).
 */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AdminClient } from './admin-client.ts';

export interface SandboxFiles {
  readonly directory: string;
  readonly caFile: string;
  readonly bundleFile: string;
  readonly caPem: string;
  readonly bundlePem: string;
}

/** Fetches the CA and writes both files into `directory`, or into a new private temporary one. */
export async function writeSandboxFiles(
  admin: AdminClient,
  directory?: string,
): Promise<SandboxFiles> {
  const caPem = await admin.getText('fetching the CA certificate', '/ca.pem');
  const bundlePem = await readBundle(caPem);
  const place = directory ?? mkdtempSync(join(tmpdir(), 'sallyport-'));
  mkdirSync(place, { recursive: true, mode: 0o700 });
  const caFile = join(place, 'sallyport-ca.pem');
  const bundleFile = join(place, 'sallyport-bundle.pem');
  writeFileSync(caFile, caPem, { mode: 0o644 });
  writeFileSync(bundleFile, bundlePem, { mode: 0o644 });
  return { directory: place, caFile, bundleFile, caPem, bundlePem };
}

/** The roots of this machine plus `caPem`. */
export async function readBundle(caPem: string): Promise<string> {
  const { systemBundlePem } = await import('../src/egress/trust.ts');
  const { makeBundle } = await import('../src/ca/bundle.ts');
  return makeBundle(systemBundlePem(), caPem);
}
