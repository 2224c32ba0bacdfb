/**
 * Appending to the trail: ids ascending in order of the array, a repeated batch once. Runs at the rate of
 * the traffic, so its statements are built once a batch and run once a row.
 */
import type { AuditBatch } from '../../audit/audit-store.ts';
import type { AuditEvent } from '../../audit/event.ts';
import { assert } from '../../kernel/assert.ts';
import { FIXED } from '../../kernel/limits.ts';
import type { Transaction } from '../database.ts';
import type { Flag } from '../tables.ts';
import { endChains, insertLinked, linkRows } from './audit-chain.ts';
import { EVENT_COLUMNS, eventParameters, isImportant } from './audit-row.ts';

export async function appendEvents(
  transaction: Transaction,
  events: readonly AuditEvent[],
  batch: AuditBatch | undefined,
): Promise<void> {
  assert(events.length <= FIXED.storeBatchRowsMax, 'an audit batch is bounded');
  if (events.length === 0) return;
  if (batch !== undefined && !(await claimBatch(transaction, events, batch))) return;
  const firstId = await takeIds(transaction, events.length);
  await insertEvents(transaction, events, firstId, batch?.isChained === true);
  await insertSecrets(transaction, events, firstId);
  await countEvents(transaction, events);
}

/** False: this batch is stored already. */
async function claimBatch(
  { query }: Transaction,
  events: readonly AuditEvent[],
  batch: AuditBatch,
): Promise<boolean> {
  const seenAtMs = events.reduce((latest, event) => Math.max(latest, event.tsMs), 0);
  const result = await query
    .insertInto('audit_writers')
    .values({ writer: batch.writer, sequence: batch.sequence, seen_at_ms: seenAtMs })
    .onConflict((conflict) =>
      conflict
        .column('writer')
        .doUpdateSet({ sequence: batch.sequence, seen_at_ms: seenAtMs })
        .where('audit_writers.sequence', '<', batch.sequence),
    )
    .returning('sequence')
    .executeTakeFirst();
  return result !== undefined;
}

/** Reserves `count` ids and returns the first. */
async function takeIds({ query }: Transaction, count: number): Promise<number> {
  const row = await query
    .insertInto('audit_sequence')
    .values({ name: 'events', last_id: count })
    .onConflict((conflict) =>
      conflict
        .column('name')
        .doUpdateSet((set) => ({ last_id: set('audit_sequence.last_id', '+', count) })),
    )
    .returning('last_id')
    .executeTakeFirstOrThrow();
  return row.last_id - count + 1;
}

async function insertEvents(
  transaction: Transaction,
  events: readonly AuditEvent[],
  firstId: number,
  isChained: boolean,
): Promise<void> {
  const rows = events.map((event, index) => eventParameters(firstId + index, event));
  if (isChained) {
    const linked = await linkRows(transaction, events, rows, firstId);
    await transaction.runMany(insertLinked(transaction), linked);
    return;
  }
  await endChains(transaction, events);
  // Only the shape counts: the values are replaced by the parameters of each row.
  const shape = Object.fromEntries(EVENT_COLUMNS.map((column) => [column, 0]));
  const statement = transaction.query.insertInto('audit_events').values(shape as never);
  await transaction.runMany(statement.compile(), rows);
}

async function insertSecrets(
  { query, runMany }: Transaction,
  events: readonly AuditEvent[],
  firstId: number,
): Promise<void> {
  const rows: unknown[][] = [];
  for (const [index, event] of events.entries()) {
    const status = event.kind === 'exchange' ? event.status : null;
    for (const { secretId, version } of event.secrets) {
      rows.push([event.organizationId, secretId, firstId + index, version, status]);
    }
  }
  if (rows.length === 0) return;
  const statement = query
    .insertInto('audit_event_secrets')
    .values({ organization_id: '', secret_id: '', event_id: 0, version: 0, status: 0 })
    .onConflict((conflict) => conflict.doNothing());
  await runMany(statement.compile(), rows);
}

async function countEvents({ query }: Transaction, events: readonly AuditEvent[]): Promise<void> {
  const counts = new Map<string, { organization_id: string; important: Flag; row_count: number }>();
  for (const event of events) {
    const important = isImportant(event) ? 1 : 0;
    const key = `${important}${event.organizationId}`;
    const count = counts.get(key);
    if (count === undefined) {
      counts.set(key, { organization_id: event.organizationId, important, row_count: 1 });
    } else {
      count.row_count += 1;
    }
  }
  await query
    .insertInto('audit_counts')
    .values([...counts.values()])
    .onConflict((conflict) =>
      conflict.columns(['organization_id', 'important']).doUpdateSet((set) => ({
        row_count: set('audit_counts.row_count', '+', set.ref('excluded.row_count')),
      })),
    )
    .execute();
}
