/**
 * May this sandbox reach this target, and by which addresses (spec section 3)? Asked for every request:
 * names may resolve anew and rules may change inside an open tunnel. While neither did, the last answer
 * is reused without allocating.
 */
import type { Origin } from '../src/egress/upstream.ts';
import type { RefusalCode } from '../src/kernel/errors.ts';
import type { Resolution } from '../src/egress/resolve.ts';
import { decideNetwork } from '../src/policy/decide-network.ts';
import type { NetworkDecision, Observed } from '../src/policy/decision.ts';
import type { Snapshot } from '../src/policy/snapshot.ts';
import type { Address } from '../src/wire/address.ts';
import type { Authority } from '../src/wire/host.ts';
import type { DataPlane } from './data-plane.ts';

/** An allowed target with what the audit wants to know. */
export interface Reached {
  readonly origin: Origin;
  readonly matchRule: string | null;
  /** What only `egress.mode: observe` lets pass. */
  readonly observed: Observed | null;
}

export class Reach {
  readonly #plane: DataPlane;
  readonly #target: Authority;
  readonly #scheme: 'https' | 'http';
  /** The rule behind the last refusal, for the audit row. */
  refusedBy: string | null = null;
  #last: { snapshot: Snapshot; resolution: Resolution; reached: Reached } | null = null;

  constructor(plane: DataPlane, target: Authority, scheme: 'https' | 'http') {
    this.#plane = plane;
    this.#target = target;
    this.#scheme = scheme;
  }

  /** Of the last target that was allowed: the code that would have refused it. */
  get wouldRefuse(): RefusalCode | null {
    return this.#last?.reached.observed?.code ?? null;
  }

  /** Throws the network Refusal, or `dns_failed`. */
  originFor(snapshot: Snapshot): Origin | Promise<Origin> {
    const reached = this.judge(snapshot);
    return reached instanceof Promise ? reached.then((one) => one.origin) : reached.origin;
  }

  judge(snapshot: Snapshot): Reached | Promise<Reached> {
    // Names that the rules refuse are not even resolved: a look-up is itself a way out.
    if (this.#last?.snapshot !== snapshot) {
      const byName = decideNetwork(snapshot, this.#target, null, this.#plane.network);
      if (byName.verdict !== 'resolve') return this.#accept(snapshot, byName, LITERAL);
    }
    const resolution = this.#plane.resolver.resolve(this.#target.host, snapshot.sandboxId);
    return resolution instanceof Promise
      ? resolution.then((resolved) => this.#judgeResolved(snapshot, resolved))
      : this.#judgeResolved(snapshot, resolution);
  }

  #judgeResolved(snapshot: Snapshot, resolution: Resolution): Reached {
    const last = this.#last;
    if (last !== null && last.snapshot === snapshot && last.resolution === resolution) {
      return last.reached;
    }
    const { dialPort, isByParent = false } = resolution;
    const environment =
      dialPort === null ? this.#plane.network : { ...this.#plane.network, dialPort, isByParent };
    const decision = decideNetwork(snapshot, this.#target, resolution.addresses, environment);
    return this.#accept(snapshot, decision, resolution);
  }

  #accept(snapshot: Snapshot, decision: NetworkDecision, resolution: Resolution): Reached {
    if (decision.verdict === 'resolve') throw new Error('network decision asked to resolve twice');
    if (decision.verdict === 'refuse') {
      this.refusedBy = decision.matchRule;
      throw decision.refusal;
    }
    const reached = {
      origin: this.#origin(snapshot, decision.addresses, resolution),
      matchRule: decision.matchRule,
      observed: decision.observed,
    };
    this.#last = { snapshot, resolution, reached };
    return reached;
  }

  #origin(snapshot: Snapshot, addresses: readonly Address[], resolution: Resolution): Origin {
    const { dialPort, isByParent } = resolution;
    return {
      ...(isByParent === true ? { isByParent } : {}),
      organizationId: snapshot.organizationId,
      sandboxId: snapshot.sandboxId,
      scheme: this.#scheme,
      host: this.#target.host.text,
      port: this.#target.port,
      addresses,
      dialPort: dialPort ?? this.#target.port,
      clientIdentity: null,
    };
  }
}

/** Stands for the resolution of a literal address, which needs none. */
const LITERAL: Resolution = { addresses: [], dialPort: null };
