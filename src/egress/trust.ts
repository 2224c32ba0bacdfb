/**
 * Whom we believe when an origin shows a certificate: one trust set, one secure context, built once
 * (parsing the system roots takes tens of milliseconds). TLS 1.2 or later, RSA and DH of 2048 bits or
 * more, no SHA-1 signatures (OpenSSL security level 2), names only from subjectAltName (RFC 9110 4.3.4,
 * RFC 9525). Roots: those of the operating system; where it has none (slim images), the Mozilla roots
 * bundled with Node. They are not merged: a root the operator distrusts must stay distrusted.
 */
import {
  checkServerIdentity,
  createSecureContext,
  DEFAULT_CIPHERS,
  getCACertificates,
  rootCertificates,
} from 'node:tls';
import type { PeerCertificate, SecureContext } from 'node:tls';
import { StartError } from '../kernel/errors.ts';

export interface TrustOptions {
  /** `egress.extra_ca`, contents of the PEM files; each may hold several certificates. */
  readonly extraCaPems: readonly string[];
}

export interface Trust {
  /** Part of the pool key: connections verified by different sets are never shared. */
  readonly id: string;
  readonly secureContext: SecureContext;
  /** The `checkServerIdentity` of Node, without the common name. */
  checkIdentity(host: string, certificate: PeerCertificate): Error | undefined;
}

/** Throws StartError when an extra CA is not a PEM certificate. */
export function createTrust(options: TrustOptions): Trust {
  for (const pem of options.extraCaPems) checkCertificatePem(pem);
  return {
    id: 'default',
    secureContext: openContext([...systemRoots(), ...options.extraCaPems]),
    checkIdentity,
  };
}

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
function checkCertificatePem(pem: string): void {
  try {
    createSecureContext({ cert: pem });
  } catch (error) {
    throw new StartError(
      'egress.extra_ca names a file without a readable PEM certificate.',
      'Give the CA certificate in PEM form (-----BEGIN CERTIFICATE-----).',
      { cause: error },
    );
  }
}

function openContext(ca: readonly string[]): SecureContext {
  return createSecureContext({
    ca: [...ca],
    minVersion: 'TLSv1.2',
    ciphers: `${DEFAULT_CIPHERS}:@SECLEVEL=2`,
  });
}

function checkIdentity(host: string, certificate: PeerCertificate): Error | undefined {
  if (certificate.subjectaltname === undefined || certificate.subjectaltname === '') {
    return Object.assign(new Error('the certificate has no subjectAltName'), {
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
  }
  return checkServerIdentity(host, certificate);
}
