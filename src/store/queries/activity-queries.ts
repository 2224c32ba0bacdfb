/** The admin's trail on the database. */
import type { Selectable } from 'kysely';
import type { ActivityFilter, ActivityRow, ActivityStore } from '../../activity/activity-store.ts';
import type { ActivityAction, ActivityEvent, ShownFields } from '../../activity/activity.ts';
import { fromJson, fromJsonOrNull, json, jsonOrNull } from '../columns.ts';
import type { Transaction } from '../database.ts';
import type { ActivityTable } from '../tables.ts';

const COLUMNS = [
  'organization_id',
  'ts_ms',
  'api_key_id',
  'subject',
  'action',
  'target_id',
  'target_name',
  'before_fields',
  'after_fields',
  'widened',
] as const satisfies readonly (keyof ActivityTable)[];

export function activityQueries(transaction: Transaction): ActivityStore {
  return {
    insertActivity: (events) => insertActivity(transaction, events),
    listActivity: (organizationId, filter) => listActivity(transaction, organizationId, filter),
  };
}

async function insertActivity(
  { query, runMany }: Transaction,
  events: readonly ActivityEvent[],
): Promise<void> {
  // Only the shape counts: the values are replaced by the parameters of each row.
  const shape = Object.fromEntries(COLUMNS.map((column) => [column, 0]));
  const statement = query.insertInto('activity').values(shape as never);
  await runMany(statement.compile(), events.map(parametersOf));
}

async function listActivity(
  { query }: Transaction,
  organizationId: string,
  filter: ActivityFilter,
): Promise<readonly ActivityRow[]> {
  const { limit, beforeId, sinceMs, untilMs, action, targetId, apiKeyId } = filter;
  let select = query
    .selectFrom('activity')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .orderBy('id', 'desc')
    .limit(limit);
  if (beforeId !== undefined) select = select.where('id', '<', beforeId);
  if (sinceMs !== undefined) select = select.where('ts_ms', '>=', sinceMs);
  if (untilMs !== undefined) select = select.where('ts_ms', '<', untilMs);
  if (action !== undefined) select = select.where('action', '=', action);
  if (targetId !== undefined) select = select.where('target_id', '=', targetId);
  if (apiKeyId !== undefined) select = select.where('api_key_id', '=', apiKeyId);
  return (await select.execute()).map((row) => ({ id: row.id, event: eventOf(row) }));
}

/** In the order of `COLUMNS`. */
function parametersOf(event: ActivityEvent): readonly unknown[] {
  return [
    event.organizationId,
    event.tsMs,
    event.apiKeyId,
    event.subject,
    event.action,
    event.targetId,
    event.targetName,
    jsonOrNull(event.before),
    jsonOrNull(event.after),
    event.widened.length === 0 ? null : json(event.widened),
  ];
}

function eventOf(row: Selectable<ActivityTable>): ActivityEvent {
  return {
    tsMs: row.ts_ms,
    organizationId: row.organization_id,
    apiKeyId: row.api_key_id,
    subject: row.subject,
    action: row.action as ActivityAction,
    targetId: row.target_id,
    targetName: row.target_name,
    before: fromJsonOrNull(row.before_fields) as ShownFields | null,
    after: fromJsonOrNull(row.after_fields) as ShownFields | null,
    widened: row.widened === null ? [] : (fromJson(row.widened) as string[]),
  };
}
