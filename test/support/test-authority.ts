/**
 * A certificate authority for tests, made at run time and thrown away with the process: its root, good
 * leaves for any names, and the faulty ones a verifier must refuse (RFC 5280). Not used by the product.
 */
import { createHash, generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import {
  bitString,
  boolean,
  commonName,
  extension,
  utcTime,
  generalNames,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
  tlv,
} from './der.ts';

/** PEM texts of one end-entity certificate and its key. */
export interface TestLeaf {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface LeafFault {
  /** Ended yesterday. */
  readonly expired?: boolean;
  /** Begins the day after tomorrow. */
  readonly notYetValid?: boolean;
  /** Signed by itself instead of the authority. */
  readonly selfSigned?: boolean;
  /** The name stands in the subject's CN and there is no SAN. */
  readonly commonNameOnly?: boolean;
  /** An RSA key of 1024 bits. */
  readonly weakKey?: boolean;
  /** The authority signed it with SHA-1. */
  readonly sha1?: boolean;
  /** Not for servers but for clients; the first name is its subject. */
  readonly client?: boolean;
}

/** An authority below another one. */
export interface SubordinatePlan {
  /** It may certify names below this one only (RFC 5280 4.2.1.10). */
  readonly permittedName?: string;
}

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const DAY_MS = 86_400_000;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** signature algorithm OIDs by key type and digest. */
const SIGNATURES: Readonly<Record<string, string>> = {
  'ec sha256': '1.2.840.10045.4.3.2',
  'ec sha1': '1.2.840.10045.4.1',
  'rsa sha256': '1.2.840.113549.1.1.11',
  'rsa sha1': '1.2.840.113549.1.1.5',
};

function makeKeys(weak: boolean): KeyPair {
  if (weak) return generateKeyPairSync('rsa', { modulusLength: 1024 });
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

function publicKeyDer(keys: KeyPair): Buffer {
  return keys.publicKey.export({ type: 'spki', format: 'der' });
}

function keyId(keys: KeyPair): Buffer {
  return createHash('sha1').update(publicKeyDer(keys)).digest();
}

function toPem(label: string, der: Buffer): string {
  const text = der.toString('base64').replace(/(.{64})(?=.)/g, '$1\n');
  return `-----BEGIN ${label}-----\n${text}\n-----END ${label}-----\n`;
}

interface CertificatePlan {
  readonly subject: string;
  readonly issuer: string;
  readonly keys: KeyPair;
  readonly signer: KeyPair;
  readonly digest: 'sha256' | 'sha1';
  readonly fromMs: number;
  readonly untilMs: number;
  readonly extensions: readonly Buffer[];
}

/** What is between the version and the signature, signed. */
function signed(body: Buffer, algorithm: Buffer, signer: KeyPair, digest: string): Buffer {
  return sequence(body, algorithm, bitString(sign(digest, body, signer.privateKey)));
}

function signCertificate(plan: CertificatePlan): string {
  const type = plan.signer.privateKey.asymmetricKeyType ?? 'ec';
  const parts = [oid(SIGNATURES[`${type} ${plan.digest}`] ?? '')];
  const algorithm = sequence(...(type === 'rsa' ? [...parts, nullValue()] : parts));
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const body = sequence(
    tlv(0xa0, integer(Buffer.from([2]))),
    integer(serial),
    algorithm,
    commonName(plan.issuer),
    sequence(utcTime(plan.fromMs), utcTime(plan.untilMs)),
    commonName(plan.subject),
    publicKeyDer(plan.keys),
    tlv(0xa3, sequence(...plan.extensions)),
  );
  return toPem('CERTIFICATE', signed(body, algorithm, plan.signer, plan.digest));
}

/** The serial number of a certificate, as its DER integer. */
function serialOf(certPem: string): Buffer {
  const hex = new X509Certificate(certPem).serialNumber;
  return integer(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'));
}

/** One authority: a key and what it signs. */
export class TestAuthority {
  readonly caPem: string;
  readonly #name: string;
  readonly #keys: KeyPair;

  /** `name` becomes its CN, so that two authorities can be told apart in messages. A root without `parent`. */
  constructor(
    name = 'Sallyport test authority',
    parent: TestAuthority | null = null,
    { permittedName }: SubordinatePlan = {},
  ) {
    this.#name = name;
    this.#keys = makeKeys(false);
    const signer = parent === null ? this.#keys : parent.#keys;
    const extensions = [
      extension('2.5.29.19', true, sequence(boolean(true))),
      extension('2.5.29.15', true, tlv(0x03, Buffer.from([1, 0x06]))),
      extension('2.5.29.14', false, octetString(keyId(this.#keys))),
    ];
    if (parent !== null) {
      extensions.push(extension('2.5.29.35', false, sequence(tlv(0x80, keyId(signer)))));
    }
    if (permittedName !== undefined) {
      const subtree = sequence(tlv(0x82, Buffer.from(permittedName)));
      extensions.push(extension('2.5.29.30', true, sequence(tlv(0xa0, subtree))));
    }
    this.caPem = signCertificate({
      subject: name,
      issuer: parent === null ? name : parent.#name,
      keys: this.#keys,
      signer,
      digest: 'sha256',
      fromMs: Date.now() - 3 * DAY_MS,
      untilMs: Date.now() + 60 * DAY_MS,
      extensions,
    });
  }

  /** A revocation list (RFC 5280 5.1) with these certificates; it was due yesterday when `isStale`. */
  mintCrl(revoked: readonly TestLeaf[], { isStale = false } = {}): string {
    const algorithm = sequence(oid(SIGNATURES['ec sha256'] ?? ''));
    const entries = revoked.map(({ certPem }) =>
      sequence(serialOf(certPem), utcTime(Date.now() - DAY_MS)),
    );
    const body = sequence(
      integer(Buffer.from([1])),
      algorithm,
      commonName(this.#name),
      utcTime(Date.now() - 2 * DAY_MS),
      utcTime(Date.now() + (isStale ? -1 : 5) * DAY_MS),
      ...(entries.length === 0 ? [] : [sequence(...entries)]),
      tlv(0xa0, sequence(extension('2.5.29.35', false, sequence(tlv(0x80, keyId(this.#keys)))))),
    );
    return toPem('X509 CRL', signed(body, algorithm, this.#keys, 'sha256'));
  }

  /** A leaf for `names` (DNS names, `*.x` wildcards or addresses), with the given faults. */
  mintLeaf(names: readonly string[], fault: LeafFault = {}): TestLeaf {
    const keys = makeKeys(fault.weakKey === true);
    const signer = fault.selfSigned === true ? keys : this.#keys;
    const isNamed = fault.commonNameOnly === true || fault.client === true;
    const subject = isNamed ? (names[0] ?? '') : 'test leaf';
    const shiftMs = fault.notYetValid === true ? 4 * DAY_MS : 0;
    const extensions = [
      extension('2.5.29.15', true, tlv(0x03, Buffer.from([7, 0x80]))),
      extension(
        '2.5.29.37',
        false,
        sequence(oid(fault.client === true ? CLIENT_AUTH : SERVER_AUTH)),
      ),
      extension('2.5.29.14', false, octetString(keyId(keys))),
      extension('2.5.29.35', false, sequence(tlv(0x80, keyId(signer)))),
    ];
    if (fault.commonNameOnly !== true) {
      const hosts = names.filter((name) => isIP(name) === 0);
      const addresses = names.filter((name) => isIP(name) !== 0);
      extensions.push(extension('2.5.29.17', false, generalNames(hosts, addresses)));
    }
    const certPem = signCertificate({
      subject,
      issuer: fault.selfSigned === true ? subject : this.#name,
      keys,
      signer,
      digest: fault.sha1 === true ? 'sha1' : 'sha256',
      fromMs: Date.now() - 2 * DAY_MS + shiftMs,
      untilMs: Date.now() + shiftMs + (fault.expired === true ? -DAY_MS : 14 * DAY_MS),
      extensions,
    });
    const keyPem = keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    return { certPem, keyPem };
  }
}
