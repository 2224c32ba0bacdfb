import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import SqliteFile from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { StartError } from '../../src/kernel/errors.ts';
import { SCHEMA_VERSION } from '../../src/store/migrate.ts';
import { startStore } from '../../src/store/start-store.ts';
import { insertSampleSecret, insertTenant } from '../contract/samples.ts';
import { silentLogger } from './silent-logger.ts';
import { openStore, temporaryDirectory } from './temporary-store.ts';

function databaseIn(dataDir: string): string {
  return path.join(dataDir, 'sallyport.db');
}

/** What a start is refused with. */
async function refusalOf(dataDir: string, url: string | null = null): Promise<StartError> {
  const starting = startStore({ url, dataDir, logger: silentLogger, clock: systemClock });
  const outcome = await starting.then(
    (store) => store,
    (error: unknown) => error,
  );
  if (outcome instanceof StartError) return outcome;
  throw new Error(`not refused as it should be: ${String(outcome)}`);
}

describe('files', () => {
  test('the directory is 0700 and every file in it 0600, whatever the umask', async () => {
    const before = process.umask(0);
    try {
      const dataDir = path.join(temporaryDirectory(), 'deep', 'data');
      const store = await openStore(dataDir);
      await insertTenant(store, 'acme');
      expect(statSync(dataDir).mode & 0o777).toBe(0o700);
      const files = readdirSync(dataDir);
      expect(files).toEqual(
        expect.arrayContaining(['sallyport.db', 'sallyport.db-wal', 'sallyport.db-shm']),
      );
      for (const file of files) {
        expect([file, statSync(path.join(dataDir, file)).mode & 0o777]).toEqual([file, 0o600]);
      }
    } finally {
      process.umask(before);
    }
  });

  test('a database that others could read is closed to them', async () => {
    const dataDir = temporaryDirectory();
    await (await openStore(dataDir)).close();
    chmodSync(databaseIn(dataDir), 0o644);
    await openStore(dataDir);
    expect(statSync(databaseIn(dataDir)).mode & 0o777).toBe(0o600);
  });

  test('sqlite:PATH is used instead of the data directory', async () => {
    const dataDir = temporaryDirectory();
    const file = path.join(temporaryDirectory(), 'elsewhere.sqlite');
    const store = await startStore({
      url: `sqlite:${file}`,
      dataDir,
      logger: silentLogger,
      clock: systemClock,
    });
    await store.close();
    expect(statSync(file).size).toBeGreaterThan(0);
    expect(readdirSync(dataDir)).toEqual([]);
  });

  test('after a close nothing is left in the log and the data is there again', async () => {
    const dataDir = temporaryDirectory();
    const store = await openStore(dataDir);
    const { organization } = await insertTenant(store, 'acme');
    await store.close();
    expect(readdirSync(dataDir)).not.toContain('sallyport.db-wal');
    const again = await openStore(dataDir);
    expect(await again.organizations.readOrganization('acme')).toEqual(organization);
  });
});

describe('a start is refused', () => {
  test('when the database was written by a newer version, and nothing is changed', async () => {
    const dataDir = temporaryDirectory();
    await (await openStore(dataDir)).close();
    const file = new SqliteFile(databaseIn(dataDir));
    file.prepare('insert into schema_version values (?, 0)').run(SCHEMA_VERSION + 1);
    file.close();
    const before = readFileSync(databaseIn(dataDir));
    const error = await refusalOf(dataDir);
    expect(error.message).toContain(databaseIn(dataDir));
    expect(error.message).toContain('newer Sallyport');
    expect(error.hint).toContain('Nothing was changed');
    expect(readFileSync(databaseIn(dataDir)).equals(before)).toBe(true);
  });

  test('when the file is not a database', async () => {
    const dataDir = temporaryDirectory();
    writeFileSync(
      databaseIn(dataDir),
      'this is a text, and quite a long one for a header'.repeat(9),
    );
    const error = await refusalOf(dataDir);
    expect(error.message).toContain(`${databaseIn(dataDir)} is damaged`);
    expect(error.hint).toContain('backup.md');
  });

  test('when the file is damaged', async () => {
    const dataDir = temporaryDirectory();
    await (await openStore(dataDir)).close();
    const bytes = readFileSync(databaseIn(dataDir));
    bytes.fill(0xff, 100, 8_192);
    writeFileSync(databaseIn(dataDir), bytes);
    expect((await refusalOf(dataDir)).message).toContain(`${databaseIn(dataDir)} is damaged`);
  });

  test('when the place cannot be written to', async () => {
    const parent = temporaryDirectory();
    writeFileSync(path.join(parent, 'a-file'), '');
    const dataDir = path.join(parent, 'a-file', 'data');
    const error = await refusalOf(dataDir);
    expect(error.message).toContain(`${databaseIn(dataDir)} cannot be opened for writing`);
    expect(error.hint).toContain('data_dir');
    const other = temporaryDirectory();
    mkdirSync(databaseIn(other));
    expect((await refusalOf(other)).message).toContain('cannot be opened for writing');
  });

  test('when another instance runs on the database, which goes on undisturbed', async () => {
    const dataDir = temporaryDirectory();
    const store = await openStore(dataDir);
    const error = await refusalOf(dataDir);
    expect(error.message).toContain('Another Sallyport is running');
    await store.ping();
    await store.close();
    await (await openStore(dataDir)).ping();
  });

  test('when another program holds the database', async () => {
    const dataDir = temporaryDirectory();
    await (await openStore(dataDir)).close();
    const holder = spawn(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        `import SqliteFile from 'better-sqlite3';
         const file = new SqliteFile(process.argv[1]);
         file.pragma('locking_mode = EXCLUSIVE');
         file.exec('begin exclusive');
         console.log('held');
         setInterval(() => undefined, 1000);`,
        databaseIn(dataDir),
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    try {
      await new Promise((resolve) => {
        holder.stdout.once('data', resolve);
      });
      const error = await refusalOf(dataDir);
      expect(error.message).toContain('locked by another program');
    } finally {
      holder.kill('SIGKILL');
    }
  });

  test('when the URL names a database this version does not speak, without its password', async () => {
    const error = await refusalOf(temporaryDirectory(), 'postgres://user:not-a-real-pw@db/x');
    expect(error.message).toContain('postgres:');
    expect(error.message + error.hint).not.toContain('not-a-real-pw');
  });
});

test('calls are measured by the name of their operation', async () => {
  const seen: [string, number][] = [];
  const store = await startStore({
    url: null,
    dataDir: temporaryDirectory(),
    logger: silentLogger,
    clock: systemClock,
    onDuration: (operation, seconds) => seen.push([operation, seconds]),
  });
  const tenant = await insertTenant(store, 'acme');
  await insertSampleSecret(store, tenant);
  await store.close();
  expect(seen.map(([operation]) => operation)).toEqual([
    'organizations.insertOrganization',
    'secrets.insertSecret',
    'close',
  ]);
  expect(seen.every(([, seconds]) => seconds > 0)).toBe(true);
});
