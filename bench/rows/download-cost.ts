/** Row 4 (without masking): 1 GiB downloads through interception, CPU s/GiB ÷ nginx floor, and growth. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Figure } from '../figure.ts';
import { median } from '../figure.ts';
import { readPeakBytes, readResidentBytes, readTreeCpuSeconds } from '../process-cpu.ts';
import type { Contender, Stage } from '../stage.ts';
import { BENCH_HOST } from '../stage.ts';

const ROUNDS = 2;
const REACH = 1.8;
const GROWTH_MIB_MAX = 96;
const MIB = 2 ** 20;

/** Downloads `/big` once; CPU seconds the contender spent on it. */
async function download(contender: Contender): Promise<number> {
  const url = new URL(contender.url);
  const args = ['-sS', '--fail', '-k', '-o', '/dev/null', '-w', '%{size_download}'];
  if (contender.proxy !== undefined) args.push('-x', contender.proxy);
  if (contender.host !== undefined) args.push('-H', `Host: ${BENCH_HOST}`);
  const before = readTreeCpuSeconds(contender.pid);
  const child = spawn('curl', [...args, `${url.origin}/big`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let size = '';
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.toString();
  });
  await once(child, 'close');
  if (Number(size) !== 2 ** 30) throw new Error(`${contender.name}: ${size} of ${2 ** 30} bytes`);
  return readTreeCpuSeconds(contender.pid) - before;
}

export async function measureDownloadCost(stage: Stage): Promise<Figure> {
  const costs: { floor: number[]; ours: number[] } = { floor: [], ours: [] };
  const residentBefore = readResidentBytes(stage.sallyport.pid);
  for (let round = 0; round < ROUNDS; round += 1) {
    costs.floor.push(await download(stage.floor));
    costs.ours.push(await download(stage.sallyport));
  }
  const grownMib = (readPeakBytes(stage.sallyport.pid) - residentBefore) / MIB;
  const ratio = median(costs.ours) / median(costs.floor);
  const list = (seconds: readonly number[]): string =>
    seconds.map((value) => value.toFixed(2)).join(', ');
  return {
    row: 4,
    title: '1 GiB download: CPU s/GiB ÷ nginx floor; resident growth',
    target: '≤ 1.8; < 96 MiB (without masking)',
    measured: `${ratio.toFixed(2)}; ${grownMib.toFixed(0)} MiB`,
    reached: ratio <= REACH && grownMib < GROWTH_MIB_MAX,
    detail:
      `CPU s/GiB, ${ROUNDS} rounds: nginx ${list(costs.floor)}; sallyport ${list(costs.ours)}. ` +
      'Growth: highest resident size since the start above the resident size before the downloads.',
  };
}
