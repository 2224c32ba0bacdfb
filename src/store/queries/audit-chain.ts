/** The hash chain on the database: one for each organization and class of rows, `src/audit/chain.ts`. */
import { sql } from 'kysely';
import type { CompiledQuery } from 'kysely';
import { CHAIN_BEGIN, chainHash } from '../../audit/chain.ts';
import type { ChainPage, ChainState } from '../../audit/audit-store.ts';
import type { AuditEvent } from '../../audit/event.ts';
import { flag } from '../columns.ts';
import type { Transaction } from '../database.ts';
import type { AuditChainsTable, AuditEventsTable, Flag } from '../tables.ts';
import { chainedCells, EVENT_COLUMNS, isImportant } from './audit-row.ts';

type Chain = { -readonly [Column in keyof AuditChainsTable]: AuditChainsTable[Column] };

/** The rows, ids first, each with its hash behind; the chains then end with them. */
export async function linkRows(
  transaction: Transaction,
  events: readonly AuditEvent[],
  rows: readonly (readonly unknown[])[],
  firstId: number,
): Promise<readonly (readonly unknown[])[]> {
  const chains = await readChains(transaction, new Set(events.map((one) => one.organizationId)));
  const linked = rows.map((cells, index) => {
    const event = events[index];
    if (event === undefined) return cells;
    const important = flag(isImportant(event));
    const key = `${important}${event.organizationId}`;
    const chain = chains.get(key) ?? newChain(event.organizationId, important, firstId + index);
    chains.set(key, chain);
    chain.last_hash = chainHash(chain.last_hash, chainedCells(cells));
    chain.last_id = firstId + index;
    return [...cells, chain.last_hash];
  });
  for (const chain of chains.values()) await writeChain(transaction, chain);
  return linked;
}

/** Rows without hashes follow: what is there cannot be gone on with. */
export async function endChains(
  { query }: Transaction,
  events: readonly AuditEvent[],
): Promise<void> {
  const ids = [...new Set(events.map((event) => event.organizationId))];
  await query.deleteFrom('audit_chains').where('organization_id', 'in', ids).execute();
}

async function readChains(
  { query }: Transaction,
  organizationIds: ReadonlySet<string>,
): Promise<Map<string, Chain>> {
  const rows = await query
    .selectFrom('audit_chains')
    .selectAll()
    .where('organization_id', 'in', [...organizationIds])
    .execute();
  return new Map(rows.map((row) => [`${row.important}${row.organization_id}`, { ...row }]));
}

function newChain(organizationId: string, important: Flag, startId: number): Chain {
  return {
    organization_id: organizationId,
    important,
    start_id: startId,
    has_older: 1,
    anchor_id: startId - 1,
    anchor_hash: CHAIN_BEGIN,
    last_id: startId - 1,
    last_hash: CHAIN_BEGIN,
  };
}

async function writeChain({ query }: Transaction, chain: Chain): Promise<void> {
  await query
    .insertInto('audit_chains')
    .values(chain)
    .onConflict((conflict) =>
      conflict
        .columns(['organization_id', 'important'])
        .doUpdateSet({ last_id: chain.last_id, last_hash: chain.last_hash }),
    )
    .execute();
}

export async function listChains(
  { query }: Transaction,
  organizationId: string,
): Promise<readonly ChainState[]> {
  const rows = await query
    .selectFrom('audit_chains')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .orderBy('important', 'desc')
    .execute();
  return rows.map((row) => ({
    isImportant: row.important === 1,
    startId: row.start_id,
    anchorId: row.anchor_id,
    anchorHash: row.anchor_hash,
    lastId: row.last_id,
    lastHash: row.last_hash,
  }));
}

/** Walks rows of one chain from behind `afterId`, whose hash is `previous`. */
export async function verifyChainPage(
  { query }: Transaction,
  organizationId: string,
  important: boolean,
  place: { readonly afterId: number; readonly hash: Uint8Array; readonly untilId: number },
  limit: number,
): Promise<ChainPage> {
  const rows = await query
    .selectFrom('audit_events')
    .select([...EVENT_COLUMNS, 'chain_hash'])
    .where('organization_id', '=', organizationId)
    .where('important', '=', flag(important))
    .where('chain_hash', 'is not', null)
    .where('id', '>', place.afterId)
    .where('id', '<=', place.untilId)
    .orderBy('id')
    .limit(limit)
    .execute();
  let { afterId, hash } = place;
  for (const [index, row] of rows.entries()) {
    const cells = EVENT_COLUMNS.map((column) => row[column]);
    const expected = chainHash(hash, chainedCells(cells));
    if (row.chain_hash === null || !expected.equals(row.chain_hash)) {
      return { rows: index, lastId: afterId, hash, brokenId: row.id };
    }
    afterId = row.id;
    hash = expected;
  }
  return { rows: rows.length, lastId: afterId, hash, brokenId: null };
}

/** The statement that stores a row with its hash. */
export function insertLinked({ query }: Transaction): CompiledQuery {
  const shape = Object.fromEntries([...EVENT_COLUMNS, 'chain_hash'].map((column) => [column, 0]));
  return query
    .insertInto('audit_events')
    .values(shape as never)
    .compile();
}

/** What retention takes next from a chain: only from its beginning, so that the rest can be verified. */
export async function oldestLinked(
  { query }: Transaction,
  chain: Pick<AuditChainsTable, 'organization_id' | 'important'>,
  room: number,
): Promise<readonly Pick<LinkedRow, 'id' | 'secrets' | 'ts_ms' | 'chain_hash'>[]> {
  return query
    .selectFrom('audit_events')
    .select(['id', 'secrets', 'ts_ms', sql<Uint8Array>`chain_hash`.as('chain_hash')])
    .where('organization_id', '=', chain.organization_id)
    .where('important', '=', chain.important)
    .where('chain_hash', 'is not', null)
    .orderBy('id')
    .limit(room)
    .execute();
}

interface LinkedRow extends Omit<AuditEventsTable, 'chain_hash'> {
  readonly chain_hash: Uint8Array;
}
