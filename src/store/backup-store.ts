/**
 * A backup from outside the process that runs: `sallyport backup FILE`. Opens the database for reading
 * only, takes no instance lock, migrates nothing, and copies one consistent moment while the server writes.
 * Blocks its thread, so it is for the command line.
 */
import { existsSync } from 'node:fs';
import SqliteFile from 'better-sqlite3';
import { StartError } from '../kernel/errors.ts';
import { translateStartErrors } from './open-sqlite.ts';
import { writeBackup } from './backup.ts';
import { databaseFile } from './database-file.ts';

/** More pages than a database has: all in one step, in one read transaction. */
const EVERY_PAGE = 0x7fff_ffff;

/** Rejects with StartError when there is no readable database, otherwise as `writeBackup`. */
export async function backupStore(options: {
  readonly url: string | null;
  readonly dataDir: string;
  readonly file: string;
}): Promise<void> {
  const source = databaseFile(options.url, options.dataDir);
  if (!existsSync(source)) {
    throw new StartError(
      `There is no database ${source}.`,
      'Run it where the data is, or name that place with --data-dir or --config.',
    );
  }
  const connection = translateStartErrors(source, () => {
    return new SqliteFile(source, { readonly: true, fileMustExist: true });
  });
  try {
    await writeBackup(options.file, async (partial) => {
      await connection.backup(partial, { progress: () => EVERY_PAGE });
    });
  } finally {
    connection.close();
  }
}
