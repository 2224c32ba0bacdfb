/**
 * Reads the PEM of a client certificate as an admin gives it: certificates, end entity first, and one
 * private key, in either order. Asked when it is stored, so that a handshake later finds nothing to refuse.
 * Judges form, not trust or time; says what is wrong without saying any of it. RFC 7468.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { FIXED } from '../kernel/limits.ts';

const BEGIN = '-----BEGIN ';
const DASHES = '-----';
const RSA_BITS_MIN = 2_048;

/** Why `pem` is no client certificate, as a sentence with a hint; `null` when it is one. */
export function clientCertificateFault(pem: string): string | null {
  const blocks = readBlocks(pem);
  if (blocks === undefined) return 'The value is not PEM: a block has no end.';
  const certificates = blocks.filter(({ label }) => label === 'CERTIFICATE');
  const keys = blocks.filter(({ label }) => label.endsWith('PRIVATE KEY'));
  if (certificates.length === 0) {
    return 'The value has no certificate (-----BEGIN CERTIFICATE-----); put chain and key into one text.';
  }
  if (certificates.length > FIXED.clientCertificateChainMax) {
    return `The value has more than ${FIXED.clientCertificateChainMax} certificates.`;
  }
  const [key] = keys;
  if (key === undefined) {
    return 'The value has no private key (-----BEGIN PRIVATE KEY-----); put it behind the certificates.';
  }
  if (keys.length > 1) return 'The value has more than one private key.';
  if (key.label.startsWith('ENCRYPTED') || key.text.includes('Proc-Type:')) {
    return 'The private key is encrypted with a passphrase; decrypt it first.';
  }
  return judgePair(certificates, key);
}

interface Block {
  readonly label: string;
  readonly text: string;
}

function judgePair(certificates: readonly Block[], key: Block): string | null {
  const privateKey = readKey(key.text);
  if (privateKey === undefined) return 'The private key cannot be read.';
  const bits = privateKey.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < RSA_BITS_MIN) {
    return `The private key is too weak: RSA needs at least ${RSA_BITS_MIN} bits.`;
  }
  for (const [index, { text }] of certificates.entries()) {
    const certificate = readCertificate(text);
    if (certificate === undefined) return `Certificate ${index + 1} of the value cannot be read.`;
    if (index > 0 || certificate.checkPrivateKey(privateKey)) continue;
    return 'The private key does not belong to the first certificate of the value.';
  }
  return null;
}

/** `undefined`: a block without its end. Linear in the length. */
function readBlocks(pem: string): readonly Block[] | undefined {
  const blocks: Block[] = [];
  let at = pem.indexOf(BEGIN);
  while (at >= 0) {
    const labelEnd = pem.indexOf(DASHES, at + BEGIN.length);
    if (labelEnd < 0) return undefined;
    const label = pem.slice(at + BEGIN.length, labelEnd);
    const closing = `-----END ${label}-----`;
    const end = pem.indexOf(closing, labelEnd);
    if (end < 0) return undefined;
    blocks.push({ label, text: pem.slice(at, end + closing.length) });
    at = pem.indexOf(BEGIN, end + closing.length);
  }
  return blocks;
}

function readKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}
