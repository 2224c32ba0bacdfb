/** Secrets as members of groups: filtered, a page at a time, with their versions and sandboxes counted. */
import type { Member, MemberFilter, Page } from '../../groups/group-store.ts';
import type { Transaction } from '../database.ts';
import { groupsSharedWith } from './group-collaborators.ts';
import { secretOf } from './secret-row.ts';

/** Parameters of one `in (…)`: databases limit them. */
const IDS_PER_QUERY_MAX = 500;

export async function listMembers(
  transaction: Transaction,
  organizationId: string,
  filter: MemberFilter,
): Promise<Page<Member>> {
  const { query } = transaction;
  const { groupIds, ids, names, subject } = filter;
  let select = query
    .selectFrom('secrets')
    .where('organization_id', '=', organizationId)
    .where('deleted_at_ms', 'is', null);
  if (groupIds !== undefined) select = select.where('group_id', 'in', groupIds);
  if (filter.isUngrouped === true) select = select.where('group_id', 'is', null);
  if (ids !== undefined) select = select.where('id', 'in', ids);
  if (names !== undefined) select = select.where('name', 'in', names);
  if (subject !== undefined) {
    select = select.where((where) =>
      where.or([
        where('group_id', 'is', null),
        where('group_id', 'in', groupsSharedWith(transaction, organizationId, subject)),
      ]),
    );
  }
  const { total } = await select
    .select((expression) => expression.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow();
  const rows = await select
    .selectAll()
    .orderBy('created_at_ms')
    .orderBy('seq')
    // SQLite has no offset without a limit.
    .limit(filter.limit ?? Number.MAX_SAFE_INTEGER)
    .offset(filter.offset ?? 0)
    .execute();
  const secretIds = rows.map((row) => row.id);
  const versions = await readVersions(transaction, secretIds);
  const counts = await countSandboxes(transaction, secretIds);
  const members = rows.map((row) => ({
    secret: secretOf(row),
    groupId: row.group_id,
    versions: versions.get(row.id) ?? [],
    boundSandboxes: counts.get(row.id) ?? 0,
  }));
  return { rows: members, total };
}

async function readVersions(
  { query }: Transaction,
  secretIds: readonly string[],
): Promise<ReadonlyMap<string, Member['versions']>> {
  const bySecret = new Map<string, Member['versions'][number][]>();
  for (const ids of chunksOf(secretIds)) {
    const rows = await query
      .selectFrom('secret_versions as v')
      .innerJoin('secrets as s', 's.id', 'v.secret_id')
      .select(['v.id', 'v.secret_id', 'v.version', 'v.created_at_ms', 's.active_version_id'])
      .where('v.secret_id', 'in', ids)
      .where('v.sealed', 'is not', null)
      .orderBy('v.secret_id')
      .orderBy('v.version')
      .execute();
    for (const row of rows) {
      const list = bySecret.get(row.secret_id) ?? [];
      bySecret.set(row.secret_id, list);
      list.push({
        id: row.id,
        version: row.version,
        createdAtMs: row.created_at_ms,
        active: row.id === row.active_version_id,
      });
    }
  }
  return bySecret;
}

async function countSandboxes(
  { query }: Transaction,
  secretIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const bySecret = new Map<string, number>();
  for (const ids of chunksOf(secretIds)) {
    const rows = await query
      .selectFrom('secrets as s')
      .innerJoin('bindings as b', (join) =>
        join.onRef('b.organization_id', '=', 's.organization_id').onRef('b.secret_id', '=', 's.id'),
      )
      .select('s.id')
      .select((expression) =>
        expression.fn.count<number>('b.sandbox_id').distinct().as('sandboxes'),
      )
      .where('s.id', 'in', ids)
      .where('b.detached_at_ms', 'is', null)
      .groupBy('s.id')
      .execute();
    for (const row of rows) bySecret.set(row.id, row.sandboxes);
  }
  return bySecret;
}

function chunksOf(ids: readonly string[]): readonly (readonly string[])[] {
  const count = Math.ceil(ids.length / IDS_PER_QUERY_MAX);
  return Array.from({ length: count }, (_, index) =>
    ids.slice(index * IDS_PER_QUERY_MAX, (index + 1) * IDS_PER_QUERY_MAX),
  );
}
