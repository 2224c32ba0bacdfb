/** Row 1: CPU per intercepted request with injection, 32 kept-alive connections, small JSON. */
import { describeCosts, measureCosts } from '../cost.ts';
import type { Figure } from '../figure.ts';
import type { Stage } from '../stage.ts';

/** What this release has to reach; the table's own figures follow. */
const REACH = 3;

export async function measureRequestCost(stage: Stage, hey: string): Promise<Figure> {
  const costs = await measureCosts({
    command: hey,
    contenders: [stage.floor, stage.sallyport, stage.bare, stage.baseline],
    rounds: 3,
    seconds: 4,
    warmUpSeconds: 7,
    connections: 32,
    noKeepAlive: false,
  });
  const [floor, ours] = costs;
  const ratio = (ours?.microseconds ?? Number.NaN) / (floor?.microseconds ?? Number.NaN);
  return {
    row: 1,
    title: 'intercepted request: CPU per request ÷ nginx floor',
    target: '≤ 3.0 now; ≤ 2.5, then ≤ 2.0',
    measured: ratio.toFixed(2),
    reached: ratio <= REACH,
    detail: describeCosts(costs),
  };
}
