/**
 * A vitest `globalSetup`: the published clients of `test/sdk`, installed from their own lock file before
 * the first test. Nothing is done when what is installed came from that very lock file; says what it does.
 */
import { execFile } from 'node:child_process';
import { copyFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const FOLDER = path.resolve(import.meta.dirname, '../sdk');
const LOCK = path.join(FOLDER, 'package-lock.json');
/** What was installed: a copy of the lock file, made last, so that half an installation does not count. */
const STAMP = path.join(FOLDER, 'node_modules', '.installed-lock.json');

/** Rejects with what npm said when the clients cannot be installed. */
export async function setup(): Promise<void> {
  const [wanted, installed] = await Promise.all([
    readFile(LOCK, 'utf8'),
    readFile(STAMP, 'utf8').catch(() => ''),
  ]);
  if (wanted === installed) return;
  process.stdout.write('installing the published clients of test/sdk from their lock file\n');
  const args = ['ci', '--no-audit', '--no-fund', '--ignore-scripts'];
  await promisify(execFile)('npm', args, { cwd: FOLDER });
  await copyFile(LOCK, STAMP);
}
