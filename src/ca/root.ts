/**
 * A root: its certificate and, while it may sign, its key; made here and read back from PEM. The key signs
 * nothing but leaves. Spec: proxy section 4; RFC 5280.
 */
import {
  X509Certificate,
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  sign,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import {
  certificatePem,
  commonName,
  encodeCertificate,
  encodeTbsCertificate,
  rootExtensions,
  spkiOf,
} from './certificate.ts';

/** A certificate that clients are given. */
export interface TrustedRoot {
  readonly certPem: string;
}

/** One that signs, or will. */
export interface SigningRoot extends TrustedRoot {
  /** PKCS #8. */
  readonly keyPem: string;
}

/** What may be shown of a root. */
export interface RootView {
  readonly subject: string;
  /** SHA-256 of the certificate, upper-case hexadecimal with colons, as `openssl x509 -fingerprint`. */
  readonly fingerprint: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly certPem: string;
}

const HOUR_MS = 3_600_000;
const ROOT_LIFE_MS = 3650 * 24 * HOUR_MS;
/** Clocks of clients are wrong; a certificate is valid an hour before it exists. */
export const BACKDATE_MS = HOUR_MS;
const SERIAL_BYTES = 16;
const KEY_START = '-----BEGIN PRIVATE KEY-----';

export function mintRoot(nowMs: number): SigningRoot {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = spkiOf(publicKey);
  // Names differ, so that a client that trusts two roots knows which one signed.
  const name = commonName(`Sallyport CA ${randomBytes(4).toString('hex')}`);
  const tbs = encodeTbsCertificate({
    serial: mintSerial(),
    issuer: name,
    subject: name,
    notBeforeMs: nowMs - BACKDATE_MS,
    notAfterMs: nowMs + ROOT_LIFE_MS,
    spki,
    extensions: rootExtensions(spki),
  });
  const certificate = encodeCertificate(tbs, sign('sha256', tbs, privateKey));
  return { certPem: certificatePem(certificate), keyPem: pkcs8Pem(privateKey) };
}

/** Certificate and key, one after the other. Throws a plain Error. */
export function parseSigningRoot(pem: string): SigningRoot {
  const keyAt = pem.indexOf(KEY_START);
  if (keyAt === -1) throw new Error('a root without a key');
  const root = { certPem: pem.slice(0, keyAt), keyPem: pem.slice(keyAt) };
  if (!new X509Certificate(root.certPem).checkPrivateKey(createPrivateKey(root.keyPem))) {
    throw new Error('a root with the key of another');
  }
  return root;
}

export function viewRoot({ certPem }: TrustedRoot): RootView {
  const certificate = new X509Certificate(certPem);
  return {
    subject: certificate.subject,
    fingerprint: certificate.fingerprint256,
    notBeforeMs: certificate.validFromDate.getTime(),
    notAfterMs: certificate.validToDate.getTime(),
    certPem,
  };
}

export function pkcs8Pem(privateKey: KeyObject): string {
  return String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
}

/** 127 random bits, always positive and of the same length. */
export function mintSerial(): Buffer {
  const serial = randomBytes(SERIAL_BYTES);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}
