/**
 * A request that no response object answers, on a connection whose sandbox is known: one the parser
 * refused, a nested CONNECT, an upgrade that may not go on. It gets the same refusal and the same audit
 * event as every other (I4), and its connection ends.
 */
import type { Socket } from 'node:net';
import type { Refusal } from '../src/kernel/errors.ts';
import { openRecord } from './exchange.ts';
import type { ExchangeContext } from './exchange-context.ts';
import { refuseUnparsed } from './http1-connection.ts';

/** `method` is empty where it was not read. */
export function refuseUnserved(
  context: ExchangeContext,
  socket: Socket,
  method: string,
  refusal: Refusal,
): void {
  const record = openRecord(context, {
    method,
    httpVersion: '',
    bytesIn: () => socket.bytesRead,
    bytesOut: () => socket.bytesWritten,
    abort: () => socket.destroy(),
  });
  record.decision = 'deny';
  record.code = refusal.code;
  record.status = refuseUnparsed(socket, refusal);
  record.close();
}
