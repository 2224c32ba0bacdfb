/**
 * What happens to what is already open when something changes (spec section 5.3). Every change re-judges
 * what its sandbox has open; a sweep does the same for deadlines that pass without a change (expiry of a
 * sandbox, a token, a secret). New requests need nothing from here: they read the current snapshot.
 */
import type { ClientIdentity } from '../src/egress/upstream.ts';
import { Refusal } from '../src/kernel/errors.ts';
import { FIXED } from '../src/kernel/limits.ts';
import { decideNetwork } from '../src/policy/decide-network.ts';
import { readTombstoneAt } from '../src/policy/match-rule.ts';
import type { Snapshot } from '../src/policy/snapshot.ts';
import { parseHost } from '../src/wire/host.ts';
import { authenticateAgain } from './authenticate.ts';
import type { DataPlane } from './data-plane.ts';
import type { OpenConnection, OpenExchange, UsedSecret } from './open-connections.ts';

/** Watches until the returned function is called. */
export function startPolicyWatch(plane: DataPlane): () => void {
  const judge = (sandboxId: string): void => {
    judgeSandbox(plane, sandboxId).catch((error: unknown) => {
      plane.logger.error({ err: error, sandboxId }, 'open connections could not be judged');
    });
  };
  // Sandboxes whose replaced token still works for a while: its end comes without a change.
  const overlapping = new Set<string>();
  const unsubscribe = plane.feed.onChange((sandboxId, kind) => {
    if (kind === 'token') overlapping.add(sandboxId);
    if (kind === 'disconnect') closeAll(plane, sandboxId);
    else judge(sandboxId);
  });
  const sweep = setInterval(() => {
    for (const sandboxId of overlapping) {
      if (!plane.open.hasAny(sandboxId)) overlapping.delete(sandboxId);
    }
    const nowMs = plane.clock.nowMs();
    for (const sandboxId of plane.open.sandboxIds()) {
      if (overlapping.has(sandboxId) || mayBeOver(plane, sandboxId, nowMs)) judge(sandboxId);
    }
  }, FIXED.policySweepMs);
  sweep.unref();
  return () => {
    unsubscribe();
    clearInterval(sweep);
  };
}

/** Cheap and synchronous: nearly every sandbox is passed over. */
function mayBeOver(plane: DataPlane, sandboxId: string, nowMs: number): boolean {
  const snapshot = plane.feed.warmSnapshotOf(sandboxId);
  if (snapshot === undefined) return true;
  if (hasPassed(snapshot.expiresAtMs, nowMs)) return true;
  if (snapshot.index.expiring.some((binding) => hasPassed(binding.expiresAtMs, nowMs))) return true;
  // One that connected with a replaced token after the change.
  return plane.open.someHolder(sandboxId, ({ validUntilMs }) => hasPassed(validUntilMs, nowMs));
}

function hasPassed(deadlineMs: number | null, nowMs: number): boolean {
  return deadlineMs !== null && deadlineMs <= nowMs;
}

function closeAll(plane: DataPlane, sandboxId: string): void {
  for (const exchange of plane.open.exchangesOf(sandboxId)) exchange.closeByPolicy();
  for (const connection of plane.open.connectionsOf(sandboxId)) connection.closeByPolicy();
}

async function judgeSandbox(plane: DataPlane, sandboxId: string): Promise<void> {
  // When the policy cannot be read this rejects: new requests are refused, nothing is torn down.
  const snapshot = await plane.feed.snapshotOf(sandboxId);
  const nowMs = plane.clock.nowMs();
  if (snapshot === undefined || isOver(snapshot, nowMs)) {
    closeAll(plane, sandboxId);
    return;
  }
  for (const exchange of plane.open.exchangesOf(sandboxId)) {
    if (await authenticateAgain(plane.feed, exchange.holder, nowMs)) {
      judgeExchange(plane, snapshot, exchange, nowMs);
    } else {
      exchange.closeByPolicy();
    }
  }
  // Pooled connections that this sandbox used last and may not reach any more.
  plane.upstream.closeWhere(
    (origin) =>
      origin.sandboxId === sandboxId &&
      isDenied(
        plane,
        snapshot,
        { host: parseHost(origin.host), port: origin.port },
        origin.address,
      ),
  );
  // And those that showed a certificate it may not show any more: what is on them has its grace.
  plane.upstream.retireWhere(
    ({ sandboxId: user, clientIdentity }) =>
      user === sandboxId && clientIdentity !== null && !isShown(snapshot, clientIdentity, nowMs),
  );
  for (const connection of plane.open.connectionsOf(sandboxId)) {
    await judgeConnection(plane, snapshot, connection, nowMs);
  }
}

function isOver(snapshot: Snapshot, nowMs: number): boolean {
  return hasPassed(snapshot.expiresAtMs, nowMs) || snapshot.status === 'paused';
}

async function judgeConnection(
  plane: DataPlane,
  snapshot: Snapshot,
  connection: OpenConnection,
  nowMs: number,
): Promise<void> {
  if (!(await authenticateAgain(plane.feed, connection.holder, nowMs))) {
    connection.closeByPolicy();
    return;
  }
  if (connection.kind !== 'tunnel' || connection.target === null) return;
  const { target, address, serverName } = connection;
  const named = serverName === null ? target : { host: parseHost(serverName), port: target.port };
  if (isDenied(plane, snapshot, target, address) || isDenied(plane, snapshot, named, address)) {
    connection.closeByPolicy();
  }
}

function judgeExchange(
  plane: DataPlane,
  snapshot: Snapshot,
  exchange: OpenExchange,
  nowMs: number,
): void {
  if (isDenied(plane, snapshot, exchange.target, exchange.address)) {
    exchange.closeByPolicy();
    return;
  }
  const lost = exchange.secrets.some((used) => !isUsable(snapshot, used, nowMs));
  if (!lost) return;
  if (exchange.kind === 'upgraded') {
    exchange.closeByPolicy();
    return;
  }
  graceOf(plane, exchange);
}

/** An ordinary response may finish within the grace time; each exchange gets one timer. */
const graced = new WeakSet<OpenExchange>();
function graceOf(plane: DataPlane, exchange: OpenExchange): void {
  if (graced.has(exchange)) return;
  graced.add(exchange);
  const timer = setTimeout(() => {
    exchange.closeByPolicy();
  }, plane.limits.inflightGraceMs);
  timer.unref();
}

function isShown(snapshot: Snapshot, { secretId }: ClientIdentity, nowMs: number): boolean {
  return snapshot.bindings.some(
    (binding) => binding.secretId === secretId && readTombstoneAt(binding, nowMs) === null,
  );
}

function isUsable(snapshot: Snapshot, used: UsedSecret, nowMs: number): boolean {
  const binding = snapshot.index.byId.get(used.bindingId);
  return (
    binding !== undefined &&
    binding.tombstone === null &&
    !binding.detached &&
    binding.version !== null &&
    !hasPassed(binding.expiresAtMs, nowMs)
  );
}

function isDenied(
  plane: DataPlane,
  snapshot: Snapshot,
  target: OpenExchange['target'],
  address: OpenExchange['address'],
): boolean {
  if (address === null) return false;
  try {
    const isByParent = plane.resolver.isByParent(target.host);
    const environment = isByParent ? { ...plane.network, isByParent } : plane.network;
    return decideNetwork(snapshot, target, [address], environment).verdict === 'refuse';
  } catch (error) {
    if (error instanceof Refusal) return true;
    throw error;
  }
}
