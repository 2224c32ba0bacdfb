/**
 * Writes `bench/results.md`: what was measured, on what, with which tools, and which rows are not measured
 * yet. No host names, no paths.
 */
import { writeFile } from 'node:fs/promises';
import { cpus, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import type { Figure } from './figure.ts';
import type { Tool } from './tools.ts';

/** Rows that nothing here can measure yet: there is one process. */
const LATER: readonly (readonly [row: number, title: string, target: string])[] = [
  [8, 'throughput, two workers ÷ one', '≥ 1.7'],
];

function tableLine(figure: Figure): string {
  const verdict = figure.reached === null ? '' : figure.reached ? 'reached' : '**missed**';
  const measured = figure.measured ?? 'not measured';
  return `| ${figure.row} | ${figure.title} | ${figure.target} | ${measured} | ${verdict} |`;
}

export interface Circumstances {
  readonly tools: readonly Tool[];
  /** Load average of the last minute before the first measurement. */
  readonly loadBefore: number;
  readonly seconds: number;
}

function describeMachine({ tools, loadBefore, seconds }: Circumstances): string[] {
  const [cpu] = cpus();
  const memoryGib = Math.round(totalmem() / 2 ** 30);
  const programs = tools.map(({ command, version, debianPackage }) => {
    const name = command.replace(/^.*\//, '');
    return `${name} ${version ?? `missing (Debian package ${debianPackage})`}`;
  });
  return [
    `- Node ${process.version}, ${type()} ${release()}, ${cpus().length} × ${cpu?.model ?? 'unknown CPU'}, ${memoryGib} GiB`,
    `- ${programs.join('; ')}`,
    `- ${new Date().toISOString().slice(0, 10)}; load average before: ${loadBefore.toFixed(2)}; took ${seconds.toFixed(0)} s`,
  ];
}

export async function writeResults(
  figures: readonly Figure[],
  circumstances: Circumstances,
): Promise<void> {
  const rows = [
    ...figures.map((figure) => ({ row: figure.row, line: tableLine(figure) })),
    ...LATER.map(([row, title, target]) => ({
      row,
      line: `| ${row} | ${title} | ${target} | not measured yet | |`,
    })),
  ].toSorted((a, b) => orderOf(a.row) - orderOf(b.row));
  const text = [
    '# Speed',
    '',
    'Written by `npm run bench`. What counts is CPU per unit of work of the proxy process (user + system,',
    "the operating system's accounting) and the ratios within one run; absolute times belong to the machine.",
    '',
    ...describeMachine(circumstances),
    '',
    '| # | figure | to reach | measured | |',
    '|---|---|---|---|---|',
    ...rows.map(({ line }) => line),
    '',
    ...figures.flatMap(({ row, detail }) => [`## Row ${row}`, '', detail, '']),
  ].join('\n');
  await writeFile(join(import.meta.dirname, 'results.md'), text);
}

/** Numbers first, `10b` behind 10, what is ours at the end. */
function orderOf(row: Figure['row']): number {
  if (typeof row === 'number') return row;
  const number = Number.parseInt(row, 10);
  return Number.isNaN(number) ? 1_000 : number + 0.5;
}
