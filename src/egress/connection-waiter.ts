/** An exchange without a connection yet: what pools and their queue know of it. */
import type { Refusal } from '../kernel/errors.ts';
import type { ConnectionKind, OriginConnection } from './origin-connection.ts';
import type { Origin } from './upstream.ts';

export interface ConnectionWaiter {
  readonly origin: Origin;
  /** Which client speaks where it comes to HTTP/1.1. */
  readonly kind: ConnectionKind;
  /** HTTP/2 is offered to the origin, and used where it is chosen. */
  readonly mayUseHttp2: boolean;
  /**
   * Serial number of the connection that failed it; 0 for a first try. A retry gets a connection opened
   * since: it must not meet another stale one.
   */
  readonly newerThan: number;
  /** Nobody waits any more. */
  readonly isCancelled: boolean;
  onConnection(connection: OriginConnection): void;
  onRefusal(refusal: Refusal): void;
}
