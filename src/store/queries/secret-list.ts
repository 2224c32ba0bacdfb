/** The list of secrets: newest first, filtered, a page at a time. */
import { sql } from 'kysely';
import type { SecretFilter, SecretRow } from '../../secrets/secret-store.ts';
import type { Transaction } from '../database.ts';
import { withHealth } from './version-queries.ts';

export async function listSecrets(
  transaction: Transaction,
  organizationId: string,
  filter: SecretFilter,
): Promise<readonly SecretRow[]> {
  const { query } = transaction;
  let select = query
    .selectFrom('secrets')
    .selectAll('secrets')
    .where('organization_id', '=', organizationId)
    .where('deleted_at_ms', 'is', null)
    .orderBy('created_at_ms', 'desc')
    .orderBy('seq', 'desc');
  if (filter.includeUnplaced !== true) select = select.where('auth', 'is not', null);
  if (filter.provider !== undefined) select = select.where('provider', '=', filter.provider);
  const { q, host, unusedSinceMs, limit, after } = filter;
  if (q !== undefined && q !== '') {
    const pattern = `%${q.toLowerCase().replaceAll(/[\\%_]/g, '\\$&')}%`;
    select = select.where(sql<boolean>`search_text like ${pattern} escape '\\'`);
  }
  if (host !== undefined) {
    select = select.where('id', 'in', (inner) =>
      inner
        .selectFrom('secret_hosts')
        .select('secret_id')
        .where('organization_id', '=', organizationId)
        .where('host', '=', host),
    );
  }
  if (unusedSinceMs !== undefined) {
    select = select.where((where) =>
      where.or([
        where('last_used_at_ms', 'is', null),
        where('last_used_at_ms', '<', unusedSinceMs),
      ]),
    );
  }
  if (after !== undefined) {
    // The row itself may be deleted by now: it is still there to tell its place.
    const place = await query
      .selectFrom('secrets')
      .select('seq')
      .where('organization_id', '=', organizationId)
      .where('id', '=', after.id)
      .executeTakeFirst();
    // The first condition alone bounds the scan of the index; the second decides among equals.
    select = select
      .where('created_at_ms', '<=', after.createdAtMs)
      .where((where) =>
        where.or([
          where('created_at_ms', '<', after.createdAtMs),
          where('seq', '<', place?.seq ?? 0),
        ]),
      );
  }
  if (limit !== undefined) select = select.limit(limit);
  return withHealth(transaction, await select.execute());
}
