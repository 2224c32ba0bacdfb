/** The trail on the database: reading it. Appending and pruning have files of their own. */
import type { ExpressionBuilder } from 'kysely';
import type {
  AuditStore,
  NetworkFilter,
  SecretAuditFilter,
  SecretAuditRow,
} from '../../audit/audit-store.ts';
import type { Transaction } from '../database.ts';
import type { Tables } from '../tables.ts';
import { appendEvents } from './audit-append.ts';
import { listChains, verifyChainPage } from './audit-chain.ts';
import { pruneEvents } from './audit-prune.ts';
import { eventOf } from './audit-row.ts';
import { listTrail, listTrailAfter, readLastEventId } from './audit-trail.ts';

export function auditQueries(transaction: Transaction): AuditStore {
  return {
    appendEvents: (events, batch) => appendEvents(transaction, events, batch),
    listSecretAudit: (organizationId, secretId, filter) =>
      listSecretAudit(transaction, organizationId, secretId, filter),
    listNetwork: (organizationId, sandboxId, filter) =>
      listNetwork(transaction, organizationId, sandboxId, filter),
    listTrail: (organizationId, filter) => listTrail(transaction, organizationId, filter),
    listTrailAfter: (organizationId, afterId, filter) =>
      listTrailAfter(transaction, organizationId, afterId, filter),
    readLastEventId: () => readLastEventId(transaction),
    listChains: (organizationId) => listChains(transaction, organizationId),
    verifyChainPage: (organizationId, isImportant, place, limit) =>
      verifyChainPage(transaction, organizationId, isImportant, place, limit),
    pruneEvents: (retention) => pruneEvents(transaction, retention),
  };
}

async function listSecretAudit(
  { query }: Transaction,
  organizationId: string,
  secretId: string,
  filter: SecretAuditFilter,
): Promise<SecretAuditRow[]> {
  // The rows are found in the narrow table alone; only a page of events is visited.
  let page = query
    .selectFrom('audit_event_secrets')
    .select(['event_id', 'version'])
    .where('secret_id', '=', secretId)
    .where('organization_id', '=', organizationId)
    .orderBy('event_id', 'desc')
    .limit(filter.limit);
  if (filter.beforeId !== undefined) page = page.where('event_id', '<', filter.beforeId);
  if (filter.status !== undefined) {
    const [from, to] = STATUS_RANGES[filter.status];
    page = page.where('status', '>=', from).where('status', '<=', to);
  }
  const rows = await query
    .selectFrom(page.as('p'))
    .innerJoin('audit_events as e', 'e.id', 'p.event_id')
    .leftJoin('sandboxes as s', 's.id', 'e.sandbox_id')
    .selectAll('e')
    .select(['p.version as used_version', 's.name as sandbox_name'])
    .orderBy('p.event_id', 'desc')
    .execute();
  return rows.map((row) => ({
    id: row.id,
    event: eventOf(row),
    sandboxName: row.sandbox_name,
    secretId,
    version: row.used_version,
  }));
}

const STATUS_RANGES = {
  '2xx': [200, 299],
  '3xx': [300, 399],
  '4xx': [400, 499],
  '5xx': [500, 599],
  errors: [400, 999],
} as const;

async function listNetwork(
  { query }: Transaction,
  organizationId: string,
  sandboxId: string,
  filter: NetworkFilter,
) {
  const { before, beforeMs, sinceMs, verdict, observed } = filter;
  let select = query
    .selectFrom('audit_events')
    .selectAll()
    .where('sandbox_id', '=', sandboxId)
    .where('organization_id', '=', organizationId)
    .orderBy('ts_ms', 'desc')
    .orderBy('kind', 'desc')
    .orderBy('id', 'desc')
    .limit(filter.limit);
  if (before !== undefined) select = select.where((where) => olderThan(where, before));
  if (beforeMs !== undefined) select = select.where('ts_ms', '<', beforeMs);
  if (sinceMs !== undefined) select = select.where('ts_ms', '>=', sinceMs);
  if (verdict !== undefined) {
    select = select.where('kind', '=', 'connection').where('verdict', '=', verdict);
  }
  if (observed === true) select = select.where('would_refuse', 'is not', null);
  return (await select.execute()).map((row) => ({ id: row.id, event: eventOf(row) }));
}

function olderThan(
  where: ExpressionBuilder<Tables, 'audit_events'>,
  place: NonNullable<NetworkFilter['before']>,
) {
  // `ts_ms <=` alone bounds the scan of the index; the rest decides among equals.
  return where.and([
    where('ts_ms', '<=', place.tsMs),
    where.or([
      where('ts_ms', '<', place.tsMs),
      where('kind', '<', place.kind),
      where.and([where('kind', '=', place.kind), where('id', '<', place.id)]),
    ]),
  ]);
}
