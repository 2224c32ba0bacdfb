/**
 * The query of a request target, as origins read it: `&` and `;` separate, `+` is a space, keys are
 * decoded once. Removing and adding pairs leaves every other byte as it was sent.
 */

interface QueryPair {
  /** Decoded once. */
  readonly key: string;
  /** Decoded once; `''` without `=`. */
  readonly value: string;
  readonly rawValue: string;
}

/** `query` without its `?`; `null` when there is none (`/a?` has an empty one). */
export function splitQuery(target: string): {
  readonly path: string;
  readonly query: string | null;
} {
  const mark = target.indexOf('?');
  if (mark < 0) return { path: target, query: null };
  return { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

/** The pairs in order; empty ones (`a&&b`) are left out. */
export function queryPairs(query: string): QueryPair[] {
  return query
    .split(/[&;]/)
    .filter((pair) => pair !== '')
    .map(readPair);
}

/** The query without the pairs whose decoded key is to go; `null` when none is left because of that. */
export function withoutQueryKeys(
  query: string,
  isRemoved: (decodedKey: string) => boolean,
): string | null {
  // The capture keeps separators: pair, separator, pair, …
  const pieces = query.split(/([&;])/);
  let kept: string | null = null;
  for (let index = 0; index < pieces.length; index += 2) {
    const pair = pieces[index] ?? '';
    if (pair !== '' && isRemoved(readPair(pair).key)) continue;
    kept = kept === null ? pair : kept + (pieces[index - 1] ?? '') + pair;
  }
  return kept;
}

/** Appends one pair; `name` is encoded here, the value must be encoded already. */
export function withQueryPair(target: string, name: string, encodedValue: string): string {
  const { query } = splitQuery(target);
  const joint = query === null ? '?' : query === '' || /[&;]$/.test(query) ? '' : '&';
  return `${target}${joint}${encodeURIComponent(name)}=${encodedValue}`;
}

/** `path` and `query` put together again. */
export function joinQuery(path: string, query: string | null): string {
  return query === null ? path : `${path}?${query}`;
}

function readPair(pair: string): QueryPair {
  const equals = pair.indexOf('=');
  const rawKey = equals < 0 ? pair : pair.slice(0, equals);
  const rawValue = equals < 0 ? '' : pair.slice(equals + 1);
  return { key: decodeOnce(rawKey), value: decodeOnce(rawValue), rawValue };
}

/** Form decoding; an escape that is none stays, bytes that are no UTF-8 become U+FFFD. */
function decodeOnce(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  return spaced.replace(/(?:%[0-9a-fA-F]{2})+/g, (escapes) =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
  );
}
