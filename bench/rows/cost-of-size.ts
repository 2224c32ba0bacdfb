/**
 * Row 6: the cost of an intercepted request where the store holds 100,000 secrets and 10,000 sandboxes ÷ where
 * it holds one of each; and the second half of row 10, the time such a store takes to start.
 */
import { describeCosts, measureCosts } from '../cost.ts';
import type { Figure } from '../figure.ts';
import { FULL_SANDBOXES, FULL_SECRETS, fillStore } from '../full-store.ts';
import type { Contender, Stage } from '../stage.ts';
import { BENCH_HOST } from '../stage.ts';
import { startProduct } from '../../test/support/product.ts';
import type { Product } from '../../test/support/product.ts';

const REACH = 1.1;
const START_REACH_MS = 2_000;

async function startOne(stage: Stage, isFull: boolean): Promise<[Product, Contender, number]> {
  const product = await startProduct({
    hosts: { [BENCH_HOST]: stage.originAddress },
    originCa: stage.originCa,
  });
  await product.createSecret('bench', `not-a-real-key-${'0'.repeat(32)}`, {
    auth: { type: 'bearer' },
    hosts: [BENCH_HOST],
  });
  const sandbox = await product.createSandbox({ secrets: { BENCH_KEY: 'bench' } });
  await product.stop();
  if (isFull) fillStore(product.dataDirectory);
  await product.start();
  await product.stop();
  const startMs = await product.start();
  if (isFull) await expectFull(product);
  const { host, port } = product.proxy;
  const contender = {
    name: isFull ? 'sallyport, full store' : 'sallyport, one of each',
    pid: product.pid,
    url: `https://${BENCH_HOST}/v1/items/1`,
    proxy: `http://sandbox:${sandbox.token}@${host}:${port}`,
  };
  return [product, contender, startMs];
}

/** A store that is not as full as it says would make a good figure. */
async function expectFull(product: Product): Promise<void> {
  await product.admin.must('GET', `/secrets/copy_${FULL_SECRETS}`);
  product.admin.transcript.length = 0;
}

export async function measureCostOfSize(stage: Stage, hey: string): Promise<readonly Figure[]> {
  const [small, smallContender] = await startOne(stage, false);
  await using ownedSmall = small;
  const [full, fullContender, startMs] = await startOne(stage, true);
  await using ownedFull = full;
  const costs = await measureCosts({
    command: hey,
    contenders: [smallContender, fullContender],
    rounds: 3,
    seconds: 4,
    warmUpSeconds: 6,
    connections: 32,
    noKeepAlive: false,
  });
  const [one, many] = costs;
  const ratio = (many?.microseconds ?? Number.NaN) / (one?.microseconds ?? Number.NaN);
  void ownedSmall;
  void ownedFull;
  return [
    {
      row: 6,
      title: `request cost with ${FULL_SECRETS} secrets and ${FULL_SANDBOXES} sandboxes ÷ with one of each`,
      target: '≤ 1.1',
      measured: ratio.toFixed(2),
      reached: ratio <= REACH,
      detail: describeCosts(costs),
    },
    {
      row: '10b',
      title: `start to listening, from the second start, ${FULL_SECRETS} secrets`,
      target: '< 2 s',
      measured: `${(startMs / 1_000).toFixed(3)} s`,
      reached: startMs < START_REACH_MS,
      detail: 'Spawn of `node` to the ready line, once, on the store of row 6.',
    },
  ];
}
