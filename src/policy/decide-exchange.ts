/**
 * Which secrets go on this request? Spec sections 5.4, 5.5, 5.6 and 5.9, pure: snapshot and request head
 * in, decision out. The only file that grants permits (I2); a permit exists only where every step passed.
 * What is ambiguous is refused (I6). Runs on every intercepted request: no store, no clock, no regex.
 */
import { Refusal, type RefusalCode } from '../kernel/errors.ts';
import { bindingsForHost } from './binding-index.ts';
import {
  autoCandidate,
  holdContest,
  isClaimOccupied,
  placeholderCandidate,
  type Candidate,
} from './candidate.ts';
import { doClaimsOverlap } from './claim.ts';
import * as reasons from './exchange-reasons.ts';
import { ExchangeTrace } from './exchange-trace.ts';
import type { ExchangeDecision, Winner } from './decision.ts';
import { findPlaceholders, type FoundPlaceholder } from './find-placeholders.ts';
import {
  isPermitted,
  isUsableOn,
  JudgedRequest,
  readMatchedRule,
  readOverlapAt,
  readTombstoneAt,
} from './match-rule.ts';
import { Permit } from './permit.ts';
import type { RequestHead } from './request-head.ts';
import type { CompiledBinding, Snapshot, Tombstone } from './snapshot.ts';

export interface ExchangeContext {
  /** Wall clock: secrets expire by it. */
  readonly nowMs: number;
  /** For the one retry of a refused credential: where a rotation overlaps, the version before. */
  readonly isOverlapRetry?: boolean;
  /** Fill `considered`, for `explain`. */
  readonly trace?: boolean;
}

type Refused = Extract<ExchangeDecision, { verdict: 'refuse' }>;

export function decideExchange(
  snapshot: Snapshot,
  head: RequestHead,
  context: ExchangeContext,
): ExchangeDecision {
  const hosted = bindingsForHost(snapshot.index, head.host);
  const search = findPlaceholders(snapshot, head);
  const isOrdinary = hosted.length === 0 && search.found.length === 0;
  if (isOrdinary && context.trace !== true) return ORDINARY;
  const selection = new Selection(snapshot, head, context);
  const refused =
    (search.conflict === null ? null : selection.refuseConflict(search.conflict)) ??
    selection.addPlaceholders(search.found) ??
    selection.addHosted(hosted);
  return refused ?? selection.decide();
}

const ORDINARY: ExchangeDecision = {
  verdict: 'forward',
  winners: [],
  keptSecretIds: [],
  considered: [],
};

interface DeadCandidate {
  readonly candidate: Candidate;
  readonly tombstone: Tombstone;
}

/** The steps of one decision. Each returns the refusal that ends it, or `null`. */
class Selection {
  readonly #snapshot: Snapshot;
  readonly #request: JudgedRequest;
  readonly #nowMs: number;
  readonly #isOverlapRetry: boolean;
  readonly #trace: ExchangeTrace | null;
  readonly #candidates: Candidate[] = [];
  readonly #dead: DeadCandidate[] = [];

  constructor(snapshot: Snapshot, head: RequestHead, context: ExchangeContext) {
    this.#snapshot = snapshot;
    this.#request = new JudgedRequest(head);
    this.#nowMs = context.nowMs;
    this.#isOverlapRetry = context.isOverlapRetry === true;
    this.#trace = context.trace === true ? new ExchangeTrace(snapshot, head) : null;
  }

  refuseConflict([one, other]: readonly [CompiledBinding, CompiledBinding]): Refused {
    const message = reasons.twoPlaceholders(one, other);
    return this.#refuse('bad_request', message, [one, other]);
  }

  /** A placeholder of this sandbox selects its secret or is refused; it never passes. */
  addPlaceholders(found: readonly FoundPlaceholder[]): Refused | null {
    for (const { binding, places } of found) {
      const { head } = this.#request;
      if (!isUsableOn(binding, head.scheme) || isUnlistedPlain(binding, head)) {
        return this.#refuse('plaintext_refused', reasons.plaintext(binding, head), [binding]);
      }
      const match = readMatchedRule(binding, this.#request);
      if (match === 'unclear') return this.#refuseUnclear(binding);
      if (match === undefined) {
        const message = reasons.hostMismatch(binding, head);
        return this.#refuse('credential_host_mismatch', message, [binding]);
      }
      const tombstone = readTombstoneAt(binding, this.#nowMs);
      if (tombstone !== null) {
        return this.#refuse(tombstone, reasons.dead(binding, tombstone), [binding]);
      }
      if (match.rule.claimsPath && !places.some((place) => place.in === 'path')) {
        return this.#refuse('bad_request', reasons.notInPath(binding), [binding]);
      }
      this.#addSelected(placeholderCandidate(binding, match, places));
    }
    return null;
  }

  /** Two bindings of one secret count once: the places of both are cleared. */
  #addSelected(candidate: Candidate): void {
    const index = this.#candidates.findIndex((other) => isSameSecret(other, candidate.binding));
    const earlier = this.#candidates[index];
    if (earlier === undefined) {
      this.#candidates.push(candidate);
      return;
    }
    const places = [...earlier.places, ...candidate.places];
    this.#candidates[index] = placeholderCandidate(earlier.binding, earlier.match, places);
  }

  /** Bindings that name this host; secrets in a path have no place without their placeholder. */
  addHosted(hosted: readonly CompiledBinding[]): Refused | null {
    for (const binding of hosted) {
      if (binding.inject !== 'auto' || !isUsableOn(binding, this.#request.head.scheme)) continue;
      if (this.#candidates.some((candidate) => isSameSecret(candidate, binding))) continue;
      const match = readMatchedRule(binding, this.#request);
      if (match === undefined) continue;
      if (match === 'unclear') {
        if (binding.detached) continue;
        return this.#refuseUnclear(binding);
      }
      if (match.rule.claimsPath) continue;
      const candidate = autoCandidate(binding, match);
      const tombstone = readTombstoneAt(binding, this.#nowMs);
      if (tombstone === null) this.#candidates.push(candidate);
      else this.#dead.push({ candidate, tombstone });
    }
    return null;
  }

  decide(): ExchangeDecision {
    const { winners, losers, tie } = holdContest(this.#candidates);
    if (tie !== null) return this.#refuseTie(tie);
    for (const [loser, winner] of losers) {
      // Its placeholder would travel on in the path: nothing there can be left out.
      if (loser.claimsPath) return this.#refuseTie([winner, loser]);
      this.#trace?.lost(loser, winner);
    }
    const refused = this.#judgeDead(winners);
    if (refused !== null) return refused;
    const placed: Winner[] = [];
    const keptSecretIds: string[] = [];
    for (const candidate of winners) {
      if (this.#isKept(candidate)) {
        keptSecretIds.push(candidate.binding.secretId);
        this.#trace?.kept(candidate.binding);
        continue;
      }
      if (!isPermitted(candidate.binding, this.#request)) return this.#refusePermission(candidate);
      placed.push(this.#placeWith(candidate));
      this.#trace?.won(candidate);
    }
    const considered = this.#trace?.finish() ?? NO_REASONS;
    return { verdict: 'forward', winners: placed, keptSecretIds, considered };
  }

  /**
   * A place that only a dead secret claims is refused with its code. Merely detached and nothing sent in
   * its place: the host is ordinary. With `keep` the client's own credential would have stood anyway.
   */
  #judgeDead(winners: readonly Candidate[]): Refused | null {
    for (const { candidate, tombstone } of this.#dead) {
      if (winners.some((winner) => doClaimsOverlap(winner, candidate))) continue;
      const { binding } = candidate;
      if (binding.detached && !isClaimOccupied(candidate, this.#request.head)) continue;
      if (this.#isKept(candidate)) continue;
      return this.#refuse(tombstone, reasons.dead(binding, tombstone), [binding]);
    }
    return null;
  }

  #isKept(candidate: Candidate): boolean {
    const { binding, placeholder } = candidate;
    if (binding.onExisting !== 'keep' || placeholder !== null) return false;
    return isClaimOccupied(candidate, this.#request.head);
  }

  #placeWith(candidate: Candidate): Winner {
    const { binding, match } = candidate;
    const { head, path } = this.#request;
    const overlap = readOverlapAt(binding, this.#nowMs);
    const version = this.#isOverlapRetry && overlap !== null ? overlap.version : binding.version;
    if (version === null) throw new Error('a living binding has a version');
    const permit = Permit.grant({
      organizationId: this.#snapshot.organizationId,
      sandboxId: this.#snapshot.sandboxId,
      secretId: binding.secretId,
      version,
      host: head.host.text,
      port: head.port,
      method: head.method,
      path,
    });
    return {
      secretId: binding.secretId,
      secretName: binding.secretName,
      versionId: version.id,
      version: version.version,
      rotation: binding.rotation,
      overlapEndsAtMs: overlap?.endsAtMs ?? null,
      bindingId: binding.bindingId,
      placement: match.rule.placement,
      permit,
      placeholder: candidate.placeholder,
      places: candidate.places,
      stripFields: candidate.claimFields,
      stripQuery: candidate.claimQuery,
      companionHeaders: binding.companionHeaders,
      maskResponses: binding.maskResponses,
      restricted: binding.methods !== null || binding.paths !== null || match.rule.paths !== null,
    };
  }

  #refuseTie([one, other]: readonly [Candidate, Candidate]): Refused {
    const tied = [one.binding, other.binding];
    return this.#refuse('ambiguous_secret', reasons.tie(one.binding, other.binding), tied);
  }

  #refuseUnclear(binding: CompiledBinding): Refused {
    return this.#refuse('credential_not_permitted', reasons.unclearPath(binding), [binding]);
  }

  #refusePermission({ binding }: Candidate): Refused {
    const message = reasons.notPermitted(binding, this.#request.head);
    return this.#refuse('credential_not_permitted', message, [binding]);
  }

  #refuse(code: RefusalCode, message: string, bindings: readonly CompiledBinding[]): Refused {
    for (const binding of bindings) this.#trace?.refused(binding, message);
    const secrets = bindings.map(({ secretId, versionNumber }) => ({
      secretId,
      version: versionNumber,
    }));
    const considered = this.#trace?.finish() ?? NO_REASONS;
    return { verdict: 'refuse', refusal: new Refusal(code, { message }), secrets, considered };
  }
}

const NO_REASONS: ExchangeDecision['considered'] = [];

function isSameSecret(candidate: Candidate, binding: CompiledBinding): boolean {
  return candidate.binding.secretId === binding.secretId;
}

/** On plain http a secret is used only on a listed port; its placeholder elsewhere is refused as such. */
function isUnlistedPlain(binding: CompiledBinding, head: RequestHead): boolean {
  return head.scheme === 'http' && !binding.ports.includes(head.port);
}
