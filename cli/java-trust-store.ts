/**
 * A trust store for the JVM, which reads no PEM file, in its own JKS format (version 2, certificates only).
 * Without a store password the JVM does not check the trailing digest, so none is made up: nothing in a
 * trust store is secret.
 */
const JKS_MAGIC = 0xfeedfeed;
const JKS_VERSION = 2;
const TRUSTED_CERTIFICATE = 2;
const DIGEST_BYTES = 20;

/** A JKS key store with every certificate of a PEM bundle. */
export function makeJavaTrustStore(bundlePem: string): Buffer {
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
