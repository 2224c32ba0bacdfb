/**
 * The files a sandbox's variables point at, in a private directory of this machine: our CA alone, the
 * system roots with it (OpenSSL's variables replace the trust store, so they need both), and the same for
 * the JVM.
 */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeBundle } from '../src/ca/bundle.ts';
import { systemBundlePem } from '../src/egress/trust.ts';
import { caFilePaths } from '../src/sandboxes/sandbox-env.ts';
import type { AdminClient } from './admin-client.ts';
import { makeJavaTrustStore } from './java-trust-store.ts';

export interface SandboxFiles {
  readonly directory: string;
  readonly caFile: string;
  readonly bundleFile: string;
  readonly javaTrustStoreFile: string;
}

/** Fetches the CA and writes the files into `directory`, or into a new private temporary one. */
export async function writeSandboxFiles(
  admin: AdminClient,
  directory?: string,
): Promise<SandboxFiles> {
  const caPem = await admin.getText('fetching the CA certificate', '/ca.pem');
  const bundlePem = makeBundle(systemBundlePem(), caPem);
  const place = directory ?? mkdtempSync(join(tmpdir(), 'sallyport-'));
  mkdirSync(place, { recursive: true, mode: 0o700 });
  const { caFile, bundleFile } = caFilePaths(place);
  const javaTrustStoreFile = join(place, 'ca-bundle.jks');
  writeFileSync(caFile, caPem, { mode: 0o644 });
  writeFileSync(bundleFile, bundlePem, { mode: 0o644 });
  writeFileSync(javaTrustStoreFile, makeJavaTrustStore(bundlePem), { mode: 0o644 });
  return { directory: place, caFile, bundleFile, javaTrustStoreFile };
}
