/**
 * The life of a tunnel after its origin was dialled: the 200, with `egress.tunnel_sni: check` the server
 * name of a TLS hello, the bytes, and at the end its one audit event (I4).
 */
import type { Socket } from 'node:net';
import type { AuditCode } from '../src/kernel/errors.ts';
import { decideIntercept } from '../src/policy/decide-intercept.ts';
import { decideServerName } from '../src/policy/decide-server-name.ts';
import type { Snapshot } from '../src/policy/snapshot.ts';
import type { Authority } from '../src/wire/host.ts';
import type { AdmittedConnection } from './admitted-connection.ts';
import type { Client } from './authenticate.ts';
import type { ConnectionRecord } from './connection-record.ts';
import type { DataPlane } from './data-plane.ts';
import { readFirstHello } from './first-hello.ts';
import type { Reached } from './reach.ts';
import { ESTABLISHED } from './respond.ts';
import { joinSockets } from './tunnel.ts';

export interface TunnelParts {
  readonly plane: DataPlane;
  readonly client: Client;
  readonly target: Authority;
  readonly record: ConnectionRecord;
  readonly connection: AdmittedConnection;
  readonly snapshot: Snapshot;
  readonly reached: Reached;
}

/** Answers the CONNECT and joins the two. */
export function openTunnel(parts: TunnelParts, socket: Socket, upstream: Socket): void {
  const { plane, connection, record, reached } = parts;
  const address = plane.dialer.addressOf(upstream) ?? reached.origin.addresses[0] ?? null;
  connection.kind = 'tunnel';
  connection.address = address;
  plane.metrics.connectionOpened('tunnel');
  const readBefore = socket.bytesRead;
  socket.write(ESTABLISHED);
  let mismatch: string | null = null;
  const isEnforced = plane.network.mode === 'enforce';
  const admit = async (): Promise<boolean> => {
    mismatch = await readMismatch(parts, socket);
    return mismatch === null || !isEnforced;
  };
  joinSockets(socket, upstream, {
    silenceTimeoutMs: plane.limits.tunnelSilenceTimeoutMs,
    admit: plane.tunnelSni === 'check' ? admit : null,
    onEnd: (broken) => {
      plane.metrics.connectionClosed('tunnel');
      const isRefused = mismatch !== null && isEnforced;
      const isObserved = mismatch !== null && !isEnforced;
      record.close({
        decision: isRefused ? 'deny' : 'tunnel',
        verdict: isRefused ? 'blocked' : 'allowed',
        code: isRefused ? 'sni_mismatch' : codeOf(connection, broken),
        detail: mismatch ?? (isBoundSince(parts) ? BOUND_SINCE : null),
        address,
        matchRule: reached.matchRule,
        wouldRefuse: reached.observed?.code ?? (isObserved ? 'sni_mismatch' : null),
        bytesIn: socket.bytesRead - readBefore,
        bytesOut: upstream.bytesRead,
      });
    },
  });
}

function codeOf(
  connection: AdmittedConnection,
  broken: 'client' | 'upstream' | null,
): AuditCode | null {
  if (connection.isClosedByPolicy) return 'closed_by_policy';
  return broken === 'upstream' ? 'upstream_aborted' : null;
}

/** Why the client's first bytes may not go on; `null`: they may. Other protocols than TLS are not read. */
async function readMismatch(parts: TunnelParts, socket: Socket): Promise<string | null> {
  const { plane, target, connection, reached } = parts;
  const hello = await readFirstHello(socket, plane.limits.tlsHandshakeTimeoutMs);
  if (hello.kind === 'malformed') return `the TLS hello cannot be read: ${hello.reason}`;
  if (hello.kind !== 'hello' || hello.serverName === null || connection.address === null) {
    return null;
  }
  const snapshot = plane.feed.warmSnapshotOf(parts.snapshot.sandboxId) ?? parts.snapshot;
  const { dialPort, isByParent = false } = reached.origin;
  const end = { target, address: connection.address, dialPort, isByParent };
  const mismatch = decideServerName(snapshot, end, hello.serverName, plane);
  // Judged again when the rules change.
  if (mismatch === null) connection.serverName = hello.serverName;
  return mismatch;
}

const BOUND_SINCE = 'a secret for this host was bound after this tunnel was opened: not injected';

/** Would the host be intercepted by now? Earlier tunnels stay tunnels (spec section 5.3). */
function isBoundSince({ plane, client, target }: TunnelParts): boolean {
  const snapshot = plane.feed.warmSnapshotOf(client.holder.sandboxId);
  if (snapshot === undefined) return false;
  return decideIntercept(snapshot, target, plane.neverIntercept) === 'intercept';
}
