/**
 * Metric families that read plain numbers when they are scraped: a function gives the current values,
 * prom-client formats them. Nothing is counted here.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

type Labels = Readonly<Record<string, string>>;
export type Readings = Iterable<readonly [labels: Labels, value: number]>;

const LOOP_RESOLUTION_MS = 20;
const NANOSECONDS = 1e9;

/** A total that only grows. */
export function addCounter(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  read: () => Readings,
): void {
  const counter = new Counter({
    name,
    help,
    labelNames,
    registers: [registry],
    collect: () => {
      counter.reset();
      for (const [labels, value] of read()) counter.inc(labels, value);
    },
  });
}

/** A value that goes up and down. */
export function addGauge(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  read: () => Readings,
): void {
  const gauge = new Gauge({
    name,
    help,
    labelNames,
    registers: [registry],
    collect: () => {
      for (const [labels, value] of read()) gauge.set(labels, value);
    },
  });
}

/** One value without labels. */
export function single(value: number): Readings {
  return [[{}, value]];
}

/** One value for each key of a record, the key as `label`. */
export function each(label: string, record: Readonly<Record<string, number>>): Readings {
  return Object.entries(record).map(([key, value]) => [{ [label]: key }, value] as const);
}

/**
 * How late the event loop runs its timers, since the scrape before: median, 99th percentile, maximum.
 * Returns what ends the measuring.
 */
export function addLoopDelay(registry: Registry): () => void {
  const delay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  delay.enable();
  addGauge(
    registry,
    'sallyport_loop_delay_seconds',
    'Delay of the event loop since the scrape before.',
    ['quantile'],
    () => {
      const readings = [
        [{ quantile: '0.5' }, seconds(delay.percentile(50))],
        [{ quantile: '0.99' }, seconds(delay.percentile(99))],
        [{ quantile: '1' }, seconds(delay.max)],
      ] as const;
      delay.reset();
      return readings;
    },
  );
  return () => {
    delay.disable();
  };
}

/** The histogram counts whole intervals; without a late timer it reads as the resolution. */
function seconds(nanoseconds: number): number {
  return Math.max(0, nanoseconds / NANOSECONDS - LOOP_RESOLUTION_MS / 1_000);
}
