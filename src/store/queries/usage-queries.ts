/**
 * Use on the database: times only ever forward, requests counted since the secret's last rotation, refused
 * credentials since the last accepted one. `updated_at` and the revision stay untouched; a repeated batch
 * counts once.
 */
import { sql } from 'kysely';
import { assert } from '../../kernel/assert.ts';
import { FIXED } from '../../kernel/limits.ts';
import type { UsageBatch, UsageMark, UsageStore } from '../../usage/usage-store.ts';
import type { Transaction } from '../database.ts';

/** A writer that was not heard of for so long has ended. */
const WRITER_LIFE_MS = 30 * 24 * 60 * 60 * 1_000;

export function usageQueries(transaction: Transaction): UsageStore {
  return {
    async recordUsage(marks, batch) {
      assert(marks.length <= FIXED.storeBatchRowsMax, 'a usage batch is bounded');
      if (batch !== undefined && !(await claimBatch(transaction, batch))) return;
      await markSecrets(transaction, marks);
      await markVersions(transaction, marks);
    },
  };
}

/** False: this batch is stored already. */
async function claimBatch({ query }: Transaction, batch: UsageBatch): Promise<boolean> {
  const { writer, sequence, atMs } = batch;
  if (sequence === 1) {
    const ended = atMs - WRITER_LIFE_MS;
    await query.deleteFrom('usage_writers').where('seen_at_ms', '<', ended).execute();
  }
  const result = await query
    .insertInto('usage_writers')
    .values({ writer, sequence, seen_at_ms: atMs })
    .onConflict((conflict) =>
      conflict
        .column('writer')
        .doUpdateSet({ sequence, seen_at_ms: atMs })
        .where('usage_writers.sequence', '<', sequence),
    )
    .returning('sequence')
    .executeTakeFirst();
  return result !== undefined;
}

async function markSecrets(
  { query, runMany }: Transaction,
  marks: readonly UsageMark[],
): Promise<void> {
  const statement = sql`update secrets set
    last_used_at_ms = case when coalesce(last_used_at_ms, 0) < ${0} then ${0} else last_used_at_ms end,
    last_answered_at_ms =
      case when coalesce(last_answered_at_ms, 0) < ${0} then ${0} else last_answered_at_ms end
    where id = ${''}`.compile(query);
  // The values above only hold the places.
  const timed = marks.filter(
    (mark) => mark.lastUsedAtMs !== null || mark.lastAnsweredAtMs !== null,
  );
  await runMany(
    statement,
    timed.map((mark) => {
      const [usedAtMs, answeredAtMs] = [mark.lastUsedAtMs ?? 0, mark.lastAnsweredAtMs ?? 0];
      return [usedAtMs, usedAtMs, answeredAtMs, answeredAtMs, mark.secretId];
    }),
  );
}

async function markVersions(
  { query, runMany }: Transaction,
  marks: readonly UsageMark[],
): Promise<void> {
  const statement = sql`update secret_versions set
    last_used_at_ms = case when coalesce(last_used_at_ms, 0) < ${0} then ${0} else last_used_at_ms end,
    requests = case when rotation = ${0} then requests + ${0}
      when rotation < ${0} then ${0} else requests end,
    rotation = case when rotation < ${0} then ${0} else rotation end,
    auth_failures = ${0} + case when ${0} = 1 then 0 else auth_failures end,
    auth_failure_kind =
      case when coalesce(last_auth_failure_at_ms, 0) <= ${0} and ${0} > 0 then ${''}
        else auth_failure_kind end,
    last_auth_failure_at_ms =
      case when coalesce(last_auth_failure_at_ms, 0) < ${0} then ${0}
        else last_auth_failure_at_ms end
    where id = ${''}`.compile(query);
  await runMany(statement, marks.map(versionParameters));
}

/** In the order of the places in the statement. */
function versionParameters(mark: UsageMark): unknown[] {
  const { rotation, requests } = mark;
  const usedAtMs = mark.lastUsedAtMs ?? 0;
  const failedAtMs = mark.lastAuthFailureAtMs ?? 0;
  return [
    usedAtMs,
    usedAtMs,
    rotation,
    requests,
    rotation,
    requests,
    rotation,
    rotation,
    mark.authFailures,
    mark.wasAccepted ? 1 : 0,
    failedAtMs,
    failedAtMs,
    mark.authFailureKind,
    failedAtMs,
    failedAtMs,
    mark.versionId,
  ];
}
