/** Binding secrets to sandboxes: the part of the sandbox contract with rules of its own. */
import { ControlError } from '../../kernel/errors.ts';
import { FIXED } from '../../kernel/limits.ts';
import type { BindingRow } from '../../sandboxes/sandbox-store.ts';
import type { Binding } from '../../sandboxes/sandbox.ts';
import { isUniqueViolation } from '../constraint.ts';
import type { Transaction } from '../database.ts';
import { bindingColumns, bindingOf } from './sandbox-row.ts';

/** Parameters of one `in (…)`: databases limit them. */
const IDS_PER_QUERY_MAX = 500;

/** The attached bindings of these sandboxes, in order of creation, by sandbox. */
export async function readAttached(
  { query }: Transaction,
  sandboxIds: readonly string[],
): Promise<ReadonlyMap<string, readonly BindingRow[]>> {
  const bySandbox = new Map<string, BindingRow[]>();
  for (let start = 0; start < sandboxIds.length; start += IDS_PER_QUERY_MAX) {
    const rows = await query
      .selectFrom('bindings as b')
      .innerJoin('secrets as s', 's.id', 'b.secret_id')
      .selectAll('b')
      .select(['s.name as secret_name', 's.deleted_at_ms as secret_deleted_at_ms'])
      .where('b.sandbox_id', 'in', sandboxIds.slice(start, start + IDS_PER_QUERY_MAX))
      .where('b.detached_at_ms', 'is', null)
      // The order of the index: by `seq` alone the whole table would be walked in that order.
      .orderBy('b.sandbox_id')
      .orderBy('b.seq')
      .execute();
    for (const row of rows) {
      const entry = {
        binding: bindingOf(row),
        secretName: row.secret_name,
        revoked: row.secret_deleted_at_ms !== null,
      };
      const list = bySandbox.get(row.sandbox_id);
      if (list === undefined) bySandbox.set(row.sandbox_id, [entry]);
      else list.push(entry);
    }
  }
  return bySandbox;
}

/** Inserts bindings of one sandbox, all or none (the caller's transaction). */
export async function insertBindings(
  { query }: Transaction,
  bindings: readonly Binding[],
): Promise<void> {
  const [first] = bindings;
  if (first === undefined) return;
  const attached = await query
    .selectFrom('bindings')
    .select((expression) => expression.fn.countAll<number>().as('count'))
    .where('organization_id', '=', first.organizationId)
    .where('sandbox_id', '=', first.sandboxId)
    .where('detached_at_ms', 'is', null)
    .executeTakeFirstOrThrow();
  if (attached.count + bindings.length > FIXED.bindingsPerSandboxMax) {
    throw new ControlError('bad_request', {
      message: `A sandbox can bind at most ${FIXED.bindingsPerSandboxMax} secrets.`,
    });
  }
  const secretIds = [...new Set(bindings.map((binding) => binding.secretId))];
  const living = await query
    .selectFrom('secrets')
    .select('id')
    .where('organization_id', '=', first.organizationId)
    .where('id', 'in', secretIds)
    .where('deleted_at_ms', 'is', null)
    .execute();
  if (living.length < secretIds.length) throw new ControlError('secret_not_found');
  for (const binding of bindings) {
    await requirePinned(query, binding);
    await insertOne(query, binding);
  }
}

/** Retention may have destroyed the version since it was looked up; from here on it is kept. */
async function requirePinned(query: Transaction['query'], binding: Binding): Promise<void> {
  if (binding.pinnedVersion === undefined) return;
  const found = await query
    .selectFrom('secret_versions')
    .select('id')
    .where('organization_id', '=', binding.organizationId)
    .where('secret_id', '=', binding.secretId)
    .where('version', '=', binding.pinnedVersion)
    .where('sealed', 'is not', null)
    .executeTakeFirst();
  if (found === undefined) throw new ControlError('secret_not_found');
}

async function insertOne(query: Transaction['query'], binding: Binding): Promise<void> {
  try {
    await query.insertInto('bindings').values(bindingColumns(binding)).execute();
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new ControlError('conflict', {
      message: `The variable ${binding.envKey} is bound already.`,
      cause: error,
    });
  }
}

/** Ends an attached binding and forgets the oldest detached ones beyond the tombstones kept. */
export async function detachBinding(
  { query }: Transaction,
  organizationId: string,
  sandboxId: string,
  envKey: string,
  atMs: number,
): Promise<boolean> {
  const result = await query
    .updateTable('bindings')
    .set({ detached_at_ms: atMs })
    .where('organization_id', '=', organizationId)
    .where('sandbox_id', '=', sandboxId)
    .where('env_key', '=', envKey)
    .where('detached_at_ms', 'is', null)
    .executeTakeFirst();
  if (result.numUpdatedRows === 0n) return false;
  const kept = query
    .selectFrom('bindings')
    .select('seq')
    .where('organization_id', '=', organizationId)
    .where('sandbox_id', '=', sandboxId)
    .where('detached_at_ms', 'is not', null)
    .orderBy('detached_at_ms', 'desc')
    .orderBy('seq', 'desc')
    .limit(FIXED.tombstonesPerSandboxMax);
  await query
    .deleteFrom('bindings')
    .where('organization_id', '=', organizationId)
    .where('sandbox_id', '=', sandboxId)
    .where('detached_at_ms', 'is not', null)
    .where('seq', 'not in', kept)
    .execute();
  return true;
}
