/** Row 2: CPU per new CONNECT + TLS + one request, warm leaf. Floor: new TLS + one request. */
import { describeCosts, measureCosts } from '../cost.ts';
import type { Figure } from '../figure.ts';
import type { Stage } from '../stage.ts';

const REACH = 2.2;

export async function measureConnectionCost(stage: Stage, hey: string): Promise<Figure> {
  const costs = await measureCosts({
    command: hey,
    contenders: [stage.floor, stage.sallyport, stage.bare],
    rounds: 3,
    seconds: 3,
    warmUpSeconds: 4,
    connections: 8,
    noKeepAlive: true,
  });
  const [floor, ours] = costs;
  const ratio = (ours?.microseconds ?? Number.NaN) / (floor?.microseconds ?? Number.NaN);
  return {
    row: 2,
    title: 'new CONNECT + TLS + one request: CPU ÷ nginx floor',
    target: '≤ 2.2',
    measured: ratio.toFixed(2),
    reached: ratio <= REACH,
    detail: describeCosts(costs),
  };
}
