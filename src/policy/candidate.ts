/**
 * A secret that wants to go on a request, and the order among those whose claims overlap (spec section
 * 5.5): placeholder before auto, exact host before wildcard, longer path before shorter, then `priority`.
 * The outcome does not depend on the order of the list. Pure.
 */
import { normalizeFieldName } from '../wire/field-list.ts';
import { queryPairs, splitQuery } from '../wire/query-keys.ts';
import { doClaimsOverlap, type Claim } from './claim.ts';
import type { PlaceholderPlace } from './decision.ts';
import type { MatchedRule } from './match-rule.ts';
import type { RequestHead } from './request-head.ts';
import type { CompiledBinding } from './snapshot.ts';

export interface Candidate extends Claim {
  readonly binding: CompiledBinding;
  readonly match: MatchedRule;
  /** The placeholder that selected it, `null` when the host did. */
  readonly placeholder: string | null;
  readonly places: readonly PlaceholderPlace[];
}

export interface Contest {
  /** Their claims cover the places of the placeholders that lost to them. */
  readonly winners: readonly Candidate[];
  /** Loser → the winner whose claim it runs into. */
  readonly losers: ReadonlyMap<Candidate, Candidate>;
  /** Two that nothing puts in order; then nobody wins. */
  readonly tie: readonly [Candidate, Candidate] | null;
}

export function autoCandidate(binding: CompiledBinding, match: MatchedRule): Candidate {
  const { claimFields, claimQuery, claimsPath, claimsCertificate } = match.rule;
  return {
    binding,
    match,
    placeholder: null,
    places: NO_PLACES,
    claimFields,
    claimQuery,
    claimsPath,
    claimsCertificate,
  };
}

/** Its claim also covers the fields and query keys that held the placeholder. */
export function placeholderCandidate(
  binding: CompiledBinding,
  match: MatchedRule,
  places: readonly PlaceholderPlace[],
): Candidate {
  return {
    binding,
    match,
    placeholder: binding.placeholder,
    places,
    ...claimWith(match.rule, places),
  };
}

function claimWith(claim: Claim, places: readonly PlaceholderPlace[]): Claim {
  const fields = new Set(claim.claimFields);
  const query = new Set(claim.claimQuery);
  for (const place of places) {
    if (place.in === 'field') fields.add(place.name);
    else if (place.in === 'query') query.add(place.name);
  }
  const { claimsPath, claimsCertificate } = claim;
  return { claimFields: [...fields], claimQuery: [...query], claimsPath, claimsCertificate };
}

export function holdContest(candidates: readonly Candidate[]): Contest {
  if (candidates.length <= 1) return { winners: candidates, losers: NO_LOSERS, tie: null };
  const ranked = [...candidates].sort(compareRank);
  const winners: Candidate[] = [];
  const losers = new Map<Candidate, Candidate>();
  for (const candidate of ranked) {
    const rival = winners.find((winner) => doClaimsOverlap(winner, candidate));
    if (rival === undefined) {
      winners.push(candidate);
    } else if (compareRank(rival, candidate) === 0) {
      return { winners: [], losers, tie: [rival, candidate] };
    } else {
      losers.set(candidate, rival);
    }
  }
  if (losers.size === 0) return { winners, losers: NO_LOSERS, tie: null };
  return { winners: winners.map((winner) => clearingLosers(winner, losers)), losers, tie: null };
}

/** A placeholder that lost must not go upstream either. */
function clearingLosers(winner: Candidate, losers: Contest['losers']): Candidate {
  const places = [...losers]
    .filter(([loser, rival]) => rival === winner && loser.placeholder !== null)
    .flatMap(([loser]) => loser.places);
  return places.length === 0 ? winner : { ...winner, ...claimWith(winner, places) };
}

/** Did the client send something, not empty, in a place that the claim covers? */
export function isClaimOccupied(claim: Claim, head: RequestHead): boolean {
  const { fields } = head;
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (fields[index + 1] === '') continue;
    if (claim.claimFields.includes(normalizeFieldName(fields[index] ?? ''))) return true;
  }
  if (claim.claimQuery.length === 0) return false;
  const { query } = splitQuery(head.target);
  if (query === null) return false;
  return queryPairs(query).some(({ key, value }) => value !== '' && claim.claimQuery.includes(key));
}

/** Why `winner` goes before `loser`, as a clause. */
export function describeRank(winner: Candidate, loser: Candidate): string {
  if ((winner.placeholder === null) !== (loser.placeholder === null))
    return 'its placeholder was sent';
  if (winner.match.isExact !== loser.match.isExact) return 'it names the host exactly';
  if (winner.match.pathLength !== loser.match.pathLength) return 'its path pattern is longer';
  return 'its priority is higher';
}

const NO_PLACES: readonly PlaceholderPlace[] = [];
const NO_LOSERS: ReadonlyMap<Candidate, Candidate> = new Map();

/** Negative: `one` goes first. Zero: nothing puts them in order. */
function compareRank(one: Candidate, other: Candidate): number {
  return (
    Number(other.placeholder !== null) - Number(one.placeholder !== null) ||
    Number(other.match.isExact) - Number(one.match.isExact) ||
    other.match.pathLength - one.match.pathLength ||
    other.binding.priority - one.binding.priority
  );
}
