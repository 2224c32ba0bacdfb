/**
 * A host pattern: an exact canonical name or address, or `*.suffix`. In secrets the wildcard stands for
 * exactly one label; in network rules for any depth. Never for the apex. Compared label by label on the
 * canonical spelling of `src/wire/host.ts`; never by substring. Addresses match only themselves.
 */
import { parseHost, type Host } from '../wire/host.ts';

export interface HostPattern {
  readonly text: string;
  readonly kind: 'exact' | 'wildcard';
  /** For a wildcard: `.suffix` with its leading dot. */
  readonly suffix: string;
  readonly depth: 'one' | 'any';
}

/**
 * Canonicalizes an admin's pattern. Throws a plain Error whose message is safe to show; callers wrap it
 * in the error of their plane.
 */
export function parseHostPattern(text: string, depth: 'one' | 'any'): HostPattern {
  if (!text.includes('*')) {
    return { text: parsePatternHost(text, text).text, kind: 'exact', suffix: '', depth };
  }
  if (!text.startsWith('*.') || text.includes('*', 1)) {
    throw new Error(`${quote(text)}: a wildcard is written *.example.com, once and in front`);
  }
  const apex = parsePatternHost(text.slice(2), text);
  if (apex.kind !== 'name') {
    throw new Error(`${quote(text)}: a wildcard stands before a name, not before an address`);
  }
  return { text: `*.${apex.text}`, kind: 'wildcard', suffix: `.${apex.text}`, depth };
}

/** Does the pattern cover this canonical host? */
export function matchesHost(pattern: HostPattern, host: Host): boolean {
  if (pattern.kind === 'exact') return pattern.text === host.text;
  if (host.kind !== 'name' || !host.text.endsWith(pattern.suffix)) return false;
  const labelsEnd = host.text.length - pattern.suffix.length;
  if (pattern.depth === 'any') return true;
  const firstDot = host.text.indexOf('.');
  return firstDot === labelsEnd;
}

/** Does any of the patterns cover this canonical host? */
export function matchesAnyHost(patterns: readonly HostPattern[], host: Host): boolean {
  for (const pattern of patterns) if (matchesHost(pattern, host)) return true;
  return false;
}

function parsePatternHost(text: string, whole: string): Host {
  try {
    return parseHost(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'not a host';
    throw new Error(`${quote(whole)}: ${reason}`, { cause: error });
  }
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
