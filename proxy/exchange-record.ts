/**
 * The one place where an exchange is described. Opened when a request was read, filled in as its life
 * goes on, closed exactly once with one audit event (I4), metrics included. Also the entry in
 * `OpenConnections`, so that policy changes reach an exchange in flight.
 */
import type { AuditSecret, Decision, Trail } from '../src/audit/event.ts';
import type { AuditCode } from '../src/kernel/errors.ts';
import type { Clock } from '../src/kernel/clock.ts';
import type { Metrics } from '../src/observe/metrics.ts';
import type { Winner } from '../src/policy/decision.ts';
import type { TokenHolder } from '../src/policy/policy-feed.ts';
import type { Address } from '../src/wire/address.ts';
import type { Authority } from '../src/wire/host.ts';
import type { OpenConnections, OpenExchange, UsedSecret } from './open-connections.ts';

export interface RecordSinks {
  readonly trail: Trail;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly open: OpenConnections;
}

export interface RecordStart {
  readonly organizationId: string;
  readonly holder: TokenHolder;
  readonly requestId: string;
  readonly target: Authority;
  readonly scheme: 'http' | 'https';
  readonly method: string;
  readonly httpVersion: string;
  readonly decision: Decision;
  readonly client: RecordedClient;
}

/** What the record needs of the client's half. */
interface RecordedClient {
  bytesIn(): number;
  bytesOut(): number;
  abort(): void;
}

export class ExchangeRecord implements OpenExchange {
  kind: 'exchange' | 'upgraded' = 'exchange';
  readonly start: RecordStart;
  /** As the audit shows it: no query, placeholders as `{ENV_KEY}`. */
  path = '';
  decision: Decision;
  status = 0;
  upstreamStatus: number | null = null;
  upstreamHttpVersion: string | null = null;
  code: AuditCode | null = null;
  detail: string | null = null;
  /** What would have refused it, had `egress.mode` not been `observe`. */
  wouldRefuse: AuditCode | null = null;
  address: Address | null = null;
  auditSecrets: readonly AuditSecret[] = [];
  secrets: readonly UsedSecret[] = [];
  /** Ends what runs towards the origin; set once there is something to end. */
  cancelUpstream: () => void = nothing;

  readonly #sinks: RecordSinks;
  readonly #beganMs: number;
  readonly #tsMs: number;
  #closed = false;
  #isRunning = false;

  constructor(sinks: RecordSinks, start: RecordStart) {
    this.#sinks = sinks;
    this.start = start;
    this.decision = start.decision;
    this.#beganMs = sinks.clock.monotonicMs();
    this.#tsMs = sinks.clock.nowMs();
    sinks.open.addExchange(this);
  }

  get sandboxId(): string {
    return this.start.holder.sandboxId;
  }

  get holder(): TokenHolder {
    return this.start.holder;
  }

  get target(): Authority {
    return this.start.target;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** It was let in: counts among what its sandbox has running until it closes. */
  startRunning(): void {
    if (this.#closed || this.#isRunning) return;
    this.#isRunning = true;
    this.#sinks.open.startRunning(this.sandboxId);
  }

  useWinners(winners: readonly Winner[]): void {
    if (winners.length === 0) return;
    this.secrets = winners.map(({ secretId, bindingId }) => ({ secretId, bindingId }));
    this.auditSecrets = winners.map(({ secretId, version }) => ({ secretId, version }));
  }

  /** Versions that stepped in for refused ones: the event lists both, the refused first. */
  addVersions(winners: readonly Winner[]): void {
    const added = winners.map(({ secretId, version }) => ({ secretId, version }));
    this.auditSecrets = [...this.auditSecrets, ...added];
  }

  closeByPolicy(): void {
    if (this.#closed) return;
    this.code = 'closed_by_policy';
    this.cancelUpstream();
    this.start.client.abort();
    this.close();
  }

  /** Hands over the event. Later calls do nothing: whoever ends the exchange first describes the end. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { start } = this;
    const latencyMs = Math.max(0, this.#sinks.clock.monotonicMs() - this.#beganMs);
    if (this.#isRunning) this.#sinks.open.stopRunning(this.sandboxId);
    this.#sinks.open.removeExchange(this);
    this.#sinks.metrics.exchangeFinished(
      this.decision,
      this.code,
      start.httpVersion === '2' ? 'h2' : 'http/1.1',
      latencyMs / 1_000,
    );
    if (this.wouldRefuse !== null) this.#sinks.metrics.observed(this.wouldRefuse);
    this.#sinks.trail.record({
      kind: 'exchange',
      tsMs: this.#tsMs,
      organizationId: start.organizationId,
      sandboxId: start.holder.sandboxId,
      requestId: start.requestId,
      host: start.target.host.text,
      port: start.target.port,
      decision: this.decision,
      code: this.code,
      detail: this.detail,
      wouldRefuse: this.wouldRefuse,
      bytesIn: start.client.bytesIn(),
      bytesOut: start.client.bytesOut(),
      latencyMs: Math.round(latencyMs),
      secrets: this.auditSecrets,
      method: start.method,
      scheme: start.scheme,
      path: this.path,
      status: this.status,
      upstreamStatus: this.upstreamStatus,
      httpVersion: start.httpVersion,
      upstreamHttpVersion: this.upstreamHttpVersion,
    });
  }
}

function nothing(): void {}
