/** The known word nearest to a mistyped one, by Levenshtein distance. For error messages only. */

function distance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const substitution = left[row - 1] === right[column - 1] ? 0 : 1;
      current.push(
        Math.min(
          (previous[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (previous[column - 1] ?? 0) + substitution,
        ),
      );
    }
    previous = current;
  }
  return previous[right.length] ?? 0;
}

/**
 * The nearest of `known`, or `undefined` when nothing is near enough to be meant. A word that stands
 * alone is also compared with the last segment of a dotted one: `listen` may mean `proxy.listen`.
 */
export function nearestTo(given: string, known: Iterable<string>): string | undefined {
  const lower = given.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(given.length / 3)) + 1;
  for (const candidate of known) {
    const tail = candidate.slice(candidate.lastIndexOf('.') + 1);
    const far = distance(lower, candidate.toLowerCase());
    const near = lower.includes('.') ? far : Math.min(far, distance(lower, tail) + 1);
    if (near >= bestDistance) continue;
    best = candidate;
    bestDistance = near;
  }
  return best;
}
