/**
 * What policy says. Pure data made by the two deciders: `decide-network.ts` (may this sandbox reach
 * this target, tunnelled or intercepted) and `decide-exchange.ts` (which secrets go on this request).
 */
import type { Refusal, RefusalCode } from '../kernel/errors.ts';
import type { Placement } from '../secrets/auth.ts';
import type { Address } from '../wire/address.ts';
import type { Permit } from './permit.ts';

/** What `egress.mode: observe` let pass, and the rule that would have refused it. */
export interface Observed {
  readonly code: RefusalCode;
  readonly matchRule: string | null;
}

/** May this sandbox reach this target? `addresses` are those that passed, in the order given. */
export type NetworkDecision =
  | {
      readonly verdict: 'allow';
      readonly addresses: readonly Address[];
      readonly matchRule: string | null;
      /** `null`: the rules allow it. */
      readonly observed: Observed | null;
    }
  /** The names rules alone cannot tell: resolve, then ask again with the addresses. */
  | { readonly verdict: 'resolve'; readonly observed: Observed | null }
  | { readonly verdict: 'refuse'; readonly refusal: Refusal; readonly matchRule: string | null };

/** Does the proxy look inside the tunnel? */
export type InterceptDecision = 'tunnel' | 'intercept';

/** Where a placeholder stood in the request. */
export type PlaceholderPlace =
  | { readonly in: 'field'; readonly name: string; readonly basicUsername: string | null }
  | { readonly in: 'query'; readonly name: string }
  | { readonly in: 'path' };

/** A secret that goes on the request. */
export interface Winner {
  readonly secretId: string;
  readonly secretName: string;
  readonly versionId: string;
  readonly version: number;
  /** Of the secret, for counting. */
  readonly rotation: number;
  /** Until when the version before may serve one retry (wall clock); `null`: never. */
  readonly overlapEndsAtMs: number | null;
  readonly bindingId: string;
  readonly placement: Placement;
  readonly permit: Permit;
  /** The placeholder that selected it, `null` when it was injected by host. */
  readonly placeholder: string | null;
  readonly places: readonly PlaceholderPlace[];
  /** Claimed field names, normalized (lower case, `_` as `-`): every copy is stripped. */
  readonly stripFields: readonly string[];
  /** Claimed query keys, decoded once. */
  readonly stripQuery: readonly string[];
  /** Name → value, added only where absent. */
  readonly companionHeaders: Readonly<Record<string, string>>;
  readonly maskResponses: boolean;
  /** `methods` or `paths` restrict it: override headers are removed from the request. */
  readonly restricted: boolean;
}

/** One candidate in the reasons: `explain` shows them, refusals are made from them. */
export interface Considered {
  readonly secretId: string;
  readonly secretName: string;
  readonly envKey: string;
  readonly outcome: 'won' | 'lost' | 'refused' | 'kept' | 'not_matching';
  /** A full sentence. */
  readonly reason: string;
}

export type ExchangeDecision =
  | {
      readonly verdict: 'forward';
      readonly winners: readonly Winner[];
      /** Secrets not applied because the client's own credential was kept. */
      readonly keptSecretIds: readonly string[];
      readonly considered: readonly Considered[];
    }
  | {
      readonly verdict: 'refuse';
      readonly refusal: Refusal;
      /** The secrets the audit row of this refusal belongs to. */
      readonly secrets: readonly { readonly secretId: string; readonly version: number }[];
      readonly considered: readonly Considered[];
    };
