/**
 * A consistent copy of a running database in a new file (0600). Never overwrites: the copy is made beside
 * and takes its name only when it is complete, so that a file of that name is a whole backup.
 */
import { closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { ControlError } from '../kernel/errors.ts';

/**
 * `copyTo` fills an empty file. Rejects with ControlError `conflict` when `file` exists, `bad_request`
 * when it cannot be written.
 */
export async function writeBackup(
  file: string,
  copyTo: (partial: string) => Promise<void>,
): Promise<void> {
  const target = path.resolve(file);
  refuseExisting(target);
  const partial = `${target}.partial`;
  try {
    closeSync(openSync(partial, 'wx', 0o600));
  } catch (error) {
    throw unwritable(partial, error);
  }
  try {
    await copyTo(partial);
    syncToDisk(partial);
    takeName(partial, target);
    syncToDisk(path.dirname(target));
  } finally {
    rmSync(partial, { force: true });
  }
}

function takeName(partial: string, target: string): void {
  try {
    // Unlike a rename, a link never replaces what came to be there meanwhile.
    linkSync(partial, target);
  } catch (error) {
    refuseExisting(target);
    if (!LINKLESS.has(codeOf(error))) throw unwritable(target, error);
    renameSync(partial, target);
  }
}

/** What file systems without hard links say. */
const LINKLESS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

function refuseExisting(target: string): void {
  if (statSync(target, { throwIfNoEntry: false }) === undefined) return;
  throw new ControlError('conflict', {
    message: `${target} exists already; a backup never overwrites.`,
  });
}

function unwritable(file: string, error: unknown): ControlError {
  const reason =
    codeOf(error) === 'EEXIST'
      ? 'it is left over from a backup that did not finish'
      : codeOf(error);
  return new ControlError('bad_request', {
    message: `The backup cannot be written to ${file}: ${reason}.`,
    cause: error,
  });
}

function syncToDisk(file: string): void {
  const descriptor = openSync(file, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
