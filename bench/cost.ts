/**
 * CPU per unit of work of several contenders, in interleaved rounds, so that a busy minute of the machine
 * falls on all of them. Other load only ever adds, so the best round of each is what is compared.
 */
import { median } from './figure.ts';
import { runLoad } from './load.ts';
import { readTreeCpuSeconds } from './process-cpu.ts';
import type { Contender } from './stage.ts';

export interface CostPlan {
  readonly command: string;
  readonly contenders: readonly Contender[];
  readonly rounds: number;
  readonly seconds: number;
  /** Before the first round, until just-in-time compilers are done. */
  readonly warmUpSeconds: number;
  readonly connections: number;
  readonly noKeepAlive: boolean;
}

export interface Cost {
  readonly name: string;
  /** Microseconds of CPU per request, best of the rounds. */
  readonly microseconds: number;
  readonly median: number;
  readonly rounds: readonly number[];
  readonly perSecond: number;
  readonly requests: number;
}

async function measureOnce(plan: CostPlan, contender: Contender, seconds: number) {
  const before = readTreeCpuSeconds(contender.pid);
  const load = await runLoad({
    command: plan.command,
    url: contender.url,
    connections: plan.connections,
    seconds,
    noKeepAlive: plan.noKeepAlive,
    ...(contender.proxy === undefined ? {} : { proxy: contender.proxy }),
    ...(contender.host === undefined ? {} : { host: contender.host }),
  });
  const cpuSeconds = readTreeCpuSeconds(contender.pid) - before;
  return { load, microseconds: (cpuSeconds / load.requests) * 1e6 };
}

/** One cost a contender, in the order given; each was warmed up before the first round. */
export async function measureCosts(plan: CostPlan): Promise<Cost[]> {
  const runs = plan.contenders.map((contender) => ({
    contender,
    costs: [] as number[],
    rates: [] as number[],
    requests: 0,
  }));
  for (const { contender } of runs) await measureOnce(plan, contender, plan.warmUpSeconds);
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const run of runs) {
      const { load, microseconds } = await measureOnce(plan, run.contender, plan.seconds);
      run.costs.push(microseconds);
      run.rates.push(load.perSecond);
      run.requests += load.requests;
    }
  }
  return runs.map((run) => ({
    name: run.contender.name,
    microseconds: Math.min(...run.costs),
    median: median(run.costs),
    rounds: run.costs,
    perSecond: median(run.rates),
    requests: run.requests,
  }));
}

/** The costs as a Markdown table, with ratios to the first one. */
export function describeCosts(costs: readonly Cost[]): string {
  const floor = costs[0]?.microseconds ?? Number.NaN;
  const rows = costs.map(({ name, microseconds, median, rounds, perSecond, requests }) => {
    const each = rounds.map((cost) => cost.toFixed(0)).join(', ');
    const ratio = (microseconds / floor).toFixed(2);
    const rate = perSecond.toFixed(0);
    const figures = [microseconds.toFixed(1), ratio, median.toFixed(1), each, rate, requests];
    return `| ${name} | ${figures.join(' | ')} |`;
  });
  return [
    '| contender | CPU µs a request (best) | ÷ floor | median | each round | requests/s | requests |',
    '|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}
