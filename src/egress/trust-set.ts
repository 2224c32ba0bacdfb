/**
 * The roots and revocation lists by which one group of hosts is verified, as TLS contexts: one without a
 * client certificate, built at first use (the system roots take milliseconds), and a bounded number with
 * one. TLS 1.2 or later; OpenSSL security level 2: RSA and DH of 2048 bits or more, no SHA-1 signatures.
 */
import { createSecureContext, DEFAULT_CIPHERS } from 'node:tls';
import type { SecureContext } from 'node:tls';
import type { BoundedMap } from '../kernel/bounded-map.ts';
import { Refusal } from '../kernel/errors.ts';
import type { ClientIdentity } from './upstream.ts';

export interface TrustSetOptions {
  readonly id: string;
  readonly caPems: readonly string[];
  /** With one, every certificate of a chain must be covered by a current list. */
  readonly crlPems: readonly string[];
  /** Shared by all sets, so that the bound holds for all. */
  readonly identityContexts: BoundedMap<string, SecureContext>;
}

export class TrustSet {
  /** Part of the keys of pools and sessions: what different sets verified is never shared. */
  readonly id: string;
  readonly #options: TrustSetOptions;
  #plain: SecureContext | undefined;

  constructor(options: TrustSetOptions) {
    this.id = options.id;
    this.#options = options;
  }

  /** Refusal `credential_unavailable` for a client certificate that OpenSSL does not take. */
  contextFor(identity: ClientIdentity | null): SecureContext {
    if (identity === null) {
      this.#plain ??= this.#open();
      return this.#plain;
    }
    const { identityContexts } = this.#options;
    const key = `${this.id} ${identity.id}`;
    const known = identityContexts.get(key);
    if (known !== undefined) return known;
    const opened = this.#openWith(identity);
    identityContexts.set(key, opened);
    return opened;
  }

  #openWith({ pem }: ClientIdentity): SecureContext {
    try {
      const text = pem.reveal();
      // OpenSSL takes from each what it looks for and passes over the other.
      return this.#open({ cert: text, key: text });
    } catch (cause) {
      throw new Refusal('credential_unavailable', {
        message: 'The client certificate for this host cannot be used.',
        auditDetail: 'client certificate not accepted by the TLS library',
        cause,
      });
    }
  }

  #open(pair: { readonly cert?: string; readonly key?: string } = {}): SecureContext {
    const { caPems, crlPems } = this.#options;
    return createSecureContext({
      ...pair,
      ca: [...caPems],
      ...(crlPems.length === 0 ? {} : { crl: [...crlPems] }),
      minVersion: 'TLSv1.2',
      ciphers: `${DEFAULT_CIPHERS}:@SECLEVEL=2`,
    });
  }
}
