/**
 * The npm package ships JavaScript, since types are not stripped under node_modules: the build starts and
 * serves without the sources.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');
const SOURCES = ['src', 'proxy', 'admin-api', 'cli', 'config', 'package.json'];
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-package-'));
  for (const name of [...SOURCES, 'tsconfig.json', 'tsconfig.build.json']) {
    cpSync(path.join(ROOT, name), path.join(directory, name), { recursive: true });
  }
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(directory, 'node_modules'));
  const built = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: directory,
    encoding: 'utf8',
  });
  if (built.status !== 0) throw new Error(`it does not build:\n${built.stdout}${built.stderr}`);
  for (const name of ['src', 'proxy', 'admin-api', 'cli', 'config']) {
    rmSync(path.join(directory, name), { recursive: true });
  }
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

test('the built command knows its version and its settings', () => {
  const main = path.join(directory, 'dist/cli/main.js');
  const version = spawnSync(process.execPath, [main, '--version'], { encoding: 'utf8' });
  expect(version.stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
  const check = spawnSync(process.execPath, [main, 'config', 'check'], {
    cwd: directory,
    encoding: 'utf8',
  });
  expect(check.status).toBe(0);
});

test('the built product serves: worker thread, catalogue and both planes are found', async () => {
  const main = path.join(directory, 'dist/cli/main.js');
  const args = ['serve', '--ready-json'];
  const { spawn } = await import('node:child_process');
  const child = spawn(process.execPath, [main, ...args], {
    cwd: directory,
    env: {
      ...process.env,
      SALLYPORT_PROXY_LISTEN: '127.0.0.1:0',
      SALLYPORT_ADMIN_LISTEN: '127.0.0.1:0',
      SALLYPORT_DATA_DIR: path.join(directory, 'data'),
      SALLYPORT_BOOTSTRAP_KEY: 'not-a-real-admin-key',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ready = await new Promise<string>((resolve) =>
    child.stdout.once('data', (chunk) => resolve(String(chunk))),
  );
  const { admin } = JSON.parse(ready) as { admin: string };
  const answer = await fetch(`http://${admin}/providers`, {
    headers: { 'x-api-key': 'not-a-real-admin-key' },
  });
  expect(answer.status).toBe(200);
  const providers = (await answer.json()) as { name: string }[];
  expect(providers.map(({ name }) => name)).toContain('openai');
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
});
