/**
 * Do two path patterns share a path? Asked of auth rules on one host, which may not overlap: otherwise it
 * would depend on their order how a value is placed.
 */
import type { PathPattern } from '../policy/path-pattern.ts';

export function overlapsPath(one: PathPattern, other: PathPattern): boolean {
  const shared = Math.min(one.segments.length, other.segments.length);
  for (let index = 0; index < shared; index += 1) {
    if (!globsIntersect(one.segments[index] ?? '', other.segments[index] ?? '')) return false;
  }
  if (one.segments.length === other.segments.length) return true;
  const shorter = one.segments.length < other.segments.length ? one : other;
  return shorter.below;
}

/**
 * Is there a text that both match, `*` standing for any characters of one segment? Walks the pairs of
 * positions both globs can be at after the same text: quadratic, whatever the stars.
 */
function globsIntersect(one: string, other: string): boolean {
  const width = other.length + 1;
  const isReached = new Uint8Array((one.length + 1) * width);
  isReached[0] = 1;
  for (let at = 0; at < isReached.length; at += 1) {
    if (isReached[at] === 0) continue;
    const left = one[Math.floor(at / width)];
    const right = other[at % width];
    const hasStar = left === '*' || right === '*';
    if (hasStar && left !== undefined) isReached[at + width] = 1;
    if (hasStar && right !== undefined) isReached[at + 1] = 1;
    if (left !== undefined && left === right) isReached[at + width + 1] = 1;
  }
  return isReached.at(-1) === 1;
}
