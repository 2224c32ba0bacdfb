/** What one row of the speed table came to: the number, what was to be reached, and how it was got. */
export interface Figure {
  /** A number of the speed table, or a letter for what this project adds to it. */
  readonly row: number | string;
  readonly title: string;
  readonly target: string;
  /** As text with its unit; `null`: not measured, `detail` says why. */
  readonly measured: string | null;
  /** `null` where nothing is to be compared. */
  readonly reached: boolean | null;
  /** Markdown below the table. */
  readonly detail: string;
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = 0, high = 0] = [sorted[middle - 1], sorted[middle]];
  return sorted.length % 2 === 1 ? high : (low + high) / 2;
}

/** The value below which `share` of the numbers are. */
export function percentile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
