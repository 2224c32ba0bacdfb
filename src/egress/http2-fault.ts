/**
 * What ended an HTTP/2 stream before its response was complete (RFC 9113 section 7): the code, whether
 * the origin says that it did nothing with the request, and the row of the table that follows.
 */
import { Refusal } from '../kernel/errors.ts';

export const Http2Code = {
  noError: 0,
  protocolError: 1,
  refusedStream: 7,
  cancel: 8,
  enhanceYourCalm: 11,
  http11Required: 13,
} as const;

const CODE_NAMES: readonly string[] = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
];

/** Codes that say that one of the two does not speak the protocol. */
const PROTOCOL_CODES: ReadonlySet<number> = new Set([1, 3, 5, 6, 9, 12, 13]);

/** The origin reset the stream, or named it in a GOAWAY. */
export class StreamFault extends Error {
  override readonly name = 'StreamFault';
  readonly http2ErrorCode: number;
  /** Surely not acted upon (RFC 9113 8.7): may be sent again whatever its method. */
  readonly isUnprocessed: boolean;

  constructor(http2ErrorCode: number, isUnprocessed: boolean) {
    const name = CODE_NAMES[http2ErrorCode] ?? `code ${http2ErrorCode}`;
    super(isUnprocessed ? `stream not processed: ${name}` : `stream reset: ${name}`);
    this.http2ErrorCode = http2ErrorCode;
    this.isUnprocessed = isUnprocessed;
  }

  get asksForHttp1(): boolean {
    return this.http2ErrorCode === Http2Code.http11Required;
  }
}

export function streamRefusal(fault: StreamFault, hasResponseBytes: boolean): Refusal {
  const details = { auditDetail: fault.message, cause: fault };
  if (hasResponseBytes) {
    return new Refusal('upstream_protocol_error', {
      message: 'The origin broke off in the middle of its response.',
      proxyError: 'http_response_incomplete',
      ...details,
    });
  }
  if (PROTOCOL_CODES.has(fault.http2ErrorCode)) {
    return new Refusal('upstream_protocol_error', {
      proxyError: 'http_protocol_error',
      ...details,
    });
  }
  return new Refusal('upstream_unreachable', {
    message: fault.isUnprocessed
      ? 'The origin did not take the request.'
      : 'The origin reset the stream without an answer.',
    proxyError: 'connection_terminated',
    ...details,
  });
}
