/**
 * The one event of a CONNECT that is not described by its exchanges: a tunnel, a refusal, a failure to
 * dial, an interception that never became TLS. Closed at most once (I4).
 */
import type { AuditCode, Refusal } from '../src/kernel/errors.ts';
import { REFUSALS } from '../src/kernel/errors.ts';
import { mintRequestId } from '../src/kernel/ids.ts';
import type { Snapshot } from '../src/policy/snapshot.ts';
import type { Address } from '../src/wire/address.ts';
import type { Authority } from '../src/wire/host.ts';
import type { RecordSinks } from './exchange-record.ts';

interface Outcome {
  readonly decision: 'allow' | 'tunnel' | 'intercept' | 'deny';
  readonly verdict: 'allowed' | 'blocked' | 'failed';
  readonly code: AuditCode | null;
  readonly detail?: string | null;
  readonly address?: Address | null;
  readonly matchRule?: string | null;
  readonly wouldRefuse?: AuditCode | null;
  readonly bytesIn?: number;
  readonly bytesOut?: number;
}

export class ConnectionRecord {
  readonly requestId = mintRequestId();
  readonly #sinks: RecordSinks;
  readonly #snapshot: Snapshot;
  readonly #target: Authority;
  readonly #tsMs: number;
  readonly #beganMs: number;
  #closed = false;

  constructor(sinks: RecordSinks, snapshot: Snapshot, target: Authority) {
    this.#sinks = sinks;
    this.#snapshot = snapshot;
    this.#target = target;
    this.#tsMs = sinks.clock.nowMs();
    this.#beganMs = sinks.clock.monotonicMs();
  }

  close(outcome: Outcome): void {
    if (this.#closed) return;
    this.#closed = true;
    const latencyMs = Math.max(0, this.#sinks.clock.monotonicMs() - this.#beganMs);
    this.#sinks.metrics.exchangeFinished(
      outcome.decision,
      outcome.code,
      'connect',
      latencyMs / 1_000,
    );
    const wouldRefuse = outcome.wouldRefuse ?? null;
    if (wouldRefuse !== null) this.#sinks.metrics.observed(wouldRefuse);
    this.#sinks.trail.record({
      kind: 'connection',
      tsMs: this.#tsMs,
      organizationId: this.#snapshot.organizationId,
      sandboxId: this.#snapshot.sandboxId,
      requestId: this.requestId,
      host: this.#target.host.text,
      port: this.#target.port,
      decision: outcome.decision,
      code: outcome.code,
      detail: outcome.detail ?? null,
      wouldRefuse,
      bytesIn: outcome.bytesIn ?? 0,
      bytesOut: outcome.bytesOut ?? 0,
      latencyMs: Math.round(latencyMs),
      dstIp: outcome.address?.text ?? null,
      verdict: outcome.verdict,
      matchRule: outcome.matchRule ?? null,
      secrets: [],
    });
  }

  /** A refusal on the CONNECT: blocked by policy, or failed on the way. */
  closeRefused(refusal: Refusal, matchRule: string | null): void {
    const failed = REFUSALS[refusal.code].status >= 500;
    this.close({
      decision: failed ? 'tunnel' : 'deny',
      verdict: failed ? 'failed' : 'blocked',
      code: refusal.code,
      detail: refusal.auditDetail ?? null,
      matchRule,
    });
  }
}
