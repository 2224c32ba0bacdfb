/**
 * Forgetting: the oldest rows first, by age and by count, each organization and class (uses and refusals;
 * plain traffic) for itself, one batch a call so that the store's thread is never held for long.
 */
import type { AuditRetention } from '../../audit/audit-store.ts';
import { FIXED } from '../../kernel/limits.ts';
import type { Transaction } from '../database.ts';
import type { AuditCountsTable } from '../tables.ts';
import { secretsOf } from './audit-row.ts';

/** Removes at most one batch; the number removed. */
export async function pruneEvents(
  transaction: Transaction,
  retention: AuditRetention,
): Promise<number> {
  const { query } = transaction;
  await query.deleteFrom('audit_writers').where('seen_at_ms', '<', retention.olderThanMs).execute();
  const classes = await query.selectFrom('audit_counts').selectAll().execute();
  let room: number = FIXED.storeBatchRowsMax;
  for (const rows of classes) {
    room -= await pruneClass(transaction, rows, retention, room);
    if (room <= 0) break;
  }
  return FIXED.storeBatchRowsMax - room;
}

async function pruneClass(
  { query, runMany }: Transaction,
  rows: AuditCountsTable,
  retention: AuditRetention,
  room: number,
): Promise<number> {
  const rowsMax = rows.important === 1 ? retention.importantRowsMax : retention.plainRowsMax;
  const surplus = Math.max(0, rows.row_count - rowsMax);
  let oldest = query
    .selectFrom('audit_events')
    .select(['id', 'secrets'])
    .where('organization_id', '=', rows.organization_id)
    .where('important', '=', rows.important)
    .orderBy('ts_ms');
  // Too many go first, whatever their age; what is too old among the rest is for the next call.
  if (surplus > 0) oldest = oldest.limit(Math.min(surplus, room));
  else oldest = oldest.where('ts_ms', '<', retention.olderThanMs).limit(room);
  const doomed = await oldest.execute();
  if (doomed.length === 0) return 0;
  const uses = doomed.flatMap((event) =>
    secretsOf(event.secrets).map((used) => [used.secretId, event.id]),
  );
  await runMany(
    query
      .deleteFrom('audit_event_secrets')
      .where('secret_id', '=', '')
      .where('event_id', '=', 0)
      .compile(),
    uses,
  );
  await runMany(
    query.deleteFrom('audit_events').where('id', '=', 0).compile(),
    doomed.map((event) => [event.id]),
  );
  await query
    .updateTable('audit_counts')
    .set((set) => ({ row_count: set('row_count', '-', doomed.length) }))
    .where('organization_id', '=', rows.organization_id)
    .where('important', '=', rows.important)
    .execute();
  return doomed.length;
}
