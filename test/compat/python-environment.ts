/**
 * A virtual environment with the published Python clients, in the temporary folder of the system, named
 * after the requirements: made once a machine, used by every run after. Needs python3 with venv and pip.
 */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const REQUIREMENTS = path.join(import.meta.dirname, 'requirements.txt');
const run = promisify(execFile);

/** Can this machine make one at all? */
export function hasPython(): boolean {
  try {
    execFileSync('python3', ['-c', 'import venv, ensurepip'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** The interpreter of the environment. Rejects with what pip said when it cannot be made. */
export async function preparePython(): Promise<string> {
  const { stdout: version } = await run('python3', ['--version']);
  const requirements = await readFile(REQUIREMENTS, 'utf8');
  const digest = createHash('sha256').update(version).update(requirements).digest('hex');
  const folder = path.join(tmpdir(), `sallyport-python-${digest.slice(0, 16)}`);
  const python = path.join(folder, 'bin', 'python');
  if (await exists(path.join(folder, 'complete'))) return python;
  process.stdout.write('installing the published Python clients of test/compat\n');
  // Whoever is first puts a finished one in place; an interrupted one never counts.
  const draft = await mkdtemp(`${folder}-`);
  await run('python3', ['-m', 'venv', draft]);
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
  await run(path.join(draft, 'bin', 'python'), [...pip, '-r', REQUIREMENTS]);
  await run('touch', [path.join(draft, 'complete')]);
  await rename(draft, folder).catch(() => rm(draft, { recursive: true, force: true }));
  return python;
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
