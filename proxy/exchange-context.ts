/** What exchanges are given and hand on: shapes only, shared by the steps of `exchange.ts`. */
import type { UpstreamRequest } from '../src/egress/upstream.ts';
import type { InjectedForm } from '../src/inject/compose-request.ts';
import type { ResponseMask } from '../src/mask/mask-book.ts';
import type { Winner } from '../src/policy/decision.ts';
import type { TokenHolder } from '../src/policy/policy-feed.ts';
import type { Authority } from '../src/wire/host.ts';
import type { DataPlane } from './data-plane.ts';
import type { Reach } from './reach.ts';

/** What every exchange of one client connection shares: who, where to, seen how. */
export interface ExchangeContext {
  readonly plane: DataPlane;
  readonly holder: TokenHolder;
  readonly organizationId: string;
  readonly target: Authority;
  readonly scheme: 'https' | 'http';
  /** Inside an intercepted tunnel; false for plain requests to the listener. */
  readonly isIntercepted: boolean;
  readonly reach: Reach;
}

/** A request that may go out: decided, opened, composed. */
export interface Prepared {
  readonly request: UpstreamRequest;
  readonly winners: readonly Winner[];
  /** What went out, and what of it to look for in the answer; `undefined` where nothing did. */
  readonly injected: readonly InjectedForm[];
  readonly mask: ResponseMask | undefined;
  /** Where a rotation overlaps: the request once more with the version before, or `null`; see `overlap-retry.ts`. */
  readonly prepareRetry: (() => Promise<Prepared | null>) | null;
}
