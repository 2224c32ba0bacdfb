/**
 * Ends an exchange with a refusal: on the wire while that is possible, by destroying the connection once
 * a response head went out, and in the record either way.
 */
import type { Refusal, RefusalCode } from '../src/kernel/errors.ts';
import type { Logger } from '../src/kernel/logger.ts';
import type { ClientStream } from './client-stream.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { asRefusal, refusalResponse } from './respond.ts';

/** After these nothing more on the connection can be trusted to be where it seems to be. */
const ENDS_CONNECTION: ReadonlySet<RefusalCode> = new Set([
  'bad_request',
  'header_too_large',
  'request_timeout',
  'sandbox_revoked',
  'sandbox_expired',
  'shutting_down',
]);

/** Of these every stream of an HTTP/2 connection is guilty; the others concern one stream. */
const ENDS_EVERY_STREAM: ReadonlySet<RefusalCode> = new Set([
  'sandbox_revoked',
  'sandbox_expired',
  'shutting_down',
]);

/** What failed on the way to the origin was allowed; everything else was refused. */
const FAILED_AFTER_ALLOWED: ReadonlySet<RefusalCode> = new Set([
  'dns_failed',
  'upstream_unreachable',
  'upstream_timeout',
  'upstream_tls_failed',
  'upstream_protocol_error',
  'internal_error',
]);

export function refuse(
  logger: Logger,
  client: ClientStream,
  record: ExchangeRecord,
  error: unknown,
): void {
  if (record.isClosed) return;
  const refusal = asRefusal(error);
  if (refusal.code === 'internal_error') {
    logger.error(
      { err: refusal.cause, requestId: record.start.requestId },
      'exchange failed inside',
    );
  }
  describe(record, refusal);
  if (client.headSent) {
    client.abort();
  } else {
    send(client, record, refusal);
  }
  record.close();
}

function describe(record: ExchangeRecord, refusal: Refusal): void {
  record.code ??= refusal.code;
  record.detail ??= refusal.auditDetail ?? null;
  if (!FAILED_AFTER_ALLOWED.has(refusal.code)) record.decision = 'deny';
}

function send(client: ClientStream, record: ExchangeRecord, refusal: Refusal): void {
  const response = refusalResponse(refusal, client, record.start.requestId);
  const isLast = client.protocol === 'h2' ? ENDS_EVERY_STREAM : ENDS_CONNECTION;
  if (isLast.has(refusal.code)) client.closeAfterResponse();
  record.status = response.status;
  client.sendHead(response.status, response.reason, response.fields);
  if (client.method !== 'HEAD') client.write(response.body);
  client.end([]);
}
