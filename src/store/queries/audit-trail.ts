/**
 * The whole trail of an organization, newest first, without an index of its own: appending stays as cheap
 * as it was. A call looks at a bounded stretch of an index that exists and says where the next call goes
 * on, so that a rare filter over millions of rows never holds the store's thread.
 */
import { sql } from 'kysely';
import type { RawBuilder, Selectable, SqlBool } from 'kysely';
import type {
  TrailFilter,
  TrailPage,
  TrailPlace,
  TrailReach,
  TrailRow,
} from '../../audit/audit-store.ts';
import type { Transaction } from '../database.ts';
import type { AuditEventsTable, Flag } from '../tables.ts';
import { eventOf } from './audit-row.ts';

/** Events looked at in one call when a filter may drop some of them. */
const LOOKED_AT_MAX = 4_000;

export async function listTrail(
  transaction: Transaction,
  organizationId: string,
  filter: TrailFilter,
): Promise<TrailPage> {
  const conditions = conditionsOf(filter);
  const stretch = conditions.length === 0 ? filter.limit : Math.max(filter.limit, LOOKED_AT_MAX);
  if (filter.secretId !== undefined) {
    return listOfSecret(transaction, organizationId, filter.secretId, { filter, stretch });
  }
  // Without a sandbox there is an index by class and time: both classes are walked, side by side. What
  // was only observed is all in one.
  const classes: readonly Flag[] = filter.observed === true ? [1] : [1, 0];
  const walks =
    filter.sandboxId === undefined
      ? classes.map((important) => walkClass(transaction, organizationId, important))
      : [walkSandbox(transaction, organizationId, filter.sandboxId)];
  const stretches = walks.map((walk) => placed(walk, filter).limit(stretch));
  if (conditions.length === 0) return pageByPlace(transaction, stretches, filter.limit);
  const ends = await Promise.all(
    stretches.map((walk) =>
      walk
        .clearSelect()
        .select(['ts_ms', 'id'])
        .offset(stretch - 1)
        .limit(1)
        .executeTakeFirst(),
    ),
  );
  // Older than the shortest walk's end nothing is known yet.
  const floor = ends
    .filter((end) => end !== undefined)
    .map((end): TrailPlace => ({ tsMs: end.ts_ms, id: end.id }))
    .toSorted(byPlaceDescending)[0];
  if (floor !== undefined) {
    conditions.push(
      sql`(p.ts_ms > ${floor.tsMs} or (p.ts_ms = ${floor.tsMs} and p.id >= ${floor.id}))`,
    );
  }
  const { query } = transaction;
  const parts = stretches.map((walk) => query.selectFrom(walk.as('p')).selectAll());
  const [first, second] = parts;
  if (first === undefined) return { rows: [], next: null };
  const all = second === undefined ? first : first.unionAll(second);
  const found = await query
    .selectFrom(all.as('p'))
    .leftJoin('sandboxes as s', 's.id', 'p.sandbox_id')
    .selectAll('p')
    .select('s.name as sandbox_name')
    .where((where) => where.and(conditions))
    .orderBy('p.ts_ms', 'desc')
    .orderBy('p.id', 'desc')
    .limit(filter.limit)
    .execute();
  return pageOf(found.map(rowOf), filter.limit, floor ?? null);
}

/** Nothing to look at but the order: the places come out of the index, and only the page's rows are read. */
async function pageByPlace(
  { query }: Transaction,
  walks: readonly ReturnType<typeof walkClass>[],
  limit: number,
): Promise<TrailPage> {
  const places: TrailPlace[] = [];
  for (const walk of walks) {
    const found = await walk.clearSelect().select(['ts_ms', 'id']).execute();
    for (const { ts_ms: tsMs, id } of found) places.push({ tsMs, id });
  }
  const page = places.toSorted(byPlaceDescending).slice(0, limit);
  if (page.length === 0) return { rows: [], next: null };
  const rows = await query
    .selectFrom('audit_events as p')
    .leftJoin('sandboxes as s', 's.id', 'p.sandbox_id')
    .selectAll('p')
    .select('s.name as sandbox_name')
    .where(
      'p.id',
      'in',
      page.map(({ id }) => id),
    )
    .execute();
  const byId = new Map(rows.map((row) => [row.id, rowOf(row)]));
  return pageOf(
    page.flatMap(({ id }) => byId.get(id) ?? []),
    limit,
    null,
  );
}

function walkClass({ query }: Transaction, organizationId: string, important: Flag) {
  return query
    .selectFrom('audit_events')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .where('important', '=', important);
}

function walkSandbox({ query }: Transaction, organizationId: string, sandboxId: string) {
  return query
    .selectFrom('audit_events')
    .selectAll()
    .where('sandbox_id', '=', sandboxId)
    .where('organization_id', '=', organizationId);
}

/** From the place of the filter on, within its time, in order. */
function placed(walk: ReturnType<typeof walkClass>, { before, sinceMs, untilMs }: TrailFilter) {
  let select = walk.orderBy('ts_ms', 'desc').orderBy('id', 'desc');
  if (sinceMs !== undefined) select = select.where('ts_ms', '>=', sinceMs);
  if (untilMs !== undefined) select = select.where('ts_ms', '<', untilMs);
  if (before === undefined) return select;
  // The first condition alone bounds the scan of the index; the second decides among equals.
  return select
    .where('ts_ms', '<=', before.tsMs)
    .where((where) => where.or([where('ts_ms', '<', before.tsMs), where('id', '<', before.id)]));
}

async function listOfSecret(
  { query }: Transaction,
  organizationId: string,
  secretId: string,
  { filter, stretch }: { readonly filter: TrailFilter; readonly stretch: number },
): Promise<TrailPage> {
  const { before, sinceMs, untilMs, sandboxId, limit } = filter;
  let walk = query
    .selectFrom('audit_event_secrets')
    .select('event_id')
    .where('secret_id', '=', secretId)
    .where('organization_id', '=', organizationId)
    .orderBy('event_id', 'desc')
    .limit(stretch);
  if (before !== undefined) walk = walk.where('event_id', '<', before.id);
  const conditions = conditionsOf(filter);
  if (sinceMs !== undefined) conditions.push(sql`p.ts_ms >= ${sinceMs}`);
  if (untilMs !== undefined) conditions.push(sql`p.ts_ms < ${untilMs}`);
  if (sandboxId !== undefined) conditions.push(sql`p.sandbox_id = ${sandboxId}`);
  const end = await walk
    .offset(stretch - 1)
    .limit(1)
    .executeTakeFirst();
  const found = await query
    .selectFrom(walk.as('w'))
    .innerJoin('audit_events as p', 'p.id', 'w.event_id')
    .leftJoin('sandboxes as s', 's.id', 'p.sandbox_id')
    .selectAll('p')
    .select('s.name as sandbox_name')
    .where((where) => where.and(conditions))
    .orderBy('w.event_id', 'desc')
    .limit(limit)
    .execute();
  return pageOf(found.map(rowOf), limit, end === undefined ? null : { tsMs: 0, id: end.event_id });
}

/** A full page goes on after its last row, a short one where the stretch ended. */
function pageOf(rows: readonly TrailRow[], limit: number, end: TrailPlace | null): TrailPage {
  const last = rows.length === limit ? rows.at(-1) : undefined;
  return { rows, next: last === undefined ? end : { tsMs: last.event.tsMs, id: last.id } };
}

export async function listTrailAfter(
  { query }: Transaction,
  organizationId: string,
  afterId: number,
  filter: TrailReach & { readonly limit: number },
): Promise<{ rows: TrailRow[]; lastId: number }> {
  const walk = query
    .selectFrom('audit_events')
    .selectAll()
    .where('id', '>', afterId)
    .orderBy('id')
    .limit(LOOKED_AT_MAX);
  const conditions = [sql<SqlBool>`p.organization_id = ${organizationId}`, ...reachOf(filter)];
  const found = await query
    .selectFrom(walk.as('p'))
    .leftJoin('sandboxes as s', 's.id', 'p.sandbox_id')
    .selectAll('p')
    .select('s.name as sandbox_name')
    .where((where) => where.and(conditions))
    .orderBy('p.id')
    .limit(filter.limit)
    .execute();
  const rows = found.map(rowOf);
  const last = rows.length === filter.limit ? rows.at(-1) : undefined;
  if (last !== undefined) return { rows, lastId: last.id };
  const end = await query
    .selectFrom(walk.clearSelect().select('id').as('p'))
    .select((expression) => expression.fn.max('p.id').as('last_id'))
    .executeTakeFirst();
  return { rows, lastId: Math.max(afterId, end?.last_id ?? 0) };
}

export async function readLastEventId({ query }: Transaction): Promise<number> {
  const row = await query
    .selectFrom('audit_sequence')
    .select('last_id')
    .where('name', '=', 'events')
    .executeTakeFirst();
  return row?.last_id ?? 0;
}

/** What the walked index does not decide. */
function conditionsOf(filter: TrailFilter): RawBuilder<SqlBool>[] {
  const { host, status, code, observed } = filter;
  const conditions = reachOf(filter);
  if (host !== undefined) conditions.push(sql`p.host = ${host}`);
  if (code !== undefined) conditions.push(sql`p.code = ${code}`);
  if (observed === true) conditions.push(sql`p.would_refuse is not null`);
  if (status !== undefined) {
    conditions.push(sql`p.status >= ${status[0]}`, sql`p.status <= ${status[1]}`);
  }
  return conditions;
}

function reachOf({ workspaceIds, secretIds }: TrailReach): RawBuilder<SqlBool>[] {
  const conditions: RawBuilder<SqlBool>[] = [];
  if (workspaceIds !== null) {
    conditions.push(
      workspaceIds.length === 0 ? sql`1 = 0` : sql`s.workspace_id in (${sql.join(workspaceIds)})`,
    );
  }
  if (secretIds !== null) {
    conditions.push(
      secretIds.length === 0
        ? sql`1 = 0`
        : sql`exists (select 1 from audit_event_secrets as u
            where u.event_id = p.id and u.secret_id in (${sql.join(secretIds)}))`,
    );
  }
  return conditions;
}

function rowOf(
  row: Selectable<AuditEventsTable> & { readonly sandbox_name: string | null },
): TrailRow {
  return { id: row.id, event: eventOf(row), sandboxName: row.sandbox_name };
}

/** The newest first. */
function byPlaceDescending(one: TrailPlace, other: TrailPlace): number {
  return other.tsMs - one.tsMs || other.id - one.id;
}
