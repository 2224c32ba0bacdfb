/**
 * Refusals on the wire: the one translation of `src/kernel/errors.ts` for the data plane (spec section
 * 11, RFC 9209). JSON an agent can act on; text for git and for clients that refuse JSON; trailers-only
 * for gRPC. Anything that is not a Refusal is `internal_error` outside and everything in the log.
 */
import { REFUSALS, Refusal } from '../src/kernel/errors.ts';
import { fieldValues, readField } from '../src/wire/field-list.ts';

export interface RefusalResponse {
  readonly status: number;
  /** The reason phrase: on CONNECT it is the code, since Python, wget and Go show nothing else. */
  readonly reason: string;
  readonly fields: string[];
  readonly body: Buffer;
}

/** What of the request shapes the refusal. */
export interface RefusedRequest {
  readonly method: string;
  readonly fields: readonly string[];
}

/** A CONNECT is answered with this and nothing else before the bytes of the tunnel. */
export const ESTABLISHED = 'HTTP/1.1 200 Connection Established\r\n\r\n';

const DEFAULT_RETRY_AFTER_S = 1;

/** `internal_error` for everything that nobody foresaw; the cause is kept for the log. */
export function asRefusal(error: unknown): Refusal {
  return error instanceof Refusal ? error : new Refusal('internal_error', { cause: error });
}

/** The complete response of a refusal, `Content-Length` included. */
export function refusalResponse(
  refusal: Refusal,
  request: RefusedRequest,
  requestId: string,
): RefusalResponse {
  const row = REFUSALS[refusal.code];
  const fields = [
    'Proxy-Status',
    `sallyport; error=${refusal.proxyError}; details="${refusal.code}"`,
    'Cache-Control',
    'no-store',
  ];
  pushRetryAdvice(fields, refusal, row.retryable);
  if (refusal.code === 'proxy_auth_required') {
    fields.push('Proxy-Authenticate', 'Basic realm="sallyport"');
  }
  if (isGrpc(request)) return grpcResponse(refusal, row.grpcStatus, fields);
  const wantsText = prefersText(request);
  const body = Buffer.from(
    wantsText ? textBody(refusal, requestId) : jsonBody(refusal, row.retryable, requestId),
  );
  fields.push(
    'Content-Type',
    wantsText ? 'text/plain; charset=utf-8' : 'application/json',
    'Content-Length',
    String(body.length),
  );
  return { status: row.status, reason: refusal.code, fields, body };
}

function pushRetryAdvice(fields: string[], refusal: Refusal, retryable: boolean): void {
  if (retryable) {
    fields.push('Retry-After', String(refusal.retryAfterS ?? DEFAULT_RETRY_AFTER_S));
  } else {
    fields.push('x-should-retry', 'false');
  }
}

function jsonBody(refusal: Refusal, retryable: boolean, requestId: string): string {
  return JSON.stringify({
    error: {
      type: 'sallyport_refusal',
      code: refusal.code,
      message: refusal.message,
      hint: refusal.hint,
      request_id: requestId,
      retryable,
    },
    message: refusal.message,
  });
}

function textBody(refusal: Refusal, requestId: string): string {
  return `sallyport: ${refusal.code}: ${refusal.message}\n${refusal.hint}\nrequest id: ${requestId}\n`;
}

/** A refusal as gRPC's trailers-only response (gRPC over HTTP/2, "Responses"). */
function grpcResponse(refusal: Refusal, grpcStatus: number, fields: string[]): RefusalResponse {
  const message = percentEncodeGrpc(`${refusal.code}: ${refusal.message} ${refusal.hint}`);
  fields.push(
    'Content-Type',
    'application/grpc',
    'grpc-status',
    String(grpcStatus),
    'grpc-message',
    message,
    'Content-Length',
    '0',
  );
  return { status: 200, reason: 'OK', fields, body: Buffer.alloc(0) };
}

/** Never a CONNECT: its 200 would say that the tunnel is open. */
function isGrpc(request: RefusedRequest): boolean {
  return (
    request.method !== 'CONNECT' &&
    readField(request.fields, 'content-type')?.toLowerCase().startsWith('application/grpc') === true
  );
}

/** git shows a text body to its user and hides a JSON one. */
function prefersText(request: RefusedRequest): boolean {
  if (readField(request.fields, 'user-agent')?.startsWith('git/') === true) return true;
  const accepted = fieldValues(request.fields, 'accept');
  return accepted.length > 0 && !acceptsJson(accepted.join(','));
}

/** RFC 9110 12.5.1, as far as it concerns one media type: listed, not with a weight of zero. */
function acceptsJson(accept: string): boolean {
  if (accept.trim() === '') return true;
  return accept
    .toLowerCase()
    .split(',')
    .some((item) => {
      const [range = '', ...parameters] = item.split(';').map((part) => part.trim());
      if (parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))) return false;
      return (
        range === '*/*' ||
        range === 'application/*' ||
        range === 'application/json' ||
        range.endsWith('+json')
      );
    });
}

/** `grpc-message` percent-encodes everything outside printable ASCII, and `%`. */
function percentEncodeGrpc(text: string): string {
  return text.replace(/[^\x20-\x24\x26-\x7e]/g, (char) => encodeURIComponent(char));
}

/** On a new CONNECT a dead sandbox is asked to authenticate anew (spec section 11). */
export function connectRefusal(refusal: Refusal): Refusal {
  const isDead = refusal.code === 'sandbox_revoked' || refusal.code === 'sandbox_expired';
  return isDead ? new Refusal('proxy_auth_required', { message: refusal.message }) : refusal;
}

/** One HTTP/1.1 response as bytes, for sockets that no server object answers on. */
export function rawResponse(response: RefusalResponse, connection: 'keep-alive' | 'close'): Buffer {
  let head = `HTTP/1.1 ${response.status} ${response.reason}\r\n`;
  for (let i = 0; i + 1 < response.fields.length; i += 2) {
    head += `${response.fields[i]}: ${response.fields[i + 1]}\r\n`;
  }
  head += `Connection: ${connection}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), response.body]);
}
