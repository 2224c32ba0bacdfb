/**
 * A path pattern: begins with `/`; `*` within one segment; a trailing `/**` for everything below (not for
 * the directory's own name without its slash). Compiled once, when the snapshot is made. A path holds
 * only if it holds in both readings of spec section 5.6: as sent, and normalized.
 */
export interface PathPattern {
  readonly text: string;
  /** Longer literal prefixes are more specific. */
  readonly literalLength: number;
  readonly segments: readonly string[];
  /** Ends in `/**`. */
  readonly below: boolean;
}

/** The two readings of one request's path, without its query. */
export interface PathReadings {
  readonly asSent: string;
  /** `undefined`: it has no normalized reading, so no pattern holds for it. */
  readonly normalized: string | undefined;
}

/**
 * Throws a plain Error, safe to show, also for what could never match in both readings: percent signs,
 * `//`, `;`, `\`, dot segments. `*` stands for those.
 */
export function parsePathPattern(text: string): PathPattern {
  if (!text.startsWith('/')) throw fault(text, 'must begin with /');
  if (text.length > PATTERN_CHARS_MAX) throw fault(text, `is longer than ${PATTERN_CHARS_MAX}`);
  if (/[^\x21-\x7e]|[%;\\?#]/.test(text)) {
    throw fault(text, 'holds a character that never matches as sent and decoded alike; use *');
  }
  const below = text.endsWith('/**');
  const segments = (below ? text.slice(1, -3) : text.slice(1)).split('/');
  if (below && text === '/**') segments.length = 0;
  for (const [index, segment] of segments.entries()) {
    if (segment.includes('**')) throw fault(text, 'may have ** only as its last segment');
    if (segment === '.' || segment === '..') throw fault(text, 'must not have dot segments');
    const isLast = index === segments.length - 1 && !below;
    if (segment === '' && !isLast) throw fault(text, 'must not have empty segments');
  }
  const star = text.indexOf('*');
  return { text, literalLength: star < 0 ? text.length : star, segments, below };
}

/** One reading against one pattern. `path` is without its query. */
export function matchesPath(pattern: PathPattern, path: string): boolean {
  if (pattern.literalLength === pattern.text.length) return path === pattern.text;
  if (!path.startsWith(pattern.text.slice(0, pattern.literalLength))) return false;
  const isPrefix = pattern.below && pattern.literalLength === pattern.text.length - 2;
  return isPrefix || matchesSegments(pattern, path);
}

/** `true` and `false` where both readings agree; `undefined` where they disagree or one is missing. */
export function judgePath(
  patterns: readonly PathPattern[],
  readings: PathReadings,
): boolean | undefined {
  const { asSent, normalized } = readings;
  if (normalized === undefined) return undefined;
  const sentMatches = matchesSome(patterns, asSent);
  if (asSent === normalized) return sentMatches;
  return sentMatches === matchesSome(patterns, normalized) ? sentMatches : undefined;
}

const PATTERN_CHARS_MAX = 1_024;

function matchesSome(patterns: readonly PathPattern[], path: string): boolean {
  for (const pattern of patterns) if (matchesPath(pattern, path)) return true;
  return false;
}

function matchesSegments(pattern: PathPattern, path: string): boolean {
  const { segments, below } = pattern;
  const actual = path.slice(1).split('/');
  if (below ? actual.length <= segments.length : actual.length !== segments.length) return false;
  return segments.every((segment, index) => matchesSegment(segment, actual[index] ?? ''));
}

/** Greedy from the left is enough where the only wildcard is `*`. A `*` alone needs a character. */
function matchesSegment(glob: string, text: string): boolean {
  if (glob === '*') return text !== '';
  const parts = glob.split('*');
  const head = parts[0] ?? '';
  if (parts.length === 1) return glob === text;
  const tail = parts.at(-1) ?? '';
  if (!text.startsWith(head) || !text.endsWith(tail)) return false;
  let position = head.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, position);
    if (found < 0) return false;
    position = found + part.length;
  }
  return position <= text.length - tail.length;
}

function fault(text: string, reason: string): Error {
  return new Error(`${JSON.stringify(text.slice(0, 80))} ${reason}`);
}
