/**
 * Forgetting: the oldest rows first, by age and by count, each organization and class (uses and refusals;
 * plain traffic) for itself, one batch a call so that the store's thread is never held for long.
 */
import type { AuditRetention } from '../../audit/audit-store.ts';
import { FIXED } from '../../kernel/limits.ts';
import type { Transaction } from '../database.ts';
import type { AuditChainsTable, AuditCountsTable } from '../tables.ts';
import { oldestLinked } from './audit-chain.ts';
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

interface Doomed {
  readonly id: number;
  readonly secrets: string | null;
}

async function pruneClass(
  transaction: Transaction,
  rows: AuditCountsTable,
  retention: AuditRetention,
  room: number,
): Promise<number> {
  const { query, runMany } = transaction;
  const rowsMax = rows.important === 1 ? retention.importantRowsMax : retention.plainRowsMax;
  const surplus = Math.max(0, rows.row_count - rowsMax);
  const chain = await query
    .selectFrom('audit_chains')
    .selectAll()
    .where('organization_id', '=', rows.organization_id)
    .where('important', '=', rows.important)
    .executeTakeFirst();
  const doomed =
    chain === undefined
      ? await findDoomed(transaction, rows, retention, surplus, room)
      : await takeFromChain(transaction, chain, retention, surplus, room);
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

function findDoomed(
  { query }: Transaction,
  rows: Pick<AuditCountsTable, 'organization_id' | 'important'>,
  retention: AuditRetention,
  surplus: number,
  room: number,
): Promise<readonly Doomed[]> {
  const oldest = query
    .selectFrom('audit_events')
    .select(['id', 'secrets'])
    .where('organization_id', '=', rows.organization_id)
    .where('important', '=', rows.important)
    .orderBy('ts_ms');
  // Too many go first, whatever their age; what is too old among the rest is for the next call.
  if (surplus > 0) return oldest.limit(Math.min(surplus, room)).execute();
  return oldest.where('ts_ms', '<', retention.olderThanMs).limit(room).execute();
}

/** From the beginning of the chain only: what is left hangs on the hash of the last row taken. */
async function takeFromChain(
  transaction: Transaction,
  chain: AuditChainsTable,
  retention: AuditRetention,
  surplus: number,
  room: number,
): Promise<readonly Doomed[]> {
  const { query } = transaction;
  const update = query
    .updateTable('audit_chains')
    .where('organization_id', '=', chain.organization_id)
    .where('important', '=', chain.important);
  if (chain.has_older === 1) {
    const older = await query
      .selectFrom('audit_events')
      .select(['id', 'secrets', 'ts_ms'])
      .where('organization_id', '=', chain.organization_id)
      .where('important', '=', chain.important)
      .where('id', '<', chain.start_id)
      .orderBy('ts_ms')
      .limit(room)
      .execute();
    if (older.length > 0) return older.filter(isDoomed(retention, surplus));
    await update.set({ has_older: 0 }).execute();
  }
  const linked = await oldestLinked(transaction, chain, room);
  const isKept = linked.findIndex((row, index) => !isDoomed(retention, surplus)(row, index));
  const doomed = isKept < 0 ? linked : linked.slice(0, isKept);
  const last = doomed.at(-1);
  if (last !== undefined) {
    await update.set({ anchor_id: last.id, anchor_hash: last.chain_hash }).execute();
  }
  return doomed;
}

function isDoomed({ olderThanMs }: AuditRetention, surplus: number) {
  return (row: { readonly ts_ms: number }, index: number): boolean =>
    surplus > 0 ? index < surplus : row.ts_ms < olderThanMs;
}
