/**
 * One path in the two readings that path rules must both accept (spec section 5.6): as sent, and as the
 * most eager server would understand it. Percent-decoding runs to a fixed point so that no depth of
 * encoding hides a dot segment. Only for judging: what is sent to the origin is what came.
 */

export interface PathReadings {
  readonly asSent: string;
  readonly normalized: string;
}

/** More rounds of encoding than this are nobody's file name. */
const DECODE_ROUNDS_MAX = 3;

/**
 * `path` without its query. `undefined`, which callers must refuse, when it does not begin with `/`, is
 * still encoded after three rounds, or decodes to control characters or to what is no UTF-8.
 */
export function pathReadings(path: string): PathReadings | undefined {
  if (!path.startsWith('/')) return undefined;
  if (isPlainPath(path)) return { asSent: path, normalized: path };
  const decoded = decodeFully(path);
  if (decoded === undefined || /[\u0000-\u001f\u007f]/.test(decoded)) return undefined;
  return { asSent: path, normalized: removeDotSegments(decoded) };
}

/** Nothing in it that any reader would change. */
function isPlainPath(path: string): boolean {
  return !/[^\x21-\x7e]|[%\\;]|\/\/|\/\./.test(path);
}

function decodeFully(path: string): string | undefined {
  let current = path;
  for (let round = 0; round < DECODE_ROUNDS_MAX; round++) {
    const next = decodeRound(current);
    if (next === undefined || next === current) return next;
    current = next;
  }
  return decodeRound(current) === current ? current : undefined;
}

/** A `%` that begins no escape stays: `/100%25` must reach a fixed point at `/100%`. */
function decodeRound(text: string): string | undefined {
  try {
    return text.replace(/(?:%[0-9a-fA-F]{2})+/g, decodeURIComponent);
  } catch {
    return undefined;
  }
}

/** RFC 3986 section 5.2.4 after `\` is `/`, parameters are cut and repeated slashes are one. */
function removeDotSegments(path: string): string {
  const kept: string[] = [];
  const segments = path.replaceAll('\\', '/').split('/').slice(1).map(withoutParameters);
  let isDirectory = false;
  for (const segment of segments) {
    isDirectory = segment === '' || segment === '.' || segment === '..';
    if (segment === '..') kept.pop();
    else if (!isDirectory) kept.push(segment);
  }
  return kept.length === 0 ? '/' : `/${kept.join('/')}${isDirectory ? '/' : ''}`;
}

function withoutParameters(segment: string): string {
  const semicolon = segment.indexOf(';');
  return semicolon < 0 ? segment : segment.slice(0, semicolon);
}
