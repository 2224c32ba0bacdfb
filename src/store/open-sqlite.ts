/**
 * Opens the database file: makes the directory (0700) and the file (0600, which SQLite then gives to its
 * `-wal` and `-shm` files too), takes the instance lock, sets the pragmas. What is wrong with the file
 * comes out as a StartError that names it and says what to do.
 */
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import SqliteFile from 'better-sqlite3';
import { StartError } from '../kernel/errors.ts';
import { migrate } from './migrate.ts';
import { SqliteDatabase, sqliteSchema } from './sqlite-database.ts';

/** How long a statement waits for another program's lock. Shorter than a call to the store may take. */
const BUSY_TIMEOUT_MS = 3_000;

/** Opens, and migrates, the database in `file`; makes it when it is not there. */
export async function openSqlite(file: string, nowMs: number): Promise<SqliteDatabase> {
  const lock = translateStartErrors(file, () => takeLock(file));
  try {
    const connection = translateStartErrors(file, () => connect(file));
    const database = new SqliteDatabase(connection, () => lock.close());
    try {
      await migrate(database.kysely, sqliteSchema, file, nowMs);
    } catch (error) {
      connection.close();
      throw error;
    }
    return database;
  } catch (error) {
    lock.close();
    throw asStartError(file, error);
  }
}

/**
 * One instance a database: policy is kept in memory, and a second instance would go on using what the
 * first one revoked. The lock is an open transaction on a file beside the database, so it ends with the
 * process, however that ends.
 */
function takeLock(file: string): SqliteFile.Database {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const lockFile = `${file}.lock`;
  ensurePrivate(lockFile);
  const lock = new SqliteFile(lockFile, { timeout: 0 });
  try {
    lock.exec('begin exclusive');
    return lock;
  } catch (error) {
    lock.close();
    if (codeOf(error).startsWith('SQLITE_BUSY')) {
      throw new StartError(
        `Another Sallyport is running on the database ${file}.`,
        'Stop it first, or give this one its own data_dir.',
        { cause: error },
      );
    }
    throw error;
  }
}

function connect(file: string): SqliteFile.Database {
  ensurePrivate(file);
  const connection = new SqliteFile(file, { timeout: BUSY_TIMEOUT_MS });
  try {
    // WAL: readers and backups do not stop writers, and a killed process leaves a log that is replayed.
    connection.pragma('journal_mode = WAL');
    // FULL: what the admin was told is stored is on disk. `relaxed` transactions lower it for themselves.
    connection.pragma('synchronous = FULL');
    connection.pragma('foreign_keys = ON');
    connection.pragma('secure_delete = FAST');
    connection.pragma('temp_store = MEMORY');
    connection.pragma('cache_size = -32000');
    connection.pragma('journal_size_limit = 67108864');
    // Reads the whole schema: a damaged file is found now rather than at the first request.
    connection.pragma('schema_version');
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Creates `file` readable by its owner alone, or makes it so. */
function ensurePrivate(file: string): void {
  closeSync(openSync(file, 'a', 0o600));
  chmodSync(file, 0o600);
}

/** Runs `action`; what is wrong with the file comes out as a StartError that names it. */
export function translateStartErrors<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw asStartError(file, error);
  }
}

function asStartError(file: string, error: unknown): unknown {
  if (error instanceof StartError) return error;
  const code = codeOf(error);
  const fault = FAULTS.find((row) => row.codes.some((prefix) => code.startsWith(prefix)));
  if (fault === undefined) return error;
  return new StartError(`${fault.message(file)} (${code})`, fault.hint, { cause: error });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

const FAULTS = [
  {
    codes: ['SQLITE_CORRUPT', 'SQLITE_NOTADB'],
    message: (file: string) => `The database ${file} is damaged or is not a Sallyport database.`,
    hint: 'Restore the last backup (docs/guides/backup.md), or move the file away to start empty.',
  },
  {
    codes: ['SQLITE_BUSY', 'SQLITE_LOCKED'],
    message: (file: string) => `The database ${file} is locked by another program.`,
    hint: 'Close the program that has it open, then start again.',
  },
  {
    // The first thing that grows is the index of the log.
    codes: ['SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE', 'ENOSPC', 'EDQUOT', 'EFBIG'],
    message: (file: string) => `There is no space left for the database ${file}.`,
    hint: 'Free space on that disk, then start again.',
  },
  {
    codes: [
      'SQLITE_CANTOPEN',
      'SQLITE_READONLY',
      'SQLITE_PERM',
      'SQLITE_IOERR',
      'EACCES',
      'EPERM',
      'EROFS',
      'ENOTDIR',
      'EISDIR',
      'EEXIST',
      'ENOENT',
    ],
    message: (file: string) => `The database ${file} cannot be opened for writing.`,
    hint: 'Check that data_dir (or store.url) names a place this user may write to.',
  },
];
