/**
 * The path as the audit trail shows it: the client's, without the query, each placeholder of its sandbox
 * as `{ENV_KEY}` (a Telegram-style URL carries it in the path), cut to a length a row can hold.
 */
import type { Snapshot } from '../src/policy/snapshot.ts';

const PATH_CHARS_MAX = 2_048;

export function auditPath(snapshot: Snapshot, target: string): string {
  const mark = target.indexOf('?');
  let path = mark === -1 ? target : target.slice(0, mark);
  for (const binding of snapshot.index.withPlaceholder) {
    if (path.includes(binding.placeholder)) {
      path = path.replaceAll(binding.placeholder, `{${binding.envKey}}`);
    }
  }
  return path.length > PATH_CHARS_MAX ? `${path.slice(0, PATH_CHARS_MAX)}…` : path;
}

/** The same for a target that was refused unread; empty where nothing is at hand to find placeholders by. */
export function refusedPath(snapshot: Snapshot | undefined, target: string): string {
  if (snapshot === undefined) return '';
  return auditPath(snapshot, target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, ''));
}
