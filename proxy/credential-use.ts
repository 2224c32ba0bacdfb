/**
 * What becomes of the credentials of one attempt, told to the usage book: used when the head that carries
 * them was written to a verified connection, counted once a request, answered, and how the origin took
 * them (spec section 9). Knows versions, never values.
 */
import type { UpstreamResponseHead } from '../src/egress/upstream.ts';
import type { Winner } from '../src/policy/decision.ts';
import { judgeAnswer } from '../src/usage/auth-failure.ts';
import type { DataPlane } from './data-plane.ts';

export class CredentialUse {
  readonly #plane: Pick<DataPlane, 'usage' | 'clock'>;
  readonly #winners: readonly Winner[];
  /** Versions this request still has to be counted for. */
  #uncounted: readonly Winner[];

  /** `counted`: what an earlier attempt of the same request carried. */
  constructor(
    plane: Pick<DataPlane, 'usage' | 'clock'>,
    winners: readonly Winner[],
    counted: readonly Winner[] = [],
  ) {
    this.#plane = plane;
    this.#winners = winners;
    this.#uncounted =
      counted.length === 0
        ? winners
        : winners.filter(({ versionId }) => !counted.some((one) => one.versionId === versionId));
  }

  get winners(): readonly Winner[] {
    return this.#winners;
  }

  /** Once an attempt to connect; several where a request was sent again on a new connection. */
  noteWritten(): void {
    if (this.#winners.length === 0) return;
    const { usage, clock } = this.#plane;
    const nowMs = clock.nowMs();
    for (const { secretId, versionId } of this.#winners) usage.markUsed(secretId, versionId, nowMs);
    for (const winner of this.#uncounted) usage.countRequest(winner);
    this.#uncounted = NONE;
  }

  noteAnswered(head: UpstreamResponseHead): void {
    if (this.#winners.length === 0) return;
    const nowMs = this.#plane.clock.nowMs();
    for (const winner of this.#winners) this.#judge(winner, head, nowMs);
  }

  #judge(winner: Winner, head: UpstreamResponseHead, atMs: number): void {
    const { usage } = this.#plane;
    const { secretId, versionId, version, permit } = winner;
    usage.markAnswered(secretId, versionId, atMs);
    const outcome = judgeAnswer(head, winner.placement);
    if (outcome === null) return;
    if (outcome === 'accepted') {
      usage.markAccepted(secretId, versionId);
      return;
    }
    const { organizationId, sandboxId, host } = permit.scope;
    const failed = { organizationId, sandboxId, secretId, versionId, version, host };
    usage.markAuthFailure({ ...failed, kind: outcome, atMs });
  }
}

const NONE: readonly Winner[] = [];
