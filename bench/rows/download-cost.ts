/**
 * Row 4: 1 GiB downloads through interception, CPU s/GiB ÷ nginx floor, without and with masking, what masking
 * adds where it finds nothing, and growth.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Figure } from '../figure.ts';
import { median } from '../figure.ts';
import { readPeakBytes, readResidentBytes, readTreeCpuSeconds } from '../process-cpu.ts';
import type { Contender, Stage } from '../stage.ts';
import { BENCH_HOST } from '../stage.ts';

const ROUNDS = 2;
const REACH = 1.8;
const REACH_MASKED = 2;
const MASKING_MAX = 1.15;
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
  const floor: number[] = [];
  const unmasked: number[] = [];
  const masked: number[] = [];
  const residentBefore = readResidentBytes(stage.sallyport.pid);
  for (let round = 0; round < ROUNDS; round += 1) {
    floor.push(await download(stage.floor));
    unmasked.push(await download(stage.unmasked));
    masked.push(await download(stage.sallyport));
  }
  const grownMib = (readPeakBytes(stage.sallyport.pid) - residentBefore) / MIB;
  const ratio = median(unmasked) / median(floor);
  const maskedRatio = median(masked) / median(floor);
  const masking = median(masked) / median(unmasked);
  const list = (seconds: readonly number[]): string =>
    seconds.map((value) => value.toFixed(2)).join(', ');
  return {
    row: 4,
    title: '1 GiB download: CPU s/GiB ÷ nginx floor, without / with masking; resident growth',
    target: '≤ 1.8 / ≤ 2.0 (masking adds < 15 %); < 96 MiB',
    measured: `${ratio.toFixed(2)} / ${maskedRatio.toFixed(2)} (masking × ${masking.toFixed(2)}); ${grownMib.toFixed(0)} MiB`,
    reached:
      ratio <= REACH &&
      maskedRatio <= REACH_MASKED &&
      masking < MASKING_MAX &&
      grownMib < GROWTH_MIB_MAX,
    detail:
      `CPU s/GiB, ${ROUNDS} rounds: nginx ${list(floor)}; sallyport without masking ${list(unmasked)}, ` +
      `with masking ${list(masked)}. ` +
      'Growth: highest resident size since the start above the resident size before the downloads.',
  };
}
