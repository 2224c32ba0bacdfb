/**
 * How far a rotation has come: what each version served since, and whether the values before it can be
 * revoked where they were issued. Careful: safe only when nothing of ours can send them any more and the
 * active one is seen to work. Pure.
 */
import type { VersionRow } from './secret-store.ts';
import type { Secret } from './secret.ts';

export interface Rollout {
  readonly secret: Secret;
  /** Those that still have a value, newest first. */
  readonly versions: readonly VersionRow[];
  readonly isSafeToRevoke: boolean;
  /** A full sentence. */
  readonly reason: string;
}

export function decideRollout(secret: Secret, rows: readonly VersionRow[], nowMs: number): Rollout {
  const versions = rows.filter((row) => !row.isDestroyed);
  const obstacle = findObstacle(secret, versions, nowMs);
  const active = `version ${secret.version}`;
  const reason =
    obstacle ?? `Nothing can use another version any more, and ${active} has served requests.`;
  return { secret, versions, isSafeToRevoke: obstacle === null, reason };
}

function findObstacle(
  secret: Secret,
  versions: readonly VersionRow[],
  nowMs: number,
): string | null {
  const others = versions.filter((row) => !row.active);
  if (others.length === 0) return 'There is no other version that still has a value.';
  const { overlap } = secret;
  if (overlap !== null && overlap.endsAtMs > nowMs) {
    const end = new Date(overlap.endsAtMs).toISOString();
    return `Version ${overlap.version} may still step in for refused requests until ${end}.`;
  }
  const pinned = others.find((row) => row.pins > 0);
  if (pinned !== undefined) {
    return `${pinned.pins} binding(s) of sandboxes stay with version ${pinned.version}.`;
  }
  const active = versions.find((row) => row.active);
  const refused = active?.health.authFailures ?? 0;
  if (refused > 0) {
    return `Origins refused version ${secret.version} ${refused} time(s) since they last accepted it.`;
  }
  if ((active?.requestsSinceRotation ?? 0) === 0) {
    return `No request has used version ${secret.version} since the rotation, so it is not known to work.`;
  }
  return null;
}
