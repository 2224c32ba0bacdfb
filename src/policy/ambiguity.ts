/**
 * Which secrets would tie on a host when a sandbox may use them all (spec section 5.5): their rules name
 * the same host in the same way, claim the same place, and nothing puts them in order. Pure; what it finds
 * is a warning, the decision about a request is taken by `decide-exchange.ts` alone.
 */
import { overlapsPath } from '../secrets/path-overlap.ts';
import type { BindingIndex } from './binding-index.ts';
import { doClaimsOverlap } from './claim.ts';
import type { CompiledBinding, CompiledRule } from './snapshot.ts';

export interface Ambiguity {
  readonly host: string;
  readonly secretNames: readonly [string, string];
}

/** At most `max`. With `secretId` only those it takes part in. */
export function findAmbiguities(index: BindingIndex, max: number, secretId?: string): Ambiguity[] {
  const found: Ambiguity[] = [];
  for (const [host, bindings] of index.byPattern) {
    if (bindings.length < 2) continue;
    for (const [at, one] of bindings.entries()) {
      for (const other of bindings.slice(at + 1)) {
        if (secretId !== undefined && one.secretId !== secretId && other.secretId !== secretId) {
          continue;
        }
        if (!mayTie(one, other, host)) continue;
        found.push({ host, secretNames: [one.secretName, other.secretName] });
        if (found.length >= max) return found;
      }
    }
  }
  return found;
}

export function describeAmbiguity({ host, secretNames: [one, other] }: Ambiguity): string {
  return `${one} and ${other} claim the same place on ${host}: sandboxes with secrets_mode all are refused there (ambiguous_secret) until one has a higher priority`;
}

function mayTie(one: CompiledBinding, other: CompiledBinding, host: string): boolean {
  if (one.tombstone !== null || other.tombstone !== null) return false;
  if (one.priority !== other.priority) return false;
  if (!one.ports.some((port) => other.ports.includes(port))) return false;
  return rulesFor(one, host).some((rule) =>
    rulesFor(other, host).some(
      (rival) => doClaimsOverlap(rule, rival) && mayRankAlike(rule, rival),
    ),
  );
}

/** Rules for a path need the placeholder, which such a sandbox has not. */
function rulesFor(binding: CompiledBinding, host: string): readonly CompiledRule[] {
  return binding.rules.filter(
    (rule) => !rule.claimsPath && rule.hosts.some((pattern) => pattern.text === host),
  );
}

/** The longer path goes first, and a rule without paths counts as length 0. */
function mayRankAlike(one: CompiledRule, other: CompiledRule): boolean {
  if (one.paths === null || other.paths === null) {
    const paths = one.paths ?? other.paths;
    return paths === null || paths.some(({ literalLength }) => literalLength === 0);
  }
  const rivals = other.paths;
  return one.paths.some((path) =>
    rivals.some((rival) => rival.literalLength === path.literalLength && overlapsPath(path, rival)),
  );
}
