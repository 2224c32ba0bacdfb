import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { commandEnv, ROOT, runProgram } from '../cli/command-line.ts';
import { lacks } from '../support/missing-tools.ts';

const DEMO = join(ROOT, 'demo/demo.ts');
let temporary = '';
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'sallyport-demo-test-'));
});
afterEach(() => rmSync(temporary, { recursive: true, force: true }));

/** Command lines of processes that were started for this directory. */
function processesOf(directory: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(readCommandLine)
    .filter((line) => line.includes(directory));
}

function readCommandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

describe.skipIf(lacks('curl', 'git'))('npm run demo', () => {
  test('keeps every promise and leaves nothing behind', async () => {
    const { code, stdout, stderr } = await runProgram(process.execPath, [DEMO], {
      env: { TMPDIR: temporary },
    });
    expect(stderr).toBe('');
    expect(stdout).not.toContain('BROKEN');
    expect(stdout).toContain('Everything was as promised.');
    expect(code).toBe(0);
    expect(readdirSync(temporary)).toEqual([]);
    expect(processesOf(temporary)).toEqual([]);
  }, 60_000);

  test('Control-C in the middle leaves nothing behind either', async () => {
    const demo = spawn(process.execPath, [DEMO], { env: commandEnv({ TMPDIR: temporary }) });
    demo.stdout.on('data', (chunk: Buffer) => {
      if (chunk.includes('2. A sandbox')) demo.kill('SIGINT');
    });
    const [code] = (await once(demo, 'close')) as [number | null];
    expect(code).toBe(130);
    expect(readdirSync(temporary)).toEqual([]);
    expect(processesOf(temporary)).toEqual([]);
  }, 60_000);
});
