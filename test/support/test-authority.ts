/**
 * A certificate authority for tests, made at run time and thrown away with the process: its root, good
 * leaves for any names, and the faulty ones a verifier must refuse (RFC 5280). Not used by the product.
 */
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
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
}

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const DAY_MS = 86_400_000;

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
  const signature = sign(plan.digest, body, plan.signer.privateKey);
  return toPem('CERTIFICATE', sequence(body, algorithm, bitString(signature)));
}

/** One authority: a root key and what it signs. */
export class TestAuthority {
  readonly caPem: string;
  readonly #name: string;
  readonly #keys: KeyPair;

  /** `name` becomes the root's CN, so that two authorities can be told apart in messages. */
  constructor(name = 'Sallyport test authority') {
    this.#name = name;
    this.#keys = makeKeys(false);
    this.caPem = signCertificate({
      subject: name,
      issuer: name,
      keys: this.#keys,
      signer: this.#keys,
      digest: 'sha256',
      fromMs: Date.now() - 3 * DAY_MS,
      untilMs: Date.now() + 60 * DAY_MS,
      extensions: [
        extension('2.5.29.19', true, sequence(boolean(true))),
        extension('2.5.29.15', true, tlv(0x03, Buffer.from([1, 0x06]))),
        extension('2.5.29.14', false, octetString(keyId(this.#keys))),
      ],
    });
  }

  /** A leaf for `names` (DNS names, `*.x` wildcards or addresses), with the given faults. */
  mintLeaf(names: readonly string[], fault: LeafFault = {}): TestLeaf {
    const keys = makeKeys(fault.weakKey === true);
    const signer = fault.selfSigned === true ? keys : this.#keys;
    const subject = fault.commonNameOnly === true ? (names[0] ?? '') : 'test leaf';
    const shiftMs = fault.notYetValid === true ? 4 * DAY_MS : 0;
    const extensions = [
      extension('2.5.29.15', true, tlv(0x03, Buffer.from([7, 0x80]))),
      extension('2.5.29.37', false, sequence(oid('1.3.6.1.5.5.7.3.1'))),
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
