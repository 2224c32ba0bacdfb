/**
 * The request as it leaves: strip, then set, in the order of spec section 5.7. What the client sent in a
 * credential's place never goes upstream, in any spelling; everything else keeps its order, case and
 * duplicates. Leaves out what the connection owns (RFC 9110 7.6.1 and ours): the egress seam writes that.
 */
import type { Hidden } from '../kernel/hidden.ts';
import type { Winner } from '../policy/decision.ts';
import type { RequestHead } from '../policy/request-head.ts';
import { normalizeFieldName } from '../wire/field-list.ts';
import { checkConnectionOptions, isConnectionOwned, isHopByHop } from '../wire/hop-by-hop.ts';
import { joinQuery, splitQuery, withoutQueryKeys, withQueryPair } from '../wire/query-keys.ts';
import { placeValue, type Placed } from './place.ts';

export interface OpenedWinner {
  readonly winner: Winner;
  readonly value: Hidden;
}

export interface ComposeInput {
  readonly head: RequestHead;
  /** Their claims do not overlap: `decide-exchange.ts` saw to it. */
  readonly winners: readonly OpenedWinner[];
  /** Normalized, from `connectionOptions`. */
  readonly connectionOptions: readonly string[];
}

/** What went out, so that it can be masked where the origin sends it back. */
export interface InjectedForm {
  readonly versionId: string;
  readonly value: Hidden;
  /** It went out as base64 of `user:value`; `null` for other auth types. */
  readonly basicUsername: string | null;
  readonly maskResponses: boolean;
}

export interface ComposedRequest {
  /** Origin-form or `*`. */
  readonly target: string;
  /** Flat name, value array without what the connection owns. */
  readonly fields: string[];
  /** Lower-case names of the fields that carry a value; `:path` when the target does. */
  readonly setFields: readonly string[];
  readonly injected: readonly InjectedForm[];
}

/** Throws Refusal `bad_request` when `Connection` names a field being set, `Host` or framing. */
export function composeRequest(input: ComposeInput): ComposedRequest {
  const { head, winners, connectionOptions } = input;
  const placed = winners.map(({ winner, value }) =>
    placeValue(winner.placement, value, winner.places),
  );
  if (connectionOptions.length > 0) {
    checkConnectionOptions(connectionOptions, namesBeingSet(winners, placed));
  }
  const fields = travellingFields(head.fields, winners, connectionOptions);
  for (const { fields: set } of placed) {
    for (const text of set) fields.push(text);
  }
  for (const { winner } of winners) addCompanions(fields, winner.companionHeaders);
  const injected: InjectedForm[] = [];
  for (const [index, { winner, value }] of winners.entries()) {
    // A private key does not leave: no origin can send it back.
    if (winner.placement.type === 'mtls') continue;
    const basicUsername = placed[index]?.basicUsername ?? null;
    const { versionId, maskResponses } = winner;
    injected.push({ versionId, value, basicUsername, maskResponses });
  }
  const target = composeTarget(head.target, winners, placed);
  return { target, fields, setFields: placesOfValues(placed), injected };
}

function placesOfValues(placed: readonly Placed[]): readonly string[] {
  const names: string[] = [];
  for (const { fields, query, pathText } of placed) {
    for (let index = 0; index < fields.length; index += 2) {
      names.push((fields[index] ?? '').toLowerCase());
    }
    if (query !== null || pathText !== null) names.push(':path');
  }
  return names;
}

/** Ways to ask a framework for another method or URL than the one that was permitted. Normalized. */
const OVERRIDE_FIELDS: ReadonlySet<string> = new Set([
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
  'x-forwarded-method',
  'x-original-method',
  'x-original-url',
  'x-original-uri',
  'x-original-path',
  'x-rewrite-url',
  'x-rewrite-uri',
  'x-override-url',
  'x-forwarded-uri',
  'x-forwarded-url',
  'x-forwarded-path',
  'x-forwarded-prefix',
  'x-script-name',
]);

function travellingFields(
  fields: readonly string[],
  winners: readonly OpenedWinner[],
  connectionOptions: readonly string[],
): string[] {
  const isRestricted = winners.some(({ winner }) => winner.restricted);
  const kept: string[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? '';
    const normalized = normalizeFieldName(name);
    if (isHopByHop(normalized) || isConnectionOwned(normalized)) continue;
    if (connectionOptions.length > 0 && connectionOptions.includes(normalized)) continue;
    if (isClaimed(winners, normalized)) continue;
    if (isRestricted && OVERRIDE_FIELDS.has(normalized)) continue;
    kept.push(name, fields[index + 1] ?? '');
  }
  return kept;
}

function isClaimed(winners: readonly OpenedWinner[], normalized: string): boolean {
  for (const { winner } of winners) if (winner.stripFields.includes(normalized)) return true;
  return false;
}

function addCompanions(fields: string[], companions: Readonly<Record<string, string>>): void {
  for (const name in companions) {
    if (!hasNormalized(fields, normalizeFieldName(name))) fields.push(name, companions[name] ?? '');
  }
}

function hasNormalized(fields: readonly string[], normalized: string): boolean {
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (normalizeFieldName(fields[index] ?? '') === normalized) return true;
  }
  return false;
}

function namesBeingSet(
  winners: readonly OpenedWinner[],
  placed: readonly Placed[],
): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { fields } of placed) {
    for (let index = 0; index < fields.length; index += 2) {
      names.add(normalizeFieldName(fields[index] ?? ''));
    }
  }
  for (const { winner } of winners) {
    for (const name in winner.companionHeaders) names.add(normalizeFieldName(name));
  }
  return names;
}

function composeTarget(
  target: string,
  winners: readonly OpenedWinner[],
  placed: readonly Placed[],
): string {
  let composed = withoutClaimedKeys(target, winners);
  for (const [index, { winner }] of winners.entries()) {
    const { pathText, query } = placed[index] ?? {};
    if (typeof pathText === 'string' && winner.placeholder !== null) {
      composed = inPath(composed, winner.placeholder, pathText);
    }
    if (query) composed = withQueryPair(composed, query.name, query.encodedValue);
  }
  return composed;
}

/** Untouched, byte for byte, when nothing claims a query key. */
function withoutClaimedKeys(target: string, winners: readonly OpenedWinner[]): string {
  if (winners.every(({ winner }) => winner.stripQuery.length === 0)) return target;
  const { path, query } = splitQuery(target);
  if (query === null) return target;
  const isRemoved = (key: string): boolean =>
    winners.some(({ winner }) => winner.stripQuery.includes(key));
  return joinQuery(path, withoutQueryKeys(query, isRemoved));
}

/** The path only: a query never becomes a place because the placeholder is repeated there. */
function inPath(target: string, placeholder: string, pathText: string): string {
  const { path, query } = splitQuery(target);
  return joinQuery(path.split(placeholder).join(pathText), query);
}
