/**
 * X.509 version 3 certificates (RFC 5280) of EC P-256 keys, signed with ECDSA and SHA-256: the encoding
 * of the two kinds we make, a root and a leaf. Signing is the caller's; nothing is kept.
 */
import { createHash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { addressWords, readAddress } from '../wire/address.ts';
import type { Host } from '../wire/host.ts';
import {
  bitString,
  explicit,
  implicit,
  integer,
  objectIdentifier,
  octetString,
  readElements,
  sequence,
  setOf,
  time,
  trueValue,
  utf8String,
} from './der.ts';

const VERSION_3 = explicit(0, integer(Buffer.from([2])));
const ECDSA_WITH_SHA256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'));
const SERVER_AUTH = sequence(objectIdentifier('1.3.6.1.5.5.7.3.1'));
/** Key usages, most significant bit first (RFC 5280 section 4.2.1.3). */
const DIGITAL_SIGNATURE = bitString(Buffer.from([0b1000_0000]), 7);
const KEY_CERT_SIGN_CRL_SIGN = bitString(Buffer.from([0b0000_0110]), 1);

interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** What all certificates have; `subject`, `issuer` and `spki` are raw DER. */
interface CertificateParts extends Validity {
  readonly serial: Uint8Array;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly spki: Uint8Array;
  readonly extensions: readonly Uint8Array[];
}

/** The part that is signed. */
export function encodeTbsCertificate(parts: CertificateParts): Buffer {
  return sequence(
    VERSION_3,
    integer(parts.serial),
    ECDSA_WITH_SHA256,
    parts.issuer,
    sequence(time(parts.notBeforeMs), time(parts.notAfterMs)),
    parts.subject,
    parts.spki,
    explicit(3, sequence(...parts.extensions)),
  );
}

/** `signature`: the DER form of ECDSA over `tbs`. */
export function encodeCertificate(tbs: Uint8Array, signature: Uint8Array): Buffer {
  return sequence(tbs, ECDSA_WITH_SHA256, bitString(signature));
}

/** A name of a single CN; `null` makes the empty name. */
export function commonName(text: string | null): Buffer {
  if (text === null) return sequence();
  return sequence(setOf(sequence(objectIdentifier('2.5.4.3'), utf8String(text))));
}

/** The raw DER of the subject of a certificate. */
export function readSubject(certificate: Uint8Array): Uint8Array {
  const [tbs = certificate] = readElements(certificate);
  const subject = readElements(tbs)[5];
  if (subject === undefined) throw new Error('a certificate without a subject');
  return subject;
}

/** Identifies a key: SHA-256 of the key's bits, cut to 160 bits (RFC 7093 section 2, method 1). */
export function keyIdentifier(spki: Uint8Array): Buffer {
  const bits = readElements(spki)[1] ?? spki;
  // The content of the bit string: tag, length and the count of unused bits go before it.
  return createHash('sha256').update(bits.subarray(3)).digest().subarray(0, 20);
}

export function spkiOf(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' });
}

/** Basic constraints with path length 0: nothing below it may be a CA. */
export function rootExtensions(spki: Uint8Array): readonly Buffer[] {
  return [
    extension('2.5.29.19', true, sequence(trueValue(), integer(Buffer.from([0])))),
    extension('2.5.29.15', true, KEY_CERT_SIGN_CRL_SIGN),
    extension('2.5.29.14', false, octetString(keyIdentifier(spki))),
  ];
}

/** The host is in the SAN alone, which is critical because the subject is empty. */
export function leafExtensions(
  host: Host,
  spki: Uint8Array,
  authorityKeyId: Uint8Array,
): readonly Buffer[] {
  return [
    extension('2.5.29.19', true, sequence()),
    extension('2.5.29.15', true, DIGITAL_SIGNATURE),
    extension('2.5.29.37', false, SERVER_AUTH),
    extension('2.5.29.14', false, octetString(keyIdentifier(spki))),
    extension('2.5.29.35', false, sequence(implicit(0, authorityKeyId))),
    extension('2.5.29.17', true, sequence(generalName(host))),
  ];
}

function extension(identifier: string, critical: boolean, value: Uint8Array): Buffer {
  const id = objectIdentifier(identifier);
  return critical
    ? sequence(id, trueValue(), octetString(value))
    : sequence(id, octetString(value));
}

function generalName(host: Host): Buffer {
  return host.kind === 'name'
    ? implicit(2, Buffer.from(host.text, 'ascii'))
    : implicit(7, addressBytes(host.text));
}

function addressBytes(text: string): Buffer {
  const address = readAddress(text);
  if (address === undefined) throw new Error('not an address');
  const bytes = Buffer.alloc(16);
  addressWords(address).forEach((word, index) => bytes.writeUInt32BE(word, index * 4));
  return address.family === 4 ? bytes.subarray(12) : bytes;
}

/** PEM (RFC 7468) of a DER certificate. */
export function certificatePem(der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString('base64')
    .replaceAll(/.{1,64}/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}-----END CERTIFICATE-----\n`;
}
