import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { commandEnv, ROOT, runProgram } from '../cli/command-line.ts';

const DEMO = join(ROOT, 'demo/demo.ts');
let temporary = '';
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'sallyport-demo-test-'));
});
afterEach(() => rmSync(temporary, { recursive: true, force: true }));

/** Processes that were started for this directory. */
async function processesOf(directory: string): Promise<string> {
  return (await runProgram('ps', ['-eo', 'args'])).stdout
    .split('\n')
    .filter((line) => line.includes(directory))
    .join('\n');
}

describe('npm run demo', () => {
  test('keeps every promise and leaves nothing behind', async () => {
    const { code, stdout, stderr } = await runProgram(process.execPath, [DEMO], {
      env: { TMPDIR: temporary },
    });
    expect(stderr).toBe('');
    expect(stdout).not.toContain('BROKEN');
    expect(stdout).toContain('Everything was as promised.');
    expect(code).toBe(0);
    expect(readdirSync(temporary)).toEqual([]);
    expect(await processesOf(temporary)).toBe('');
  }, 60_000);

  test('Control-C in the middle leaves nothing behind either', async () => {
    const demo = spawn(process.execPath, [DEMO], { env: commandEnv({ TMPDIR: temporary }) });
    demo.stdout.on('data', (chunk: Buffer) => {
      if (chunk.includes('2. A sandbox')) demo.kill('SIGINT');
    });
    const [code] = (await once(demo, 'close')) as [number | null];
    expect(code).toBe(130);
    expect(readdirSync(temporary)).toEqual([]);
    expect(await processesOf(temporary)).toBe('');
  }, 60_000);
});
