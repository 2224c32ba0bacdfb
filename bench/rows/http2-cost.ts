/**
 * Row H1 (ours): CPU per intercepted HTTP/2 request, HTTP/2 on both sides, ÷ nginx with HTTP/2 in front. nginx
 * speaks HTTP/1.1 to its upstream, so its floor is of one HTTP/2 side only.
 */
import { describeCosts } from '../cost.ts';
import type { Cost } from '../cost.ts';
import type { Figure } from '../figure.ts';
import { median } from '../figure.ts';
import { runHttp2Load } from '../http2-load.ts';
import { readTreeCpuSeconds } from '../process-cpu.ts';
import type { Contender, Stage } from '../stage.ts';

const SESSIONS = 8;
const STREAMS = 8;
const ROUNDS = 3;

export async function measureHttp2Cost(stage: Stage): Promise<Figure> {
  const contenders = [stage.http2Floor, stage.http2];
  const ca = `${stage.originCa}\n${stage.product.caPem}`;
  const runs = contenders.map((contender) => ({ contender, costs: [] as number[], requests: 0 }));
  const measure = async (contender: Contender, seconds: number): Promise<[number, number]> => {
    const before = readTreeCpuSeconds(contender.pid);
    const plan = { contender, ca, sessions: SESSIONS, streams: STREAMS, seconds };
    const requests = await runHttp2Load(plan);
    return [requests, ((readTreeCpuSeconds(contender.pid) - before) / requests) * 1e6];
  };
  for (const { contender } of runs) await measure(contender, 5);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const run of runs) {
      const [requests, microseconds] = await measure(run.contender, 4);
      run.requests += requests;
      run.costs.push(microseconds);
    }
  }
  const costs: Cost[] = runs.map(({ contender, costs: rounds, requests }) => ({
    name: contender.name,
    microseconds: Math.min(...rounds),
    median: median(rounds),
    rounds,
    perSecond: requests / (ROUNDS * 4),
    requests,
  }));
  const [floor, ours] = costs;
  const ratio = (ours?.microseconds ?? Number.NaN) / (floor?.microseconds ?? Number.NaN);
  return {
    row: 'H1',
    title: 'intercepted HTTP/2 request, HTTP/2 on both sides: CPU ÷ nginx (HTTP/2 in front)',
    target: 'none in the table',
    measured: ratio.toFixed(2),
    reached: null,
    detail: `${SESSIONS} sessions, ${STREAMS} streams at once on each.\n\n${describeCosts(costs)}`,
  };
}
