/** `last_used_at` on the database: only ever forward, `updated_at` and the revision untouched. */
import type { UsageStore } from '../../usage/usage-store.ts';
import type { Transaction } from '../database.ts';

export function usageQueries({ query, runMany }: Transaction): UsageStore {
  return {
    async recordUsage(marks) {
      const used = marks.filter((mark) => mark.lastUsedAtMs !== null);
      const answered = marks.filter((mark) => mark.lastAnsweredAtMs !== null);
      const secretUsed = query
        .updateTable('secrets')
        .set({ last_used_at_ms: 0 })
        .where('id', '=', '')
        .where((where) =>
          where.or([where('last_used_at_ms', 'is', null), where('last_used_at_ms', '<', 0)]),
        );
      const secretAnswered = query
        .updateTable('secrets')
        .set({ last_answered_at_ms: 0 })
        .where('id', '=', '')
        .where((where) =>
          where.or([
            where('last_answered_at_ms', 'is', null),
            where('last_answered_at_ms', '<', 0),
          ]),
        );
      const versionUsed = query
        .updateTable('secret_versions')
        .set({ last_used_at_ms: 0 })
        .where('id', '=', '')
        .where((where) =>
          where.or([where('last_used_at_ms', 'is', null), where('last_used_at_ms', '<', 0)]),
        );
      // Each statement takes (time, id, time): the zeros and empty strings above only hold the places.
      await runMany(
        secretUsed.compile(),
        used.map((mark) => [mark.lastUsedAtMs, mark.secretId, mark.lastUsedAtMs]),
      );
      await runMany(
        secretAnswered.compile(),
        answered.map((mark) => [mark.lastAnsweredAtMs, mark.secretId, mark.lastAnsweredAtMs]),
      );
      await runMany(
        versionUsed.compile(),
        used.map((mark) => [mark.lastUsedAtMs, mark.versionId, mark.lastUsedAtMs]),
      );
    },
  };
}
