/**
 * Whom we believe when an origin shows a certificate. Roots: those of the operating system; where it has
 * none (slim images), the Mozilla roots bundled with Node. They are not merged: a root the operator
 * distrusts must stay distrusted. On top the operator's own, for all hosts or for some. Names count only
 * from subjectAltName (RFC 9110 4.3.4, RFC 9525).
 */
import { isIP } from 'node:net';
import {
  checkServerIdentity,
  createSecureContext,
  getCACertificates,
  rootCertificates,
} from 'node:tls';
import type { PeerCertificate, SecureContext } from 'node:tls';
import { BoundedMap } from '../kernel/bounded-map.ts';
import { systemClock } from '../kernel/clock.ts';
import type { Clock } from '../kernel/clock.ts';
import { StartError } from '../kernel/errors.ts';
import { FIXED } from '../kernel/limits.ts';
import { matchesHost, type HostPattern } from '../policy/host-pattern.ts';
import type { Host } from '../wire/host.ts';
import { RevocationList } from './revocation-list.ts';
import { TrustSet } from './trust-set.ts';

export interface TrustOptions {
  /** `egress.extra_ca`, contents of the PEM files; each may hold several certificates. */
  readonly extraCaPems: readonly string[];
  /** `egress.host_ca`: more roots, for the hosts of the pattern alone. */
  readonly hostCas?: readonly {
    readonly pattern: HostPattern;
    readonly caPems: readonly string[];
  }[];
  /** `egress.host_crl`: hosts whose chain must be shown not to be revoked, by these files. */
  readonly hostCrls?: readonly {
    readonly pattern: HostPattern;
    readonly files: readonly string[];
  }[];
  readonly clock?: Clock;
}

export interface Trust {
  /** Synchronous and cheap once warm: asked for the pool key of every request. `host` is canonical. */
  setFor(host: string): TrustSet;
  /** The `checkServerIdentity` of Node, without the common name. */
  checkIdentity(host: string, certificate: PeerCertificate): Error | undefined;
}

/** Throws StartError when an extra CA is not a PEM certificate, or a list is none. */
export function createTrust(options: TrustOptions): Trust {
  const { extraCaPems, hostCas = [], hostCrls = [], clock = systemClock } = options;
  for (const pem of extraCaPems) checkCertificatePem(pem, 'egress.extra_ca');
  for (const pem of hostCas.flatMap(({ caPems }) => caPems)) {
    checkCertificatePem(pem, 'egress.host_ca');
  }
  const rootPems = [...systemRoots(), ...extraCaPems];
  const lists = hostCrls.map(({ pattern, files }) => ({
    pattern,
    list: new RevocationList(files, clock),
  }));
  const book = new TrustBook(rootPems, hostCas, lists);
  const isPlain = hostCas.length === 0 && lists.length === 0;
  return {
    setFor: isPlain ? () => book.everywhere : (host) => book.setFor(host),
    checkIdentity,
  };
}

type HostCa = NonNullable<TrustOptions['hostCas']>[number];

interface HostList {
  readonly pattern: HostPattern;
  readonly list: RevocationList;
}

class TrustBook {
  readonly everywhere: TrustSet;
  readonly #rootPems: readonly string[];
  readonly #hostCas: readonly HostCa[];
  readonly #lists: readonly HostList[];
  /** By the patterns that match: patterns nest, so there are no more of these than patterns. */
  readonly #sets = new Map<string, TrustSet>();
  readonly #identityContexts = new BoundedMap<string, SecureContext>(
    FIXED.clientCertificateContextsMax,
  );

  constructor(rootPems: readonly string[], hostCas: readonly HostCa[], lists: readonly HostList[]) {
    this.#rootPems = rootPems;
    this.#hostCas = hostCas;
    this.#lists = lists;
    this.everywhere = this.#create('default', rootPems, []);
  }

  setFor(text: string): TrustSet {
    const host: Host = { kind: HOST_KINDS[isIP(text)] ?? 'name', text };
    const cas = this.#hostCas.filter(({ pattern }) => matchesHost(pattern, host));
    const lists = this.#lists.filter(({ pattern }) => matchesHost(pattern, host));
    if (cas.length === 0 && lists.length === 0) return this.everywhere;
    const shape = [
      ...cas.map(({ pattern }) => `ca ${pattern.text}`),
      ...lists.map(({ pattern }) => `crl ${pattern.text}`),
    ].join();
    const revocations = lists.map(({ list }) => list.current);
    const id = `${shape} ${revocations.map(({ revision }) => revision).join()}`;
    const known = this.#sets.get(shape);
    if (known?.id === id) return known;
    const caPems = [...this.#rootPems, ...cas.flatMap((one) => one.caPems)];
    const set = this.#create(
      id,
      caPems,
      revocations.flatMap(({ pems }) => pems),
    );
    this.#sets.set(shape, set);
    return set;
  }

  #create(id: string, caPems: readonly string[], crlPems: readonly string[]): TrustSet {
    return new TrustSet({ id, caPems, crlPems, identityContexts: this.#identityContexts });
  }
}

const HOST_KINDS: Readonly<Record<number, Host['kind']>> = { 4: 'ipv4', 6: 'ipv6' };

/** System roots as one PEM text, for the bundle given to sandboxes. */
export function systemBundlePem(): string {
  return `${systemRoots()
    .map((pem) => pem.trim())
    .join('\n')}\n`;
}

function systemRoots(): readonly string[] {
  // The system's directory lists most certificates again under their hash names.
  const roots = new Set(getCACertificates('system').map((pem) => pem.trim()));
  return roots.size > 0 ? [...roots] : rootCertificates;
}

/** As an own certificate, because a `ca` that cannot be read is passed over in silence. */
function checkCertificatePem(pem: string, setting: string): void {
  try {
    createSecureContext({ cert: pem });
  } catch (error) {
    throw new StartError(
      `${setting} names a file without a readable PEM certificate.`,
      'Give the CA certificate in PEM form (-----BEGIN CERTIFICATE-----).',
      { cause: error },
    );
  }
}

function checkIdentity(host: string, certificate: PeerCertificate): Error | undefined {
  if (certificate.subjectaltname === undefined || certificate.subjectaltname === '') {
    return Object.assign(new Error('the certificate has no subjectAltName'), {
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
  }
  return checkServerIdentity(host, certificate);
}
