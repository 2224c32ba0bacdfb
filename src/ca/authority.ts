/**
 * The certificate authority: one EC P-256 root per instance, made at first start, its key sealed by the
 * vault and used for nothing but signing leaves. All leaves of a process share one key pair, which is
 * never the root's. Spec: proxy section 4; RFC 5280.
 */
import {
  X509Certificate,
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  sign,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Clock } from '../kernel/clock.ts';
import { StartError } from '../kernel/errors.ts';
import type { Limits } from '../kernel/limits.ts';
import type { InstanceStore } from '../store/instance-store.ts';
import type { Host } from '../wire/host.ts';
import {
  certificatePem,
  commonName,
  encodeCertificate,
  encodeTbsCertificate,
  keyIdentifier,
  leafExtensions,
  readSubject,
  rootExtensions,
  spkiOf,
} from './certificate.ts';

/** A minted certificate with its key, ready for a TLS context. */
export interface LeafMaterial {
  /** The leaf alone: clients hold the root. */
  readonly certPem: string;
  readonly keyPem: string;
  readonly notAfterMs: number;
}

export interface CertificateAuthority {
  /** The root, for clients to trust. Public. */
  readonly caPem: string;
  /** A certificate for this host and nothing else. Asynchronous so that a key may live elsewhere later. */
  mintLeaf(host: Host): Promise<LeafMaterial>;
}

interface ItemSealer {
  sealItem(name: string, content: Uint8Array): Uint8Array;
  openItem(name: string, sealed: Uint8Array): Uint8Array;
}

export interface AuthorityOptions {
  readonly instance: InstanceStore;
  readonly vault: ItemSealer;
  readonly clock: Clock;
  readonly limits: Pick<Limits, 'leafLifeMs'>;
}

/** Certificate and key in one item, so that two nodes starting at once agree on a pair. */
const ITEM = 'certificate_authority';
const HOUR_MS = 3_600_000;
const ROOT_LIFE_MS = 3650 * 24 * HOUR_MS;
/** Clocks of clients are wrong; a leaf is valid an hour before it exists. */
const BACKDATE_MS = HOUR_MS;
const SERIAL_BYTES = 16;
const EMPTY_NAME = commonName(null);

/** Reads the root, or makes it. StartError when it does not open or has expired. */
export async function openCertificateAuthority(
  options: AuthorityOptions,
): Promise<CertificateAuthority> {
  const { instance, vault, clock } = options;
  const stored =
    (await instance.readInstanceItem(ITEM)) ??
    (await instance.insertInstanceItem(ITEM, vault.sealItem(ITEM, mintRoot(clock.nowMs()))));
  const pem = openRoot(vault, stored);
  const keyAt = pem.indexOf('-----BEGIN PRIVATE KEY-----');
  const caPem = pem.slice(0, keyAt);
  const root = new X509Certificate(caPem);
  if (root.validToDate.getTime() <= clock.nowMs()) {
    throw new StartError(
      `The certificate authority expired on ${root.validToDate.toISOString().slice(0, 10)}.`,
      'Check the clock of this machine.',
    );
  }
  return new LocalAuthority(root, caPem, createPrivateKey(pem.slice(keyAt)), options);
}

function openRoot(vault: ItemSealer, stored: Uint8Array): string {
  try {
    return Buffer.from(vault.openItem(ITEM, stored)).toString('utf8');
  } catch (cause) {
    throw new StartError(
      'The key of the certificate authority cannot be opened.',
      'Check the master key, or restore the database from a backup.',
      { cause },
    );
  }
}

/** Certificate and key as PEM, one after the other. */
function mintRoot(nowMs: number): Buffer {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = spkiOf(publicKey);
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
  return Buffer.from(certificatePem(certificate) + pkcs8Pem(privateKey));
}

function pkcs8Pem(privateKey: KeyObject): string {
  return String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
}

/** 127 random bits, always positive and of the same length. */
function mintSerial(): Buffer {
  const serial = randomBytes(SERIAL_BYTES);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}

class LocalAuthority implements CertificateAuthority {
  readonly caPem: string;
  readonly #rootKey: KeyObject;
  readonly #rootNotAfterMs: number;
  readonly #issuer: Uint8Array;
  readonly #issuerKeyId: Uint8Array;
  readonly #leafSpki: Buffer;
  readonly #leafKeyPem: string;
  readonly #clock: Clock;
  readonly #leafLifeMs: number;

  constructor(
    root: X509Certificate,
    caPem: string,
    rootKey: KeyObject,
    options: Pick<AuthorityOptions, 'clock' | 'limits'>,
  ) {
    this.caPem = caPem;
    this.#rootKey = rootKey;
    this.#rootNotAfterMs = root.validToDate.getTime();
    this.#issuer = readSubject(root.raw);
    this.#issuerKeyId = keyIdentifier(spkiOf(root.publicKey));
    const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#leafSpki = spkiOf(leaf.publicKey);
    this.#leafKeyPem = pkcs8Pem(leaf.privateKey);
    this.#clock = options.clock;
    this.#leafLifeMs = options.limits.leafLifeMs;
  }

  mintLeaf(host: Host): Promise<LeafMaterial> {
    const nowMs = this.#clock.nowMs();
    const notAfterMs = Math.min(nowMs + this.#leafLifeMs, this.#rootNotAfterMs);
    const tbs = encodeTbsCertificate({
      serial: mintSerial(),
      issuer: this.#issuer,
      subject: EMPTY_NAME,
      notBeforeMs: nowMs - BACKDATE_MS,
      notAfterMs,
      spki: this.#leafSpki,
      extensions: leafExtensions(host, this.#leafSpki, this.#issuerKeyId),
    });
    const certificate = encodeCertificate(tbs, sign('sha256', tbs, this.#rootKey));
    return Promise.resolve({
      certPem: certificatePem(certificate),
      keyPem: this.#leafKeyPem,
      notAfterMs,
    });
  }
}
