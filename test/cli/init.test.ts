import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runSallyport } from './command-line.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-init-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('sallyport init', () => {
  test('writes settings that are right, a private data directory and a private master key', async () => {
    const made = await runSallyport(['init'], { cwd: directory });
    expect(made.stderr).toBe('');
    expect(made.code).toBe(0);
    expect(statSync(join(directory, 'data')).mode & 0o777).toBe(0o700);
    const key = join(directory, 'data/master.key');
    expect(statSync(key).mode & 0o777).toBe(0o600);
    expect(Buffer.from(readFileSync(key, 'utf8'), 'base64')).toHaveLength(32);
    expect(made.stdout).not.toContain(readFileSync(key, 'utf8').trim());
    const check = await runSallyport(['config', 'check', '--config', 'sallyport.yaml'], {
      cwd: directory,
    });
    expect(check.stderr).toBe('');
    expect(check.code).toBe(0);
  });

  test('overwrites nothing', async () => {
    await runSallyport(['init'], { cwd: directory });
    const before = readFileSync(join(directory, 'data/master.key'), 'utf8');
    const again = await runSallyport(['init'], { cwd: directory });
    expect(again.code).toBe(7);
    expect(again.stderr).toContain('the file exists');
    await runSallyport(['init', '--config', 'other.yaml'], { cwd: directory });
    expect(readFileSync(join(directory, 'data/master.key'), 'utf8')).toBe(before);
  });
});
