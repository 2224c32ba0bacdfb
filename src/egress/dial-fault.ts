/**
 * What went wrong while connecting, as a row of the table: refused, unroutable, too late, not verified.
 * The sentence names the fault ("certificate has expired") because that is what a user needs; addresses
 * and OpenSSL's own words go to the admin's detail only.
 */
import { Refusal } from '../kernel/errors.ts';

/** Node and OpenSSL verification codes → what a person would say. */
const CERTIFICATE_FAULTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'certificate has expired',
  CERT_NOT_YET_VALID: 'certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'certificate chain ends in an untrusted root',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'certificate issuer is not trusted or missing',
  UNABLE_TO_GET_ISSUER_CERT: 'certificate issuer is not trusted or missing',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'certificate issuer is not trusted or missing',
  CERT_UNTRUSTED: 'certificate is not trusted',
  CERT_REJECTED: 'certificate is rejected',
  CERT_REVOKED: 'certificate is revoked',
  CERT_SIGNATURE_FAILURE: 'certificate signature does not verify',
  CERT_CHAIN_TOO_LONG: 'certificate chain is too long',
  INVALID_CA: 'certificate issuer is not a certificate authority',
  INVALID_PURPOSE: 'certificate is not for servers',
  PATH_LENGTH_EXCEEDED: 'certificate chain is too long',
  UNABLE_TO_GET_CRL: 'no revocation list of egress.host_crl covers the certificate',
  CRL_NOT_YET_VALID: 'revocation list is not valid yet',
  CRL_HAS_EXPIRED: 'revocation list has expired',
  CRL_SIGNATURE_FAILURE: 'revocation list signature does not verify',
};

/** What the alert of the other side means for whoever reads it (RFC 8446 6.2), by its number. */
const ALERTS: Readonly<Record<string, string>> = {
  40: 'handshake_failure: it shares no cipher or key exchange with us',
  42: 'bad_certificate: it does not accept the client certificate',
  43: 'unsupported_certificate: it does not accept the client certificate',
  44: 'certificate_revoked: it does not accept the client certificate',
  45: 'certificate_expired: it does not accept the client certificate',
  46: 'certificate_unknown: it does not accept the client certificate',
  48: 'unknown_ca: it does not know the issuer of the client certificate',
  49: 'access_denied: it does not accept the client certificate',
  70: 'protocol_version: it does not speak TLS 1.2 or later',
  71: 'insufficient_security: it wants stronger ciphers',
  80: 'internal_error',
  112: 'unrecognized_name: it does not serve this host',
  116: 'certificate_required: it wants a client certificate',
  120: 'no_application_protocol',
};

/** OpenSSL reasons that Node has no code for. */
const WEAKNESSES: readonly (readonly [RegExp, string])[] = [
  [/EE certificate key too weak/i, 'certificate key is too weak'],
  [
    /CA certificate key too weak|CA cert.* key too small/i,
    'key of the certificate issuer is too weak',
  ],
  [/key too (weak|small)/i, 'certificate key is too weak'],
  [/md too weak|digest.* too weak/i, 'certificate is signed with a weak algorithm'],
  [
    /(permitted|excluded) subtree violation|name constraint/i,
    'certificate is for a host that its issuer may not certify',
  ],
];

const UNROUTABLE = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL', 'ENETDOWN', 'EACCES']);

/** Who is at the other end, in the words of a sentence. */
export type Peer = 'origin' | 'parent proxy';

/** A failed `connect(2)`, or an address that was not the checked one. */
export function connectRefusal(error: unknown, peer: Peer = 'origin'): Refusal {
  const code = readCode(error);
  const auditDetail = `connect${auditName(peer)} ${code ?? readMessage(error)}`;
  if (code === 'ETIMEDOUT') return timeoutRefusal('connect', { peer, cause: error });
  if (code === 'ECONNREFUSED') {
    const message = `The ${peer} refused the connection.`;
    return new Refusal('upstream_unreachable', { message, auditDetail, cause: error });
  }
  if (code !== undefined && UNROUTABLE.has(code)) {
    return new Refusal('upstream_unreachable', {
      message: `There is no route to the ${peer}.`,
      proxyError: 'destination_ip_unroutable',
      auditDetail,
      cause: error,
    });
  }
  return new Refusal('upstream_unreachable', {
    ...(peer === 'origin' ? {} : { message: `The ${peer} could not be reached.` }),
    proxyError: 'connection_terminated',
    auditDetail,
    cause: error,
  });
}

/** `connect` or the TLS handshake took too long. */
export function timeoutRefusal(
  step: 'connect' | 'TLS handshake',
  { peer = 'origin', cause }: { readonly peer?: Peer; readonly cause?: unknown } = {},
): Refusal {
  return new Refusal('upstream_timeout', {
    message: `The ${peer} did not complete the ${step} in time.`,
    proxyError: 'connection_timeout',
    auditDetail: `${step}${auditName(peer)} timeout`,
    cause,
  });
}

function auditName(peer: Peer): string {
  return peer === 'origin' ? '' : ` to ${peer}`;
}

/** A handshake that failed or a certificate that does not verify. */
export function tlsRefusal(error: unknown, peer: Peer = 'origin'): Refusal {
  const code = readCode(error) ?? '';
  const text = readMessage(error);
  const certificateFault = readCertificateFault(code, text);
  const auditDetail = `tls${auditName(peer)} ${code === '' ? text : `${code}: ${text}`}`.slice(
    0,
    300,
  );
  const refuse = (
    fault: string,
    proxyError: 'tls_certificate_error' | 'tls_protocol_error' | 'tls_alert_received',
  ): Refusal =>
    new Refusal('upstream_tls_failed', {
      message: `The TLS connection to the ${peer} could not be verified: ${fault}.`,
      proxyError,
      auditDetail: `${fault}; ${auditDetail}`,
      cause: error,
    });
  if (certificateFault !== undefined) return refuse(certificateFault, 'tls_certificate_error');
  if (/alert/i.test(code) || /\balert\b/i.test(text)) {
    const meaning = ALERTS[/alert number (\d+)/i.exec(text)?.[1] ?? ''];
    const fault = `the ${peer} ended the handshake with an alert${meaning === undefined ? '' : ` (${meaning})`}`;
    return refuse(fault, 'tls_alert_received');
  }
  if (code === 'ECONNRESET' || code === 'EPIPE' || code === 'ECONNABORTED') {
    return new Refusal('upstream_unreachable', {
      message: `The ${peer} closed the connection during the TLS handshake.`,
      proxyError: 'connection_terminated',
      auditDetail,
      cause: error,
    });
  }
  return refuse(protocolFault(code), 'tls_protocol_error');
}

function readCertificateFault(code: string, text: string): string | undefined {
  for (const [pattern, fault] of WEAKNESSES) if (pattern.test(text)) return fault;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return text.includes('subjectAltName')
      ? 'certificate has no subjectAltName (a common name alone does not count)'
      : 'certificate is for another host';
  }
  return CERTIFICATE_FAULTS[code];
}

function protocolFault(code: string): string {
  if (/UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION/.test(code)) return 'its TLS version is too old';
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH|HTTP_REQUEST/.test(code)) return 'it does not speak TLS';
  if (/DH_KEY_TOO_SMALL|KEY_TOO_SMALL/.test(code)) return 'its key exchange is too weak';
  return 'the handshake failed';
}

export function readCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

function readMessage(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown failure';
}
