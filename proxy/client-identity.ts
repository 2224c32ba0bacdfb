/**
 * A client certificate among the secrets of a request goes to the origin with its connection, not with its
 * head: the origin of the exchange is then another pool, of connections that showed this very version.
 */
import type { Origin } from '../src/egress/upstream.ts';
import type { OpenedWinner } from '../src/inject/compose-request.ts';

/** The same origin when no winner is a certificate; claims let at most one be. */
export function withClientIdentity(origin: Origin, opened: readonly OpenedWinner[]): Origin {
  for (const { winner, value: pem } of opened) {
    if (winner.placement.type !== 'mtls') continue;
    const { versionId: id, secretId } = winner;
    return { ...origin, clientIdentity: { id, secretId, pem } };
  }
  return origin;
}
