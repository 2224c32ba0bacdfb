/**
 * `explain` put together: the snapshot the proxy would use, the network decision it would take (names are
 * resolved only when asked), and the deciders themselves.
 */
import type { ExplainQuery } from '../admin-api/deps.ts';
import type { OpenConnections } from '../proxy/open-connections.ts';
import type { RequestMeter } from '../proxy/request-meter.ts';
import { endedRefusal } from '../src/ca/authority.ts';
import type { CertificateAuthority } from '../src/ca/authority.ts';
import type { Resolver } from '../src/egress/resolve.ts';
import type { Clock } from '../src/kernel/clock.ts';
import { ControlError, Refusal } from '../src/kernel/errors.ts';
import { decideIntercept } from '../src/policy/decide-intercept.ts';
import { decideNetwork } from '../src/policy/decide-network.ts';
import type { NetworkEnvironment } from '../src/policy/decide-network.ts';
import type { NetworkDecision } from '../src/policy/decision.ts';
import { explainExchange } from '../src/policy/explain.ts';
import type { Explanation } from '../src/policy/explain.ts';
import type { HostPattern } from '../src/policy/host-pattern.ts';
import type { PolicyFeed } from '../src/policy/policy-feed.ts';
import type { Snapshot } from '../src/policy/snapshot.ts';
import type { Authority } from '../src/wire/host.ts';

interface ExplainParts {
  readonly feed: PolicyFeed;
  readonly network: NetworkEnvironment;
  readonly neverIntercept: readonly HostPattern[];
  readonly resolver: Resolver;
  readonly clock: Clock;
  readonly open: OpenConnections;
  readonly meter: Pick<RequestMeter, 'judge'>;
  readonly authority: Pick<CertificateAuthority, 'endedAtMs'>;
}

/** ControlError `not_found` when the sandbox went away meanwhile. */
export async function explain(parts: ExplainParts, query: ExplainQuery): Promise<Explanation> {
  const snapshot = await parts.feed.snapshotOf(query.sandboxId);
  if (snapshot === undefined) throw new ControlError('not_found');
  const { head } = query;
  const target = { host: head.host, port: head.port };
  const intercept = decideIntercept(snapshot, target, parts.neverIntercept);
  const { endedAtMs } = parts.authority;
  const needsLeaf = intercept === 'intercept' && head.scheme === 'https';
  const explanation = explainExchange(snapshot, head, {
    nowMs: parts.clock.nowMs(),
    network: await judgeNetwork(parts, snapshot, query),
    intercept,
    limited:
      needsLeaf && endedAtMs !== null ? endedRefusal(endedAtMs) : parts.meter.judge(snapshot),
  });
  if (!explanation.intercept || explanation.hint !== null) return explanation;
  return { ...explanation, hint: readOlderTunnels(parts.open, snapshot.sandboxId, target) };
}

/** Tunnels that were there before the binding stay tunnels (spec section 5.3). */
function readOlderTunnels(
  open: OpenConnections,
  sandboxId: string,
  target: Authority,
): string | null {
  const older = open.connectionsOf(sandboxId).filter((connection) => {
    const { kind, target: other } = connection;
    return kind === 'tunnel' && other?.host.text === target.host.text && other.port === target.port;
  });
  if (older.length === 0) return null;
  return `${older.length} open tunnel(s) to this host are older than the binding and stay untouched; POST /sandboxes/${sandboxId}/disconnect closes them.`;
}

async function judgeNetwork(
  parts: ExplainParts,
  snapshot: Snapshot,
  { head, resolve }: ExplainQuery,
): Promise<NetworkDecision> {
  const target = { host: head.host, port: head.port };
  const byName = decideNetwork(snapshot, target, null, parts.network);
  if (byName.verdict !== 'resolve' || !resolve) return byName;
  try {
    const found = await parts.resolver.resolve(head.host, snapshot.sandboxId);
    const { addresses, dialPort, isByParent = false } = found;
    return decideNetwork(snapshot, target, addresses, { ...parts.network, dialPort, isByParent });
  } catch (error) {
    if (error instanceof Refusal) return { verdict: 'refuse', refusal: error, matchRule: null };
    throw error;
  }
}
