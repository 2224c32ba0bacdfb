/**
 * What an HTTP/2 connection refused before it was a request: a malformed head, a broken frame, a flood. It
 * leaves one audit event like everything else that was begun (I4); the answer was a reset or a GOAWAY.
 */
import { openRecord } from './exchange.ts';
import type { ExchangeContext } from './exchange-context.ts';

/** `detail`: for the audit row; never bytes of the client. */
export function recordMalformed(context: ExchangeContext, detail: string): void {
  const record = openRecord(context, {
    method: '',
    httpVersion: '2',
    bytesIn: zero,
    bytesOut: zero,
    abort: nothing,
  });
  record.decision = 'deny';
  record.code = 'bad_request';
  record.detail = detail;
  record.close();
}

function zero(): number {
  return 0;
}

function nothing(): void {}
