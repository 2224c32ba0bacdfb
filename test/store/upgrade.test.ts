/** A database of the first release, opened by this program: everything is there and goes on. */
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import SqliteFile from 'better-sqlite3';
import { Kysely, SqliteDialect } from 'kysely';
import { expect, test } from 'vitest';
import { first } from '../../src/store/migrations/0001-first.ts';
import { groups } from '../../src/store/migrations/0002-groups.ts';
import { oldestUsableVersion } from '../../src/store/migrations/0003-oldest-usable-version.ts';
import { activity } from '../../src/store/migrations/0004-activity.ts';
import { bindingColumns, sandboxColumns } from '../../src/store/queries/sandbox-row.ts';
import { secretColumns, versionColumns } from '../../src/store/queries/secret-row.ts';
import { sqliteSchema } from '../../src/store/sqlite-database.ts';
import type { Tables } from '../../src/store/tables.ts';
import {
  sampleBinding,
  sampleMark,
  sampleSandbox,
  sampleSecret,
  sampleVersion,
} from '../contract/samples.ts';
import { openStore, temporaryDirectory } from './temporary-store.ts';

/** As release 0.1.0 wrote it. */
const FIRST_RELEASE = [first, groups, oldestUsableVersion, activity];

async function openFirstRelease(directory: string): Promise<SqliteFile.Database> {
  const file = new SqliteFile(path.join(directory, 'sallyport.db'));
  const database = new Kysely<Tables>({ dialect: new SqliteDialect({ database: file }) });
  file.exec('create table schema_version (version integer primary key, applied_at_ms integer)');
  for (const migration of FIRST_RELEASE) {
    await migration.up(database, sqliteSchema);
    file.prepare('insert into schema_version values (?, 1)').run(migration.version);
  }
  return file;
}

/** Of `row` what the table of that time has. */
function insert(file: SqliteFile.Database, table: string, row: Readonly<Record<string, unknown>>) {
  const known = file.pragma(`table_info(${table})`) as readonly { readonly name: string }[];
  const names = known.map(({ name }) => name).filter((name) => row[name] !== undefined);
  const places = names.map(() => '?').join(', ');
  const statement = file.prepare(`insert into ${table} (${names.join(', ')}) values (${places})`);
  statement.run(names.map((name) => row[name]));
}

const organization = { id: randomUUID(), name: 'acme', createdAtMs: 1 };
const workspace = { id: randomUUID(), organizationId: organization.id, name: 'w', createdAtMs: 1 };
const tenant = { organization, workspace };

async function writeFirstRelease(directory: string) {
  const secret = sampleSecret(tenant, { name: 'TOKEN', version: 3, revision: 3 });
  const sandbox = sampleSandbox(tenant);
  const versions = [1, 2, 3].map((version) =>
    sampleVersion(secret, { version, ...(version === 3 ? {} : { id: randomUUID() }) }),
  );
  const file = await openFirstRelease(directory);
  insert(file, 'organizations', { ...organization, created_at_ms: 1 });
  insert(file, 'workspaces', {
    ...workspace,
    organization_id: organization.id,
    created_at_ms: 1,
  });
  insert(file, 'secrets', secretColumns(secret));
  for (const version of versions) insert(file, 'secret_versions', versionColumns(version));
  insert(file, 'sandboxes', sandboxColumns(sandbox));
  insert(
    file,
    'bindings',
    bindingColumns(sampleBinding(sandbox, secret, { pinnedVersion: 2, envKey: 'PINNED' })),
  );
  file.close();
  return { secret, sandbox, versions };
}

test('secrets, versions, sandboxes and bindings come back; a rotation counts on', async () => {
  const directory = temporaryDirectory();
  const { secret, sandbox, versions } = await writeFirstRelease(directory);
  const store = await openStore(directory);
  const row = await store.secrets.readSecret(organization.id, 'TOKEN');
  expect(row?.secret).toEqual({ ...secret, highestVersion: 3, rotation: 1, overlap: null });
  expect(row?.health.authFailures).toBe(0);
  const source = await store.policy.readPolicySource(sandbox.id);
  expect(source?.sandbox).toEqual(sandbox);
  expect(source?.bound[0]?.version).toEqual(versions[1]);
  await store.usage.recordUsage([sampleMark(secret, { rotation: 1, requests: 2 })]);
  const listed = await store.secrets.listVersions(organization.id, secret.id);
  expect(listed.map((one) => [one.version, one.requestsSinceRotation, one.pins])).toEqual([
    [3, 2, 0],
    [2, 0, 1],
    [1, 0, 0],
  ]);
  const back = { ...secret, version: 1, activeVersionId: versions[0]?.id ?? '', revision: 4 };
  expect(await store.secrets.updateSecret(back, null)).toBe(true);
});
