/**
 * The origin's field lines as the client may see them (spec section 8): without hop-by-hop fields and
 * those `Connection` names, without `Proxy-*`, without `Proxy-Status` members that claim to be ours, and
 * without `Alt-Svc` where we intercepted (it would lead the client around us).
 */
import { connectionOptions } from '../src/wire/hop-by-hop.ts';

/** Lower-case names that never pass from an origin. `Trailer` does: trailers are forwarded. */
const DROPPED = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'te',
  'upgrade',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  // Ours to say.
  'sallyport-masking',
]);

/** The name of a member is a token or a string (RFC 9209 2): both spell us. */
const OURS = /^\s*("?)sallyport\1\s*(;|$)/i;

/** Flat name, value array in; the same without what must not pass. */
export function clientFields(fields: readonly string[], intercepted: boolean): string[] {
  const named = namedByConnection(fields);
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    const lower = name.toLowerCase();
    if (DROPPED.has(lower) || named?.has(lower) === true) continue;
    if (intercepted && lower === 'alt-svc') continue;
    if (lower.startsWith('proxy-')) {
      if (lower !== 'proxy-status') continue;
      const members = foreignMembers(value);
      if (members !== '') kept.push(name, members);
      continue;
    }
    kept.push(name, value);
  }
  return kept;
}

/** `undefined` in the common case: no `Connection`, or only `keep-alive` or `close`. */
function namedByConnection(fields: readonly string[]): Set<string> | undefined {
  const options = connectionOptions(fields);
  if (options.length === 0) return undefined;
  const named = new Set(options);
  // Framing and status of the message are not an origin's to take away.
  named.delete('content-length');
  return named;
}

/** RFC 9209 lists proxies as members; those named `sallyport` are ours to write, not the origin's. */
function foreignMembers(value: string): string {
  return value
    .split(',')
    .filter((member) => !OURS.test(member))
    .join(',')
    .trim();
}
