/**
 * The one retry that a rotation may ask for: a GET or HEAD that the origin answered 401 to the new version
 * goes out once more with the version before, while the rotation overlaps. Decided anew, under the policy
 * of that moment, so that what was revoked or rolled back meanwhile is never used; the permit for the other
 * version comes from the decider like every permit (I2). The client sees one answer, the audit both versions.
 */
import type { Origin } from '../src/egress/upstream.ts';
import type {
  UpstreamExchange,
  UpstreamObserver,
  UpstreamResponseHead,
} from '../src/egress/upstream.ts';
import type { Refusal } from '../src/kernel/errors.ts';
import { decideExchange } from '../src/policy/decide-exchange.ts';
import type { Winner } from '../src/policy/decision.ts';
import type { RequestHead } from '../src/policy/request-head.ts';
import type { RequestFraming } from '../src/wire/request-framing.ts';
import { currentSnapshot } from './authenticate.ts';
import { dispatchPrepared } from './decoded-exchange.ts';
import type { ExchangeContext, Prepared } from './exchange-context.ts';
import type { Forwarding } from './forward.ts';

/** Composes the request again with other winners. */
type Compose = (
  origin: Origin,
  winners: readonly Winner[],
) => Pick<Prepared, 'request' | 'injected' | 'mask'>;

/** May this request be sent once more with the version before? */
export function mayOverlap(
  method: string,
  framing: RequestFraming,
  winners: readonly Winner[],
): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  if (framing.bodyKind !== 'none') return false;
  return winners.some(({ overlapEndsAtMs }) => overlapEndsAtMs !== null);
}

/** `null`: nothing may step in any more. */
export async function prepareOverlapRetry(
  context: ExchangeContext,
  head: RequestHead,
  refused: readonly Winner[],
  compose: Compose,
): Promise<Prepared | null> {
  const { plane, holder, reach } = context;
  let snapshot = await currentSnapshot(plane.feed, holder, plane.clock.nowMs());
  let origin = reach.originFor(snapshot);
  while (origin instanceof Promise) {
    const resolved = await origin;
    const current = await currentSnapshot(plane.feed, holder, plane.clock.nowMs());
    origin = current === snapshot ? resolved : reach.originFor(current);
    snapshot = current;
  }
  const nowMs = plane.clock.nowMs();
  const decision = decideExchange(snapshot, head, { nowMs, isOverlapRetry: true });
  if (decision.verdict === 'refuse' || !stepsIn(refused, decision.winners)) return null;
  const { winners } = decision;
  return { ...compose(origin, winners), winners, prepareRetry: null };
}

/** The same secrets by the same bindings, not rotated since, at least one by its version before. */
function stepsIn(refused: readonly Winner[], winners: readonly Winner[]): boolean {
  if (refused.length !== winners.length) return false;
  const isSame = refused.every((old) =>
    winners.some(({ bindingId, rotation }) => {
      return bindingId === old.bindingId && rotation === old.rotation;
    }),
  );
  return isSame && changedVersions(refused, winners).length > 0;
}

/** Those of `winners` that carry another version than before. */
export function changedVersions(
  before: readonly Winner[],
  winners: readonly Winner[],
): readonly Winner[] {
  return winners.filter(({ versionId }) => !before.some((old) => old.versionId === versionId));
}

/** What the origin went on to send while it was being decided about. */
type Held =
  | { readonly kind: 'data'; readonly chunk: Buffer }
  | { readonly kind: 'end'; readonly trailers: readonly string[] }
  | { readonly kind: 'failure'; readonly refusal: Refusal; readonly http2ErrorCode?: number };

/** The first attempt watched, and the second where there is one: one exchange to the rest of the house. */
export class OverlapExchange implements UpstreamObserver, UpstreamExchange {
  readonly #context: ExchangeContext;
  readonly #forwarding: Forwarding;
  readonly #prepareRetry: NonNullable<Prepared['prepareRetry']>;
  readonly #held: Held[] = [];
  #current: UpstreamExchange | null = null;
  #state: 'watching' | 'deciding' | 'passing' | 'dropped' = 'watching';
  #isOver = false;

  constructor(
    context: ExchangeContext,
    forwarding: Forwarding,
    prepareRetry: NonNullable<Prepared['prepareRetry']>,
  ) {
    this.#context = context;
    this.#forwarding = forwarding;
    this.#prepareRetry = prepareRetry;
  }

  start(prepared: Prepared): void {
    this.#current = dispatchPrepared(this.#context.plane, prepared, this);
  }

  resume(): void {
    if (this.#state !== 'deciding') this.#current?.resume();
  }

  abort(http2ErrorCode?: number): void {
    this.#isOver = true;
    this.#current?.abort(http2ErrorCode);
  }

  onHeadWritten(): void {
    this.#forwarding.onHeadWritten();
  }

  /** Once something reached the client there is no second try. */
  onInformation(head: UpstreamResponseHead): void {
    this.#state = 'passing';
    this.#forwarding.onInformation(head);
  }

  onResponse(head: UpstreamResponseHead): void {
    if (this.#state !== 'watching' || head.status !== 401) {
      this.#state = 'passing';
      this.#forwarding.onResponse(head);
      return;
    }
    this.#state = 'deciding';
    this.#prepareRetry()
      // What cannot be decided now changes nothing about the answer there is.
      .catch(() => null)
      .then((prepared) => {
        if (this.#isOver) return;
        if (prepared === null) this.#passOn(head);
        else this.#stepIn(head, prepared);
      })
      .catch((error: unknown) => this.#forwarding.onFault(error));
  }

  onData(chunk: Buffer): boolean {
    if (this.#state !== 'deciding') return this.#forwarding.onData(chunk);
    this.#held.push({ kind: 'data', chunk });
    return false;
  }

  onEnd(trailers: readonly string[]): void {
    if (this.#state === 'deciding') this.#held.push({ kind: 'end', trailers });
    else this.#forwarding.onEnd(trailers);
  }

  onFailure(refusal: Refusal, http2ErrorCode?: number): void {
    if (this.#state !== 'deciding') {
      this.#forwarding.onFailure(refusal, http2ErrorCode);
      return;
    }
    const code = http2ErrorCode === undefined ? {} : { http2ErrorCode };
    this.#held.push({ kind: 'failure', refusal, ...code });
  }

  /** The 401 is the answer after all. */
  #passOn(head: UpstreamResponseHead): void {
    this.#state = 'passing';
    this.#forwarding.onResponse(head);
    let mayGoOn = false;
    for (const held of this.#held.splice(0)) {
      if (held.kind === 'data') mayGoOn = this.#forwarding.onData(held.chunk);
      else if (held.kind === 'end') this.#forwarding.onEnd(held.trailers);
      else this.#forwarding.onFailure(held.refusal, held.http2ErrorCode);
    }
    if (mayGoOn) this.#current?.resume();
  }

  #stepIn(head: UpstreamResponseHead, prepared: Prepared): void {
    this.#state = 'dropped';
    // What came whole by now leaves its connection to others; the rest of a longer answer nobody needs.
    this.#current?.abort();
    this.#held.length = 0;
    this.#forwarding.stepIn(head, prepared);
    this.#current = dispatchPrepared(this.#context.plane, prepared, this.#forwarding);
  }
}
