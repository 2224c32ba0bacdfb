/**
 * What a JVM needs: it reads no proxy variable and no PEM file. A trust store in its own JKS format (version
 * 2, certificates only) and `JAVA_TOOL_OPTIONS` naming it and the proxy. Without a store password the JVM
 * does not check the trailing digest, so none is made up: nothing in a trust store is secret.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SandboxFiles } from './sandbox-files.ts';

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Writes the trust store beside the PEM files and adds `JAVA_TOOL_OPTIONS`. */
export function addJavaTrust(
  variables: Readonly<Record<string, string>>,
  files: Pick<SandboxFiles, 'directory' | 'bundlePem'>,
  proxy: Endpoint,
): Record<string, string> {
  const store = join(files.directory, 'sallyport-trust.jks');
  writeFileSync(store, makeTrustStore(files.bundlePem), { mode: 0o644 });
  const options = [
    ...['http', 'https'].flatMap((scheme) => [
      `-D${scheme}.proxyHost=${proxy.host}`,
      `-D${scheme}.proxyPort=${proxy.port}`,
    ]),
    '-Dhttp.nonProxyHosts=localhost|127.*|[::1]',
    `-Djavax.net.ssl.trustStore=${store}`,
    '-Djavax.net.ssl.trustStoreType=JKS',
  ];
  return { ...variables, JAVA_TOOL_OPTIONS: options.join(' ') };
}

const JKS_MAGIC = 0xfeedfeed;
const JKS_VERSION = 2;
const TRUSTED_CERTIFICATE = 2;
const DIGEST_BYTES = 20;

/** A JKS key store with every certificate of a PEM bundle. */
export function makeTrustStore(bundlePem: string): Buffer {
  const certificates = [...bundlePem.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END/g)].map(
    (match) => Buffer.from(match[1] ?? '', 'base64'),
  );
  const entries = certificates.flatMap((der, index) => [
    uint32(TRUSTED_CERTIFICATE),
    text(`ca-${index}`),
    Buffer.alloc(8),
    text('X.509'),
    uint32(der.length),
    der,
  ]);
  const head = [uint32(JKS_MAGIC), uint32(JKS_VERSION), uint32(certificates.length)];
  return Buffer.concat([...head, ...entries, Buffer.alloc(DIGEST_BYTES)]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Java's modified UTF-8 with a two-byte length; ASCII here. */
function text(value: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(value.length);
  return Buffer.concat([length, Buffer.from(value, 'latin1')]);
}
