/**
 * What went wrong on a connection in use, as a row of the table. Two questions decide: did any byte of
 * the response come, and whose fault is it. Library messages go to the admin's detail, never outside.
 */
import { Refusal } from '../kernel/errors.ts';
import { readCode, tlsRefusal } from './dial-fault.ts';
import { StreamFault, streamRefusal } from './http2-fault.ts';

const CONNECTION_CODES = new Set([
  'UND_ERR_SOCKET',
  'UND_ERR_INFO',
  'UND_ERR_DESTROYED',
  'UND_ERR_CLOSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTCONN',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_WRITE_AFTER_END',
]);

const REQUEST_CODES = new Set([
  'SALLYPORT_BODY_ABORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'ERR_INVALID_CHAR',
  'ERR_INVALID_HTTP_TOKEN',
  'ERR_UNESCAPED_CHARACTERS',
  'ERR_HTTP_CONTENT_LENGTH_MISMATCH',
  'ERR_HTTP2_INVALID_CONNECTION_HEADERS',
]);

/** The connection went away, as opposed to: it carried something wrong, or nothing for too long. */
export function isConnectionFault(error: Error): boolean {
  if (error.name === 'ConnectionGone') return true;
  if (/^bad (response|upgrade)$/.test(error.message)) return false;
  return CONNECTION_CODES.has(readCode(error) ?? '');
}

/** How far the response had come. */
export type ResponseProgress = 'nothing' | 'bytes' | 'head';

export function exchangeRefusal(error: Error, progress: ResponseProgress): Refusal {
  if (error instanceof Refusal) return error;
  const hasResponseBytes = progress !== 'nothing';
  if (error instanceof StreamFault) return streamRefusal(error, hasResponseBytes);
  const code = readCode(error) ?? '';
  const auditDetail = `${code === '' ? error.name : code}: ${error.message}`.slice(0, 300);
  if (REQUEST_CODES.has(code)) {
    const message = 'The request body does not have the announced length, or ended early.';
    return new Refusal('bad_request', { message, auditDetail, cause: error });
  }
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    return new Refusal('upstream_timeout', {
      message: hasResponseBytes
        ? 'The origin stopped sending.'
        : 'The origin accepted the request and did not answer in time.',
      proxyError: 'http_response_timeout',
      auditDetail,
      cause: error,
    });
  }
  if (code.startsWith('ERR_SSL_')) return tlsRefusal(error);
  if (isConnectionFault(error)) {
    return hasResponseBytes
      ? incomplete(auditDetail, error)
      : new Refusal('upstream_unreachable', {
          message: 'The origin closed the connection without an answer.',
          proxyError: 'connection_terminated',
          auditDetail,
          cause: error,
        });
  }
  // Before the head is complete undici calls any fault of framing a mismatch.
  const isShort = code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' && progress === 'head';
  if (code === 'HPE_INVALID_EOF_STATE' || isShort) {
    return incomplete(auditDetail, error);
  }
  return new Refusal('upstream_protocol_error', {
    ...(code.includes('OVERFLOW') ? { message: 'The head of the response is too large.' } : {}),
    proxyError: 'http_protocol_error',
    auditDetail,
    cause: error,
  });
}

/** The response is not HTTP, or not HTTP that can be passed on unambiguously. */
export function protocolRefusal(detail: string): Refusal {
  return new Refusal('upstream_protocol_error', { auditDetail: detail });
}

function incomplete(auditDetail: string, cause: Error): Refusal {
  return new Refusal('upstream_protocol_error', {
    message: 'The origin broke off in the middle of its response.',
    proxyError: 'http_response_incomplete',
    auditDetail,
    cause,
  });
}
