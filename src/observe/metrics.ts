/**
 * What is counted, in Prometheus' text format, through prom-client. Names are fixed by spec section 9;
 * labels never carry an organization, sandbox, secret or host. On the request path only plain numbers
 * are raised; prom-client sees them when somebody scrapes.
 */
import { Histogram, Registry } from 'prom-client';
import type { Decision } from '../audit/event.ts';
import type { AuditCode } from '../kernel/errors.ts';
import { ExchangeCounter } from './exchange-counter.ts';
import type { ExchangeProtocol } from './exchange-counter.ts';
import { addCounter, addGauge, addLoopDelay, each, single } from './metric-families.ts';

type ConnectionKind = 'client' | 'tunnel' | 'intercepted' | 'upgraded';

/** Read at each scrape. */
interface GaugeSources {
  readonly upstreamConnections: () => number;
  readonly auditQueue: () => number;
  readonly policyAgeSeconds: () => number;
  /** Unix time. */
  readonly caEndSeconds: () => number;
}

export interface Metrics {
  /** Once per exchange; costs well under a microsecond. `code` is `null` when nothing went wrong. */
  exchangeFinished(
    decision: Decision,
    code: AuditCode | null,
    protocol: ExchangeProtocol,
    seconds: number,
  ): void;
  /** What `egress.mode: observe` let pass, by the code that would have refused it. */
  observed(code: AuditCode): void;
  connectionOpened(kind: ConnectionKind): void;
  connectionClosed(kind: ConnectionKind): void;
  /** A TLS handshake with a client inside a tunnel. */
  handshake(outcome: 'ok' | 'failed'): void;
  leafMinted(): void;
  auditDropped(count: number): void;
  /** One call of the store, by the name of its contract's method. */
  storeDuration(operation: string, seconds: number): void;
  /** Until called, the gauges that need these sources read 0. */
  observe(sources: GaugeSources): void;
  /** The exposition, in the format `contentType` names. */
  text(): Promise<string>;
  readonly contentType: string;
  /** Ends the measuring of the event loop. */
  close(): void;
}

const EXCHANGE_BUCKETS_S = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];
const STORE_BUCKETS_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5];

/** With a registry of its own: two instances in one process do not share numbers. */
export function createMetrics(): Metrics {
  return new PrometheusMetrics();
}

class PrometheusMetrics implements Metrics {
  readonly #registry = new Registry();
  readonly #exchanges = new ExchangeCounter();
  readonly #connections = { client: 0, tunnel: 0, intercepted: 0, upgraded: 0 };
  readonly #handshakes = { ok: 0, failed: 0 };
  readonly #exchangeSeconds = new Histogram({
    name: 'sallyport_exchange_seconds',
    help: 'Time from the request head to the end of the exchange.',
    buckets: EXCHANGE_BUCKETS_S,
    registers: [this.#registry],
  });
  readonly #storeSeconds = new Histogram({
    name: 'sallyport_store_seconds',
    help: 'Calls of the store, as long as the caller waited.',
    labelNames: ['operation'],
    buckets: STORE_BUCKETS_S,
    registers: [this.#registry],
  });
  readonly #endLoopDelay = addLoopDelay(this.#registry);
  readonly #observed = new Map<AuditCode, number>();
  #leafMints = 0;
  #auditDropped = 0;
  #sources: GaugeSources | null = null;

  constructor() {
    this.#addCounters();
    this.#addGauges();
  }

  exchangeFinished(
    decision: Decision,
    code: AuditCode | null,
    protocol: ExchangeProtocol,
    seconds: number,
  ): void {
    this.#exchanges.add(decision, code, protocol);
    this.#exchangeSeconds.observe(seconds);
  }

  observed(code: AuditCode): void {
    this.#observed.set(code, (this.#observed.get(code) ?? 0) + 1);
  }

  connectionOpened(kind: ConnectionKind): void {
    this.#connections[kind] += 1;
  }

  connectionClosed(kind: ConnectionKind): void {
    this.#connections[kind] -= 1;
  }

  handshake(outcome: 'ok' | 'failed'): void {
    this.#handshakes[outcome] += 1;
  }

  leafMinted(): void {
    this.#leafMints += 1;
  }

  auditDropped(count: number): void {
    this.#auditDropped += count;
  }

  storeDuration(operation: string, seconds: number): void {
    this.#storeSeconds.observe({ operation }, seconds);
  }

  observe(sources: GaugeSources): void {
    this.#sources = sources;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  close(): void {
    this.#endLoopDelay();
  }

  #addCounters(): void {
    const registry = this.#registry;
    addCounter(
      registry,
      'sallyport_exchanges_total',
      'Exchanges by decision, code of the refusal or failure, and protocol.',
      ['decision', 'code', 'protocol'],
      () => this.#exchanges,
    );
    addCounter(
      registry,
      'sallyport_handshakes_total',
      'TLS handshakes with clients inside tunnels.',
      ['outcome'],
      () => each('outcome', this.#handshakes),
    );
    addCounter(
      registry,
      'sallyport_observed_total',
      'What egress.mode observe let pass, by the code that would have refused it.',
      ['code'],
      () => each('code', Object.fromEntries(this.#observed)),
    );
    addCounter(registry, 'sallyport_leaf_mints_total', 'Certificates minted.', [], () =>
      single(this.#leafMints),
    );
    addCounter(
      registry,
      'sallyport_audit_dropped_total',
      'Audit events lost because the queue was full.',
      [],
      () => single(this.#auditDropped),
    );
  }

  #addGauges(): void {
    const registry = this.#registry;
    const source = (name: keyof GaugeSources) => () => single(this.#sources?.[name]() ?? 0);
    addGauge(registry, 'sallyport_connections', 'Open connections of clients.', ['kind'], () =>
      each('kind', this.#connections),
    );
    addGauge(
      registry,
      'sallyport_upstream_connections',
      'Open connections to origins.',
      [],
      source('upstreamConnections'),
    );
    addGauge(
      registry,
      'sallyport_audit_queue',
      'Audit events held in memory.',
      [],
      source('auditQueue'),
    );
    addGauge(
      registry,
      'sallyport_policy_age_seconds',
      'Age of the oldest policy in use.',
      [],
      source('policyAgeSeconds'),
    );
    addGauge(
      registry,
      'sallyport_ca_end_timestamp_seconds',
      'When the CA that signs ends, Unix time.',
      [],
      source('caEndSeconds'),
    );
  }
}
