/**
 * `npm run bench`: measures the rows of the speed table that this release has, prints them and writes
 * `results.md`. Loopback only, real tools, about five minutes. Exit code 1: a tool is missing or a
 * figure was missed.
 */
import { loadavg } from 'node:os';
import type { Figure } from './figure.ts';
import { writeResults } from './results.ts';
import { measureAddedLatency } from './rows/added-latency.ts';
import { measureChangeToEffect } from './rows/change-to-effect.ts';
import { measureConnectionCost } from './rows/connection-cost.ts';
import { measureCostOfSize } from './rows/cost-of-size.ts';
import { measureDownloadCost } from './rows/download-cost.ts';
import { measureEventDelay } from './rows/event-delay.ts';
import { measureHttp2Cost } from './rows/http2-cost.ts';
import { measureIdleMemory } from './rows/idle-memory.ts';
import { measureRequestCost } from './rows/request-cost.ts';
import { measureStartTime } from './rows/start-time.ts';
import { startStage } from './stage.ts';
import { findCurl, findHey, findNginx } from './tools.ts';

const startedAt = performance.now();
const [loadBefore = 0] = loadavg();
const nginx = findNginx();
const hey = findHey();
const curl = findCurl();
const missing = [nginx, hey, curl].filter(({ version }) => version === undefined);
const figures: Figure[] = [];

function report(figure: Figure): void {
  figures.push(figure);
  const verdict = figure.reached === null ? '' : figure.reached ? 'reached' : 'MISSED';
  console.log(
    `row ${figure.row}: ${figure.title}: ${figure.measured ?? 'not measured'} (${figure.target}) ${verdict}`,
  );
}

function unmeasured(row: Figure['row'], title: string, target: string): Figure {
  const packages = missing.map(({ debianPackage }) => debianPackage).join(' ');
  const detail = `A tool is missing: \`apt-get install --no-install-recommends ${packages}\`.`;
  return { row, title, target, measured: null, reached: null, detail };
}

if (missing.length === 0) {
  await using stage = await startStage(nginx.command);
  report(await measureRequestCost(stage, hey.command));
  report(await measureConnectionCost(stage, hey.command));
  report(await measureDownloadCost(stage));
  report(await measureHttp2Cost(stage));
  for (const figure of await measureCostOfSize(stage, hey.command)) report(figure);
} else {
  for (const { command, debianPackage } of missing) {
    console.log(`${command} is missing: install the Debian package ${debianPackage}`);
  }
  report(unmeasured(1, 'intercepted request: CPU per request ÷ nginx floor', '≤ 3.0 now'));
  report(unmeasured(2, 'new CONNECT + TLS + one request: CPU ÷ nginx floor', '≤ 2.2'));
  report(unmeasured(4, '1 GiB download: CPU s/GiB ÷ nginx floor', '≤ 1.8; < 96 MiB'));
}
report(await measureAddedLatency());
report(await measureEventDelay());
report(await measureIdleMemory());
report(await measureChangeToEffect());
report(await measureStartTime());

const seconds = (performance.now() - startedAt) / 1000;
await writeResults(figures, { tools: [nginx, hey, curl], loadBefore, seconds });
console.log(`written to bench/results.md after ${seconds.toFixed(0)} s`);
if (figures.some(({ reached, measured }) => reached === false || measured === null))
  process.exitCode = 1;
