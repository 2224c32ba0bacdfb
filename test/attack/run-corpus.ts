/**
 * Sends a row of the corpus, followed by an innocent request, and judges it. The way to the
 * proxy under test is the caller's: `dial` gives a fresh connection on which requests can be written
 * (a TLS stream inside a tunnel, or a plain socket).
 */
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { AttackCase } from './attack-case.ts';
import { exchangeRaw } from './raw-exchange.ts';
import type { RecordingOrigin } from './recording-origin.ts';
import type { Injected } from './verdict.ts';
import { judge } from './verdict.ts';

export interface CorpusPlan {
  readonly origin: RecordingOrigin;
  /** `Host` of the requests. */
  readonly host: string;
  readonly injected: Injected;
  readonly dial: () => Promise<Duplex>;
}

let sentinels = 0;

/** The faults of one row. */
export async function runRow(plan: CorpusPlan, row: AttackCase): Promise<readonly string[]> {
  const { origin } = plan;
  origin.take();
  const bytes = Buffer.from(row.raw.replaceAll('{{host}}', plan.host), 'latin1');
  const attack = await exchangeRaw(await plan.dial(), bytes, {
    responses: row.responses,
    isHead: row.raw.startsWith('HEAD '),
    isCutOff: row.isCutOff,
  });
  const sentinelTarget = `/sentinel-${++sentinels}`;
  const innocent = `GET ${sentinelTarget} HTTP/1.1\r\nHost: ${plan.host}\r\n\r\n`;
  const sentinel = await exchangeRaw(await plan.dial(), Buffer.from(innocent), { responses: 1 });
  // A connection the proxy gives up closes a moment later; one it keeps stays open for good.
  for (let round = 0; origin.openTails > 0 && round < 100; round++) await delay(10);
  return judge(row, plan.injected, {
    arrivals: origin.take(),
    statuses: attack.statuses,
    hung: attack.hung,
    sentinelTarget,
    sentinelAnswer: sentinel.bodies[0] ?? `status ${sentinel.statuses[0] ?? 'none'}`,
  });
}
