/**
 * Which parts of a change let an existing value travel further. Such a change must carry the value again;
 * otherwise an admin key could read any secret by pointing it at a host of its own. Pure. Asks of each
 * part whether the old definition already covered it, and when in doubt says it did not.
 */
import { isDeepStrictEqual } from 'node:util';
import { coversHost } from './secret-hosts.ts';
import type { SecretDefinition } from './secret.ts';

/** Field names (native spelling) that widen; empty: the change is free. */
export function decideWidening(before: SecretDefinition, after: SecretDefinition): string[] {
  const widened: string[] = [];
  if (!after.hosts.every((host) => before.hosts.some((known) => coversHost(known, host)))) {
    widened.push('hosts');
  }
  if (!after.ports.every((port) => before.ports.includes(port))) widened.push('ports');
  if (after.auth !== null && !isDeepStrictEqual(before.auth, after.auth)) widened.push('auth');
  if (after.provider !== null && before.provider !== after.provider) widened.push('provider');
  if (after.provider !== null && !isDeepStrictEqual(before.providerParams, after.providerParams)) {
    widened.push('provider_params');
  }
  if (after.allowPlaintext && !before.allowPlaintext) widened.push('allow_plaintext');
  if (!after.maskResponses && before.maskResponses) widened.push('mask_responses');
  if (!coversAll(before.methods, after.methods, coversMethod)) widened.push('methods');
  if (!coversAll(before.paths, after.paths, coversPath)) widened.push('paths');
  return widened;
}

/** `null` stands for everything. */
function coversAll(
  before: readonly string[] | null,
  after: readonly string[] | null,
  covers: (known: string, asked: string) => boolean,
): boolean {
  if (before === null) return true;
  if (after === null) return false;
  return after.every((asked) => before.some((known) => covers(known, asked)));
}

function coversMethod(known: string, asked: string): boolean {
  return known === asked || (known === 'GET' && asked === 'HEAD');
}

/** Equal, or below a literal directory that was open as a whole. */
function coversPath(known: string, asked: string): boolean {
  if (known === asked) return true;
  const directory = known.endsWith('/**') ? known.slice(0, -2) : '';
  return directory !== '' && !directory.includes('*') && asked.startsWith(directory);
}
