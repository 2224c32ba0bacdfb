/**
 * A test of a secret put together: the snapshot of a sandbox that has it, or of one that does not exist and
 * holds nothing else, and the data plane's own way out.
 */
import { ControlError } from '../src/kernel/errors.ts';
import type { Clock } from '../src/kernel/clock.ts';
import type { PolicyFeed } from '../src/policy/policy-feed.ts';
import type { BoundSecret, PolicyStore } from '../src/policy/policy-store.ts';
import type { RequestHead } from '../src/policy/request-head.ts';
import { compileSnapshot } from '../src/policy/snapshot-compile.ts';
import type { Snapshot } from '../src/policy/snapshot.ts';
import type { Sandbox } from '../src/sandboxes/sandbox.ts';
import type { ProbeAnswer, ProbeQuery } from '../src/secrets/secret-tester.ts';

interface ProbeParts {
  readonly feed: PolicyFeed;
  readonly policy: Pick<PolicyStore, 'readPlacedSecrets'>;
  readonly clock: Clock;
  readonly send: (snapshot: Snapshot, head: RequestHead, secretId: string) => Promise<ProbeAnswer>;
}

/** ControlError `not_found` when the sandbox or the secret went away meanwhile. */
export async function probe(parts: ProbeParts, query: ProbeQuery): Promise<ProbeAnswer> {
  const { holder, head, secretId } = query;
  const snapshot =
    holder.sandboxId === null
      ? await nobodysSnapshot(parts, query, holder.workspaceId)
      : await parts.feed.snapshotOf(holder.sandboxId);
  if (snapshot === undefined) throw new ControlError('not_found');
  return parts.send(snapshot, { ...head, fields: [...PROBE_FIELDS, ...head.fields] }, secretId);
}

const PROBE_FIELDS = ['User-Agent', 'sallyport-secret-test', 'Accept', '*/*'];

async function nobodysSnapshot(
  { policy, clock }: ProbeParts,
  { organizationId, secretId }: ProbeQuery,
  workspaceId: string | null,
): Promise<Snapshot | undefined> {
  const bound = await policy.readPlacedSecrets(organizationId, [secretId]);
  const [first] = bound;
  if (first === undefined) return undefined;
  const nowMs = clock.nowMs();
  const sandbox = nobody(first, workspaceId, nowMs);
  return compileSnapshot({ sandbox, bound }, { revision: 0, nowMs });
}

/** Bound to one secret, with no network rules of its own. It is in no store and has no token. */
function nobody({ secret }: BoundSecret, workspaceId: string | null, nowMs: number): Sandbox {
  return {
    id: `test-of-${secret.id}`,
    organizationId: secret.organizationId,
    workspaceId: workspaceId ?? '',
    name: 'test',
    description: null,
    status: 'active',
    metadata: {},
    network: { allowOut: [], denyOut: [] },
    envVars: {},
    secretsMode: 'bound',
    limits: { requestsPerMinute: null, concurrent: null },
    interceptAll: false,
    sourceCidrs: [],
    timeoutSeconds: null,
    armedAtMs: nowMs,
    autoDeleteSeconds: null,
    pausedAtMs: null,
    autoDeleteAtMs: null,
    expiresAtMs: null,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    createdBy: 'sallyport',
    revision: 1,
  };
}
