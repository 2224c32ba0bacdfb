import { expect, onTestFinished, test } from 'vitest';
import { createMetrics } from '../../src/observe/metrics.ts';
import type { Metrics } from '../../src/observe/metrics.ts';

function newMetrics(): Metrics {
  const metrics = createMetrics();
  onTestFinished(() => metrics.close());
  return metrics;
}

async function linesOf(metrics: Metrics): Promise<string[]> {
  return (await metrics.text()).split('\n').filter((line) => line !== '');
}

test('the names are those of the spec', async () => {
  const names = (await linesOf(newMetrics()))
    .filter((line) => line.startsWith('# TYPE '))
    .map((line) => line.split(' ')[2] ?? '');
  expect(new Set(names)).toEqual(
    new Set([
      // Ours, beside them.
      'sallyport_observed_total',
      'sallyport_audit_dropped_total',
      'sallyport_audit_queue',
      'sallyport_connections',
      'sallyport_exchange_seconds',
      'sallyport_exchanges_total',
      'sallyport_handshakes_total',
      'sallyport_leaf_mints_total',
      'sallyport_loop_delay_seconds',
      'sallyport_policy_age_seconds',
      'sallyport_ca_end_timestamp_seconds',
      'sallyport_store_seconds',
      'sallyport_upstream_connections',
    ]),
  );
});

test('exchanges are counted by decision, code and protocol', async () => {
  const metrics = newMetrics();
  metrics.exchangeFinished('allow', null, 'http/1.1', 0.004);
  metrics.exchangeFinished('allow', null, 'http/1.1', 0.2);
  metrics.exchangeFinished('deny', 'host_denied', 'connect', 0.001);
  metrics.exchangeFinished('tunnel', 'client_aborted', 'connect', 400);
  const lines = await linesOf(metrics);
  expect(lines).toEqual(
    expect.arrayContaining([
      'sallyport_exchanges_total{decision="allow",code="none",protocol="http/1.1"} 2',
      'sallyport_exchanges_total{decision="deny",code="host_denied",protocol="connect"} 1',
      'sallyport_exchanges_total{decision="tunnel",code="client_aborted",protocol="connect"} 1',
      'sallyport_exchange_seconds_bucket{le="0.005"} 2',
      'sallyport_exchange_seconds_bucket{le="300"} 3',
      'sallyport_exchange_seconds_count 4',
    ]),
  );
});

test('a second scrape shows totals, not sums of scrapes', async () => {
  const metrics = newMetrics();
  metrics.exchangeFinished('allow', null, 'h2', 0.1);
  metrics.leafMinted();
  metrics.auditDropped(5);
  metrics.handshake('failed');
  await metrics.text();
  metrics.exchangeFinished('allow', null, 'h2', 0.1);
  metrics.auditDropped(2);
  expect(await linesOf(metrics)).toEqual(
    expect.arrayContaining([
      'sallyport_exchanges_total{decision="allow",code="none",protocol="h2"} 2',
      'sallyport_leaf_mints_total 1',
      'sallyport_audit_dropped_total 7',
      'sallyport_handshakes_total{outcome="ok"} 0',
      'sallyport_handshakes_total{outcome="failed"} 1',
    ]),
  );
});

test('gauges follow what is open, and the sources as they are at the scrape', async () => {
  const metrics = newMetrics();
  let queued = 3;
  expect(await linesOf(metrics)).toContain('sallyport_audit_queue 0');
  metrics.observe({
    upstreamConnections: () => 12,
    auditQueue: () => queued,
    policyAgeSeconds: () => 1.5,
    caEndSeconds: () => 1_900_000_000,
  });
  metrics.connectionOpened('client');
  metrics.connectionOpened('client');
  metrics.connectionOpened('upgraded');
  metrics.connectionClosed('client');
  queued = 4;
  expect(await linesOf(metrics)).toEqual(
    expect.arrayContaining([
      'sallyport_connections{kind="client"} 1',
      'sallyport_connections{kind="tunnel"} 0',
      'sallyport_connections{kind="upgraded"} 1',
      'sallyport_upstream_connections 12',
      'sallyport_audit_queue 4',
      'sallyport_policy_age_seconds 1.5',
      'sallyport_ca_end_timestamp_seconds 1900000000',
    ]),
  );
});

test('store calls are timed by operation', async () => {
  const metrics = newMetrics();
  metrics.storeDuration('secrets.readSecret', 0.002);
  expect(await linesOf(metrics)).toContain(
    'sallyport_store_seconds_bucket{le="0.0025",operation="secrets.readSecret"} 1',
  );
});

test('a loop that was held up shows in the delay', async () => {
  const metrics = newMetrics();
  await new Promise((resolve) => setTimeout(resolve, 30));
  const until = performance.now() + 200;
  while (performance.now() < until);
  await new Promise((resolve) => setTimeout(resolve, 30));
  const line = (await linesOf(metrics)).find((text) => text.includes('quantile="1"'));
  expect(Number(line?.split(' ')[1])).toBeGreaterThan(0.1);
});

test('two instances in one process do not share numbers', async () => {
  const [first, second] = [newMetrics(), newMetrics()];
  first.leafMinted();
  expect(await linesOf(second)).toContain('sallyport_leaf_mints_total 0');
  expect(second.contentType).toContain('text/plain');
});
