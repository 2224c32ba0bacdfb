/**
 * THE table of failures. Every refusal of the data plane and every error of the control plane is a row:
 * status, safe sentence, hint, RFC 9209 error type, whether a retry can help. Two files translate rows
 * to the wire (`proxy/respond.ts`, `admin-api/respond.ts`); nobody else invents a status or a sentence.
 * Sentences and hints never contain a value, a token, or a secret that is not bound to the caller.
 */

/** RFC 9209 section 2.3 proxy error types that we use. */
export type ProxyErrorType =
  | 'http_request_denied'
  | 'http_request_error'
  | 'destination_ip_prohibited'
  | 'proxy_internal_error'
  | 'connection_limit_reached'
  | 'dns_error'
  | 'dns_timeout'
  | 'connection_refused'
  | 'connection_terminated'
  | 'destination_ip_unroutable'
  | 'connection_timeout'
  | 'http_response_timeout'
  | 'tls_certificate_error'
  | 'tls_protocol_error'
  | 'tls_alert_received'
  | 'http_protocol_error'
  | 'http_response_incomplete';

interface RefusalRow {
  /** Status inside a tunnel and on plain requests; on CONNECT too unless `connectStatus` differs. */
  readonly status: number;
  /** RFC 9209 type; where a row has several the thrower picks one, this is the default. */
  readonly proxyError: ProxyErrorType;
  readonly retryable: boolean;
  /** gRPC status code (google.rpc.Code) for trailers-only refusals. */
  readonly grpcStatus: number;
  readonly message: string;
  readonly hint: string;
}

function refusal(
  status: number,
  proxyError: ProxyErrorType,
  retryable: boolean,
  grpcStatus: number,
  message: string,
  hint: string,
): RefusalRow {
  return { status, proxyError, retryable, grpcStatus, message, hint };
}

/** Data plane: the closed table of spec section 11. */
export const REFUSALS = {
  proxy_auth_required: refusal(
    407,
    'http_request_denied',
    false,
    16,
    'This proxy needs a valid sandbox token.',
    'Set HTTPS_PROXY=http://sandbox:TOKEN@HOST:PORT with the proxy_token of the sandbox.',
  ),
  bad_request: refusal(
    400,
    'http_request_error',
    false,
    3,
    'The request is malformed or ambiguous.',
    'Send one well-formed HTTP/1.1 request with a single Host and a single body length.',
  ),
  header_too_large: refusal(
    431,
    'http_request_error',
    false,
    8,
    'The request head is too large.',
    'Send fewer or shorter header fields, or raise limits.head_bytes_max or limits.head_fields_max.',
  ),
  request_timeout: refusal(
    408,
    'http_request_error',
    true,
    4,
    'The request did not arrive in time.',
    'Send the complete request head without long pauses.',
  ),
  method_not_allowed: refusal(
    405,
    'http_request_denied',
    false,
    12,
    'This method is not forwarded.',
    'TRACE, and CONNECT inside a tunnel, are never forwarded; use another method.',
  ),
  misdirected_request: refusal(
    421,
    'http_request_error',
    false,
    9,
    'The Host of the request is not the host of this tunnel.',
    'Open a new CONNECT tunnel for the other host.',
  ),
  sandbox_revoked: refusal(
    403,
    'http_request_denied',
    false,
    7,
    'This sandbox was deleted or its token was revoked.',
    'Create a sandbox or fetch a new token, then connect again.',
  ),
  sandbox_expired: refusal(
    403,
    'http_request_denied',
    false,
    7,
    'This sandbox has expired.',
    'Create a new sandbox, or one with a later expires_at.',
  ),
  sandbox_paused: refusal(
    403,
    'http_request_denied',
    false,
    7,
    'This sandbox is paused.',
    'Resume it with POST /sandboxes/{id}/resume.',
  ),
  host_denied: refusal(
    403,
    'http_request_denied',
    false,
    7,
    'A deny_out rule of this sandbox names this host.',
    'Remove the entry from network.deny_out, or call another host.',
  ),
  host_not_allowed: refusal(
    403,
    'http_request_denied',
    false,
    7,
    'This host is not in the allow list of this sandbox.',
    'Add the host to network.allow_out, or bind a secret that names it.',
  ),
  port_denied: refusal(
    403,
    'http_request_denied',
    false,
    7,
    'This port is not open for egress.',
    'Use port 443, or add the port to egress.ports or to the ports of the bound secret.',
  ),
  internal_address_denied: refusal(
    403,
    'destination_ip_prohibited',
    false,
    7,
    'The host is, or resolves to, an internal address.',
    'An operator can list the range in egress.allow_private.',
  ),
  credential_host_mismatch: refusal(
    403,
    'http_request_denied',
    false,
    7,
    'The placeholder in this request belongs to a secret that is not for this host.',
    'Use the placeholder only with the hosts of its secret, or add this host to the secret.',
  ),
  credential_not_permitted: refusal(
    403,
    'http_request_denied',
    false,
    7,
    'The secret for this host does not permit this method or path.',
    'Call a permitted method and path, or loosen methods or paths of the secret.',
  ),
  ambiguous_secret: refusal(
    403,
    'http_request_denied',
    false,
    7,
    'Several secrets claim the same place in this request.',
    'Give one of them a higher priority, or send the placeholder of the one you mean where it has one.',
  ),
  plaintext_refused: refusal(
    403,
    'http_request_denied',
    false,
    7,
    'A placeholder was sent over plain http.',
    'Use https, or set allow_plaintext on the secret and list the port.',
  ),
  credential_revoked: refusal(
    503,
    'http_request_denied',
    false,
    9,
    'The secret for this request was detached or deleted.',
    'Attach a secret to the sandbox again and use its new placeholder.',
  ),
  credential_disabled: refusal(
    503,
    'http_request_denied',
    false,
    9,
    'The secret for this request is disabled.',
    'Enable it with PATCH /secrets/{name} {"disabled": false}.',
  ),
  credential_expired: refusal(
    503,
    'http_request_denied',
    false,
    9,
    'The secret for this request has expired.',
    'Rotate the secret and set a later expires_at.',
  ),
  credential_unavailable: refusal(
    503,
    'proxy_internal_error',
    true,
    14,
    'The secret for this request cannot be opened now.',
    'Ask the operator to check the master key; the request was not forwarded without it.',
  ),
  audit_unavailable: refusal(
    503,
    'proxy_internal_error',
    true,
    14,
    'The audit trail cannot take this request now.',
    'Retry later; the operator chose audit.on_full: refuse.',
  ),
  policy_unavailable: refusal(
    503,
    'proxy_internal_error',
    true,
    14,
    'The current policy of this sandbox cannot be read now.',
    'Retry later; without a current policy nothing leaves.',
  ),
  too_many_connections: refusal(
    503,
    'connection_limit_reached',
    true,
    8,
    'Too many connections are open.',
    'Close idle connections, or raise limits.connections_max or limits.connections_per_sandbox_max.',
  ),
  rate_limited: refusal(
    429,
    'http_request_denied',
    true,
    8,
    'This sandbox asks for more than its limits allow.',
    'Wait as long as Retry-After says, or raise limits of the sandbox.',
  ),
  shutting_down: refusal(
    503,
    'proxy_internal_error',
    true,
    14,
    'The proxy is shutting down.',
    'Retry; another node or the restarted one will answer.',
  ),
  dns_failed: refusal(
    502,
    'dns_error',
    true,
    14,
    'The name of the host could not be resolved.',
    'Check the spelling of the host and the resolver in egress.dns.',
  ),
  upstream_unreachable: refusal(
    502,
    'connection_refused',
    true,
    14,
    'The origin could not be reached, or the connection to it broke.',
    'Check that the origin is up; retry if repeating the request is safe.',
  ),
  upstream_timeout: refusal(
    504,
    'connection_timeout',
    true,
    4,
    'The origin did not answer in time.',
    'Retry, or raise limits.connect_timeout_ms or limits.response_head_timeout_ms.',
  ),
  upstream_tls_failed: refusal(
    502,
    'tls_certificate_error',
    false,
    14,
    'The TLS connection to the origin could not be verified.',
    'Check the certificate of the origin; a private CA goes into egress.extra_ca.',
  ),
  upstream_protocol_error: refusal(
    502,
    'http_protocol_error',
    false,
    13,
    'The origin sent something that is not a valid HTTP response.',
    'Check what answers at this host and port.',
  ),
  internal_error: refusal(
    500,
    'proxy_internal_error',
    false,
    13,
    'Something went wrong inside the proxy.',
    'Report the request id to the operator; the log has the cause.',
  ),
} as const satisfies Record<string, RefusalRow>;

export type RefusalCode = keyof typeof REFUSALS;

/** Codes that appear in audit rows only: there is nobody left to answer, or nothing was refused. */
export const AUDIT_ONLY_CODES = [
  'not_tls',
  'sni_mismatch',
  'client_tls_failed',
  'client_aborted',
  'upstream_aborted',
  'closed_by_policy',
] as const;
export type AuditOnlyCode = (typeof AUDIT_ONLY_CODES)[number];

export type AuditCode = RefusalCode | AuditOnlyCode;

interface ControlRow {
  readonly status: number;
  readonly message: string;
}

/** Control plane: the codes of `admin-api.md`. `message` is the default; most throwers say more. */
export const CONTROL_ERRORS = {
  bad_request: { status: 400, message: 'The request is not valid.' },
  secret_not_found: { status: 400, message: 'A secret of that name does not exist.' },
  value_required: {
    status: 400,
    message: 'This change lets the value travel further, so it must carry the value again.',
  },
  value_not_placeable: {
    status: 400,
    message: 'The value cannot be carried where the auth rule would place it.',
  },
  auth_failed: { status: 401, message: 'A valid API key is required.' },
  forbidden: { status: 403, message: 'This API key may not do that.' },
  not_found: { status: 404, message: 'Not found.' },
  method_not_allowed: { status: 405, message: 'This path does not take that method.' },
  conflict: { status: 409, message: 'That exists already or is in another state.' },
  payload_too_large: { status: 413, message: 'The request body is too large.' },
  rate_limited: { status: 429, message: 'Too many requests.' },
  internal_error: { status: 500, message: 'Something went wrong inside.' },
} as const satisfies Record<string, ControlRow>;

export type ControlErrorCode = keyof typeof CONTROL_ERRORS;

/** Options shared by both kinds of failure. `cause` reaches the log and nothing else. */
interface FailureOptions {
  readonly cause?: unknown;
}

interface RefusalOptions extends FailureOptions {
  /** Replaces the row's sentence. Safe to show to the sandbox. */
  readonly message?: string;
  readonly hint?: string;
  /** Where the row allows several RFC 9209 types. */
  readonly proxyError?: ProxyErrorType;
  /** Seconds for `Retry-After`, where retrying can help. */
  readonly retryAfterS?: number;
  /** For the admin's audit row only (an internal address, a TLS fault): never sent to the client. */
  readonly auditDetail?: string;
}

/** A failure of the data plane. Its message is safe to send to the sandbox. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: RefusalCode;
  readonly hint: string;
  readonly proxyError: ProxyErrorType;
  readonly retryAfterS: number | undefined;
  readonly auditDetail: string | undefined;

  constructor(code: RefusalCode, options: RefusalOptions = {}) {
    const row = REFUSALS[code];
    super(options.message ?? row.message, { cause: options.cause });
    this.code = code;
    this.hint = options.hint ?? row.hint;
    this.proxyError = options.proxyError ?? row.proxyError;
    this.retryAfterS = options.retryAfterS;
    this.auditDetail = options.auditDetail;
  }
}

/** One field that did not validate: `path` as in `auth.headers.X-Key`, `message` what would work. */
export interface FieldFault {
  readonly path: string;
  readonly message: string;
}

interface ControlErrorOptions extends FailureOptions {
  readonly message?: string;
  readonly details?: readonly FieldFault[];
  readonly retryAfterS?: number;
}

/** A failure of the control plane. Its message is safe to send to the admin client. */
export class ControlError extends Error {
  override readonly name = 'ControlError';
  readonly code: ControlErrorCode;
  readonly details: readonly FieldFault[];
  readonly retryAfterS: number | undefined;

  constructor(code: ControlErrorCode, options: ControlErrorOptions = {}) {
    super(options.message ?? CONTROL_ERRORS[code].message, { cause: options.cause });
    this.code = code;
    this.details = options.details ?? [];
    this.retryAfterS = options.retryAfterS;
  }
}

/** A failure before anything runs (settings, keys, database version): the CLI prints both sentences. */
export class StartError extends Error {
  override readonly name = 'StartError';
  readonly hint: string;

  constructor(message: string, hint: string, options: FailureOptions = {}) {
    super(message, { cause: options.cause });
    this.hint = hint;
  }
}
