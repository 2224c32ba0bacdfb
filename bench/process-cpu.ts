/**
 * CPU time of a process and all its descendants, from the operating system's own accounting
 * (`/proc/PID/stat`, user + system, Linux). Threads are included; ended children are not.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

interface ProcessTimes {
  readonly pid: number;
  readonly parent: number;
  readonly ticks: number;
}

let ticksPerSecond = 0;

function readTicksPerSecond(): number {
  ticksPerSecond ||= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return ticksPerSecond;
}

/** `undefined` when the process ended meanwhile. */
function readTimes(pid: number): ProcessTimes | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The command name stands in parentheses and may contain spaces: count from the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [parent, user, system] = [fields[1], fields[11], fields[12]].map(Number);
  return { pid, parent: parent ?? 0, ticks: (user ?? 0) + (system ?? 0) };
}

/** Seconds of CPU used so far by `root` and everything below it. */
export function readTreeCpuSeconds(root: number): number {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readTimes(Number(name)))
    .filter((times) => times !== undefined);
  const tree = new Set([root]);
  for (let grew = true; grew;) {
    const before = tree.size;
    for (const { pid, parent } of all) if (tree.has(parent)) tree.add(pid);
    grew = tree.size > before;
  }
  const ticks = all.filter(({ pid }) => tree.has(pid)).reduce((sum, times) => sum + times.ticks, 0);
  return ticks / readTicksPerSecond();
}

function readStatusBytes(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024;
}

/** Resident bytes of one process now. */
export function readResidentBytes(pid: number): number {
  return readStatusBytes(pid, 'VmRSS');
}

/** The most resident bytes one process ever had. */
export function readPeakBytes(pid: number): number {
  return readStatusBytes(pid, 'VmHWM');
}
