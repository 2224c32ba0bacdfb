/**
 * A store of the size of row 6, made from one secret, sandbox and binding by copying their rows: 100,000 secrets
 * and 10,000 sandboxes, each with a binding of its own. Copies cannot be opened (their envelopes are bound to
 * the original), and nobody asks them to.
 */
import { join } from 'node:path';
import Database from 'better-sqlite3';

export const FULL_SECRETS = 100_000;
export const FULL_SANDBOXES = 10_000;

/** `dataDirectory` of a product that is stopped. */
export function fillStore(dataDirectory: string): void {
  const database = new Database(join(dataDirectory, 'sallyport.db'));
  try {
    database.transaction(() => {
      // Unique in its last twelve digits.
      const uuid = "printf('00000000-0000-4000-8000-%012d', n.i)";
      copyRows(database, 'secrets', FULL_SECRETS, {
        id: uuid,
        name: "'copy_' || n.i",
        active_version_id: uuid,
      });
      copyRows(database, 'secret_versions', FULL_SECRETS, { id: uuid, secret_id: uuid });
      copyRows(database, 'secret_hosts', FULL_SECRETS, { secret_id: uuid });
      copyRows(database, 'sandboxes', FULL_SANDBOXES, { id: uuid, name: "'copy_' || n.i" });
      copyRows(database, 'bindings', FULL_SANDBOXES, {
        id: uuid,
        sandbox_id: uuid,
        secret_id: uuid,
        placeholder: 'source.placeholder || n.i',
      });
    })();
  } finally {
    database.close();
  }
}

/** `count` copies of the one row of the table; `changed`: columns that are made anew, as SQL. */
function copyRows(
  database: Database.Database,
  table: string,
  count: number,
  changed: Readonly<Record<string, string>>,
): void {
  const columns = database
    .prepare(`SELECT name FROM pragma_table_info('${table}')`)
    .pluck()
    .all() as string[];
  const names = columns.filter((name) => name !== 'seq');
  const values = names.map((name) => changed[name] ?? `source.${name}`);
  database.exec(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
     INSERT INTO ${table} (${names.join(', ')})
     SELECT ${values.join(', ')} FROM n,
       (SELECT * FROM ${table} LIMIT 1) AS source`,
  );
}
