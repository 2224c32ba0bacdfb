/**
 * The hosts of a secret: names with at least one dot, single-label wildcards (`*.example.com`, never the
 * apex, never over a public suffix of the ICANN or the private list), IPv4 literals. Canonical afterwards.
 */
import { getPublicSuffix } from 'tldts';
import { fieldError } from '../kernel/field-error.ts';
import { FIXED } from '../kernel/limits.ts';
import { matchesHost, parseHostPattern, type HostPattern } from '../policy/host-pattern.ts';
import { readAddress } from '../wire/address.ts';

/** Trims, canonicalizes, drops repetitions. ControlError `bad_request` naming `path[index]`. */
export function parseSecretHosts(texts: readonly string[], path = 'hosts'): string[] {
  if (texts.length < 1 || texts.length > FIXED.hostsPerSecretMax) {
    throw fieldError(path, `must have 1 to ${FIXED.hostsPerSecretMax} entries`);
  }
  return [...new Set(texts.map((text, index) => parseSecretHost(text, `${path}[${index}]`)))];
}

/** One entry of `hosts`. */
function parseSecretHost(text: string, path: string): string {
  const trimmed = text.trim();
  if (/[:/\\?#@\s_[\]%]/.test(trimmed)) {
    throw fieldError(path, 'must be a bare host name: no scheme, port, path, user or underscore');
  }
  const pattern = readPattern(trimmed, path);
  const name = pattern.kind === 'wildcard' ? pattern.suffix.slice(1) : pattern.text;
  if (!name.includes('.') && pattern.kind === 'exact') {
    throw fieldError(path, 'must have at least one dot, as api.example.com');
  }
  if (pattern.kind === 'wildcard' && isPublicSuffix(name)) {
    throw fieldError(
      path,
      `*.${name} would reach hosts of unrelated owners; name a narrower suffix`,
    );
  }
  return pattern.text;
}

/** Does `covering` match every host that `covered` matches? Both canonical. */
export function coversHost(covering: string, covered: string): boolean {
  if (covering === covered) return true;
  const outer = secretHostPattern(covering);
  if (outer.kind === 'exact' || covered.startsWith('*.')) return false;
  return matchesHost(outer, { kind: readAddress(covered) ? 'ipv4' : 'name', text: covered });
}

/** Is there a host that both match? Both canonical. */
export function overlapsHost(one: string, other: string): boolean {
  return coversHost(one, other) || coversHost(other, one);
}

/** A stored host of a secret, compiled. */
export function secretHostPattern(text: string): HostPattern {
  return parseHostPattern(text, 'one');
}

function readPattern(text: string, path: string): HostPattern {
  try {
    return secretHostPattern(text);
  } catch (error) {
    throw fieldError(path, error instanceof Error ? error.message : 'is not a host');
  }
}

/** Private suffixes too: `*.github.io` belongs to as many strangers as `*.co.uk`. */
function isPublicSuffix(name: string): boolean {
  return (
    getPublicSuffix(name) === name || getPublicSuffix(name, { allowPrivateDomains: true }) === name
  );
}
