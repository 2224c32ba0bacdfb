/**
 * The published clients live in a manifest of their own (`test/sdk`). Installed from its lock file when
 * they are not there, or when the lock file changed since; several test files may ask at once.
 */
import { execFile } from 'node:child_process';
import { copyFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const FOLDER = import.meta.dirname;
const LOCK = path.join(FOLDER, 'package-lock.json');
/** What was installed: a copy of the lock file, made last. */
const STAMP = path.join(FOLDER, 'node_modules', '.installed-lock.json');

/** A vitest `globalSetup`. */
export async function setup(): Promise<void> {
  const [wanted, installed] = await Promise.all([
    readFile(LOCK, 'utf8'),
    readFile(STAMP, 'utf8').catch(() => ''),
  ]);
  if (wanted === installed) return;
  const args = ['ci', '--no-audit', '--no-fund', '--ignore-scripts'];
  await promisify(execFile)('npm', args, { cwd: FOLDER });
  await copyFile(LOCK, STAMP);
}
