/**
 * The certificate authority of an instance: a root made at first start, its key sealed by the vault; another
 * one beside it while it is rotated. What signs is what the store says, one step at a time and durable
 * before it is in force. All leaves of a process share one key pair, which is never a root's.
 */
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { X509Certificate } from 'node:crypto';
import type { Clock } from '../kernel/clock.ts';
import { ControlError, Refusal, StartError } from '../kernel/errors.ts';
import type { Limits } from '../kernel/limits.ts';
import type { InstanceStore } from '../store/instance-store.ts';
import type { Host } from '../wire/host.ts';
import { formatState, parseState, takeStep, trustedRoots } from './authority-state.ts';
import type { AuthorityState, RotationStep } from './authority-state.ts';
import {
  certificatePem,
  commonName,
  encodeCertificate,
  encodeTbsCertificate,
  keyIdentifier,
  leafExtensions,
  readSubject,
  spkiOf,
} from './certificate.ts';
import { BACKDATE_MS, mintRoot, mintSerial, pkcs8Pem } from './root.ts';
import type { SigningRoot } from './root.ts';

/** A minted certificate with its key, ready for a TLS context. */
export interface LeafMaterial {
  /** The leaf alone: clients hold the root. */
  readonly certPem: string;
  readonly keyPem: string;
  readonly notAfterMs: number;
}

export interface CertificateAuthority {
  /** Every root, for clients to trust: one, and two while it is rotated. Public. */
  readonly caPem: string;
  /** When the root that signs ended; `null` while it has not. Tunnels do not need it, interception does. */
  readonly endedAtMs: number | null;
  /**
   * A certificate for this host and nothing else. Asynchronous so that a key may live elsewhere later. Rejects
   * with Refusal `credential_unavailable` when the root is over.
   */
  mintLeaf(host: Host): Promise<LeafMaterial>;
  /** Called when another root signs from now on: leaves that were minted before are not to be used. */
  onSwitch(listener: () => void): void;
}

export interface RotatableAuthority extends CertificateAuthority {
  readonly state: AuthorityState;
  /** Of the root that signs. */
  readonly notAfterMs: number;
  /** In force when it resolves, and after any crash. ControlError `conflict` where it does not follow. */
  take(step: RotationStep, overlapMs: number | null): Promise<AuthorityState>;
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

/** One item, so that two nodes starting at once agree on a pair, and a step is taken whole. */
const ITEM = 'certificate_authority';
const EMPTY_NAME = commonName(null);
/** Others may seal the item anew at the same time; that many in a row do not. */
const TRIES_MAX = 5;

/** What is to be intercepted after the end of the root that signs. */
export function endedRefusal(endedAtMs: number): Refusal {
  const day = new Date(endedAtMs).toISOString().slice(0, 10);
  return new Refusal('credential_unavailable', {
    message: `The certificate authority of this proxy ended on ${day}: nothing can be intercepted.`,
    hint: 'The operator has to check the clock of the proxy, then to rotate the CA (sallyport ca rotate).',
    auditDetail: 'the CA is over',
  });
}

/** Reads the roots, or makes the first; one that is over is rotated by an admin. StartError when they do not open. */
export async function openCertificateAuthority(
  options: AuthorityOptions,
): Promise<RotatableAuthority> {
  const { instance, vault, clock } = options;
  const stored =
    (await instance.readInstanceItem(ITEM)) ??
    (await instance.insertInstanceItem(ITEM, seal(vault, firstState(clock.nowMs()))));
  return new LocalAuthority(openState(vault, stored), options);
}

function firstState(nowMs: number): AuthorityState {
  return { phase: 'steady', active: mintRoot(nowMs) };
}

function seal(vault: ItemSealer, state: AuthorityState): Uint8Array {
  return vault.sealItem(ITEM, Buffer.from(formatState(state)));
}

function openState(vault: ItemSealer, stored: Uint8Array): AuthorityState {
  try {
    return parseState(Buffer.from(vault.openItem(ITEM, stored)).toString('utf8'));
  } catch (cause) {
    throw new StartError(
      'The key of the certificate authority cannot be opened.',
      'Check the master key, or restore the database from a backup.',
      { cause },
    );
  }
}

/** The root that signs, taken apart once. */
interface Signer {
  readonly key: KeyObject;
  readonly notAfterMs: number;
  readonly issuer: Uint8Array;
  readonly issuerKeyId: Uint8Array;
}

function signerOf({ certPem, keyPem }: SigningRoot): Signer {
  const root = new X509Certificate(certPem);
  return {
    key: createPrivateKey(keyPem),
    notAfterMs: root.validToDate.getTime(),
    issuer: readSubject(root.raw),
    issuerKeyId: keyIdentifier(spkiOf(root.publicKey)),
  };
}

class LocalAuthority implements RotatableAuthority {
  readonly #options: AuthorityOptions;
  readonly #leafSpki: Buffer;
  readonly #leafKeyPem: string;
  readonly #listeners: (() => void)[] = [];
  #state: AuthorityState;
  #signer: Signer;
  #caPem: string;
  #taking: Promise<unknown> = Promise.resolve();

  constructor(state: AuthorityState, options: AuthorityOptions) {
    this.#options = options;
    const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#leafSpki = spkiOf(leaf.publicKey);
    this.#leafKeyPem = pkcs8Pem(leaf.privateKey);
    this.#state = state;
    this.#signer = signerOf(state.active);
    this.#caPem = bundleOf(state);
  }

  get caPem(): string {
    return this.#caPem;
  }

  get state(): AuthorityState {
    return this.#state;
  }

  get notAfterMs(): number {
    return this.#signer.notAfterMs;
  }

  get endedAtMs(): number | null {
    const { notAfterMs } = this;
    return notAfterMs <= this.#options.clock.nowMs() ? notAfterMs : null;
  }

  onSwitch(listener: () => void): void {
    this.#listeners.push(listener);
  }

  take(step: RotationStep, overlapMs: number | null): Promise<AuthorityState> {
    // One after another: the second judges what the first left.
    const taken = this.#taking.then(() => this.#take(step, overlapMs));
    this.#taking = taken.catch(() => undefined);
    return taken;
  }

  async #take(step: RotationStep, overlapMs: number | null): Promise<AuthorityState> {
    const { instance, vault, clock } = this.#options;
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const stored = await instance.readInstanceItem(ITEM);
      if (stored === undefined) throw new Error('the certificate authority is not stored');
      const next = takeStep(openState(vault, stored), step, { nowMs: clock.nowMs(), overlapMs });
      if (await instance.replaceInstanceItem(ITEM, stored, seal(vault, next))) {
        this.#enter(next);
        return next;
      }
    }
    throw new ControlError('conflict', {
      message: 'The certificate authority is being changed by somebody else: try again.',
    });
  }

  #enter(state: AuthorityState): void {
    const isOther = state.active.certPem !== this.#state.active.certPem;
    this.#state = state;
    this.#caPem = bundleOf(state);
    if (!isOther) return;
    this.#signer = signerOf(state.active);
    for (const listener of this.#listeners) listener();
  }

  mintLeaf(host: Host): Promise<LeafMaterial> {
    const { endedAtMs } = this;
    if (endedAtMs !== null) return Promise.reject(endedRefusal(endedAtMs));
    const { clock, limits } = this.#options;
    const { key, issuer, issuerKeyId } = this.#signer;
    const nowMs = clock.nowMs();
    const notAfterMs = Math.min(nowMs + limits.leafLifeMs, this.#signer.notAfterMs);
    const tbs = encodeTbsCertificate({
      serial: mintSerial(),
      issuer,
      subject: EMPTY_NAME,
      notBeforeMs: nowMs - BACKDATE_MS,
      notAfterMs,
      spki: this.#leafSpki,
      extensions: leafExtensions(host, this.#leafSpki, issuerKeyId),
    });
    const certificate = encodeCertificate(tbs, sign('sha256', tbs, key));
    return Promise.resolve({
      certPem: certificatePem(certificate),
      keyPem: this.#leafKeyPem,
      notAfterMs,
    });
  }
}

function bundleOf(state: AuthorityState): string {
  return trustedRoots(state)
    .map(({ certPem }) => certPem)
    .join('');
}
