/**
 * The real programs a measurement needs, and what to install when one is not there. A missing tool is
 * said in the results, never replaced by a home-made one.
 */
import { execFileSync, spawnSync } from 'node:child_process';

export interface Tool {
  readonly command: string;
  readonly debianPackage: string;
  /** `undefined`: not installed. */
  readonly version: string | undefined;
}

function readVersion(command: string, args: readonly string[]): string | undefined {
  const result = spawnSync(command, args, { encoding: 'utf8' });
  if (result.error !== undefined) return undefined;
  const text = `${result.stdout}${result.stderr}`;
  return /\d+\.\d+[\w.+-]*/.exec(text)?.[0] ?? 'present';
}

/** `hey` prints no version: Debian's package database knows it. */
function readPackageVersion(debianPackage: string): string | undefined {
  try {
    const args = ['-W', '-f', '${Version}', debianPackage];
    return execFileSync('dpkg-query', args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    return undefined;
  }
}

export function findNginx(): Tool {
  const version = readVersion('nginx', ['-v']) ?? readVersion('/usr/sbin/nginx', ['-v']);
  const command = readVersion('nginx', ['-v']) === undefined ? '/usr/sbin/nginx' : 'nginx';
  return { command, debianPackage: 'nginx-light', version };
}

export function findHey(): Tool {
  const present = spawnSync('hey', ['-h'], { encoding: 'utf8' }).error === undefined;
  const version = present ? (readPackageVersion('hey') ?? 'present') : undefined;
  return { command: 'hey', debianPackage: 'hey', version };
}

export function findCurl(): Tool {
  return { command: 'curl', debianPackage: 'curl', version: readVersion('curl', ['--version']) };
}
