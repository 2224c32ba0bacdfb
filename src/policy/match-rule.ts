/**
 * Does a bound secret have an auth rule for this request? By host, port and the rule's own paths (spec
 * section 5.4); the most specific one where several do. A path whose two readings disagree about a rule
 * is `unclear`, which the callers refuse (I6). Permission (`methods`, `paths` of the secret) is not here.
 */
import { pathReadings } from '../wire/path-readings.ts';
import { splitQuery } from '../wire/query-keys.ts';
import { matchesHost, type HostPattern } from './host-pattern.ts';
import { judgePath, matchesPath, type PathPattern, type PathReadings } from './path-pattern.ts';
import type { RequestHead } from './request-head.ts';
import type { CompiledBinding, CompiledRule, Tombstone } from './snapshot.ts';

export interface MatchedRule {
  readonly rule: CompiledRule;
  /** The host is named, not covered by a wildcard. */
  readonly isExact: boolean;
  /** Literal length of the path pattern that matched; 0 without one. */
  readonly pathLength: number;
}

/** A request head with what is worked out from it once and only when asked. */
export class JudgedRequest {
  readonly head: RequestHead;
  #readings: PathReadings | undefined;
  #path: string | undefined;

  constructor(head: RequestHead) {
    this.head = head;
  }

  /** Without the query. */
  get path(): string {
    this.#path ??= splitQuery(this.head.target).path;
    return this.#path;
  }

  get readings(): PathReadings {
    this.#readings ??= {
      asSent: this.path,
      normalized: pathReadings(this.path)?.normalized,
    };
    return this.#readings;
  }
}

/** `undefined`: no rule of it is for this host, port and path. */
export function readMatchedRule(
  binding: CompiledBinding,
  request: JudgedRequest,
): MatchedRule | 'unclear' | undefined {
  const { host, port } = request.head;
  if (!binding.ports.includes(port)) return undefined;
  let best: MatchedRule | undefined;
  for (const rule of binding.rules) {
    const pattern = rule.hosts.find((candidate) => matchesHost(candidate, host));
    if (pattern === undefined) continue;
    const match = matchPaths(rule, pattern, request);
    if (match === 'unclear') return 'unclear';
    if (match !== undefined && (best === undefined || isMoreSpecific(match, best))) best = match;
  }
  return best;
}

/** On plain http a secret is used only where it says so. */
export function isUsableOn(binding: CompiledBinding, scheme: RequestHead['scheme']): boolean {
  return scheme === 'https' || binding.allowPlaintext;
}

/** Why the binding cannot inject at `nowMs`; `null` when it can. */
export function readTombstoneAt(binding: CompiledBinding, nowMs: number): Tombstone | null {
  if (binding.tombstone !== null) return binding.tombstone;
  const { expiresAtMs } = binding;
  return expiresAtMs !== null && expiresAtMs <= nowMs ? 'credential_expired' : null;
}

/** The version before the last rotation, while it may still step in. */
export function readOverlapAt(
  { overlap }: CompiledBinding,
  nowMs: number,
): CompiledBinding['overlap'] {
  return overlap !== null && overlap.endsAtMs > nowMs ? overlap : null;
}

/** Methods and paths of the secret: both readings of the path must hold. */
export function isPermitted(binding: CompiledBinding, request: JudgedRequest): boolean {
  const { methods, paths } = binding;
  const { method } = request.head;
  if (methods !== null && !methods.includes(method)) {
    if (method !== 'HEAD' || !methods.includes('GET')) return false;
  }
  return paths === null || judgePath(paths, request.readings) === true;
}

function matchPaths(
  rule: CompiledRule,
  pattern: HostPattern,
  request: JudgedRequest,
): MatchedRule | 'unclear' | undefined {
  const isExact = pattern.kind === 'exact';
  if (rule.paths === null) return { rule, isExact, pathLength: 0 };
  const verdict = judgePath(rule.paths, request.readings);
  if (verdict === undefined) return 'unclear';
  if (!verdict) return undefined;
  return { rule, isExact, pathLength: longestMatch(rule.paths, request.path) };
}

function longestMatch(paths: readonly PathPattern[], path: string): number {
  let longest = 0;
  for (const pattern of paths) {
    if (pattern.literalLength > longest && matchesPath(pattern, path)) {
      longest = pattern.literalLength;
    }
  }
  return longest;
}

function isMoreSpecific(one: MatchedRule, other: MatchedRule): boolean {
  if (one.isExact !== other.isExact) return one.isExact;
  return one.pathLength > other.pathLength;
}
