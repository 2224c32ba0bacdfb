/** What the snapshot feed reads: everything that decides about one sandbox, in one transaction. */
import type { Selectable } from 'kysely';
import { FIXED } from '../../kernel/limits.ts';
import type { BoundSecret, PolicyStore } from '../../policy/policy-store.ts';
import { fromJson } from '../columns.ts';
import type { Transaction } from '../database.ts';
import type { BindingsTable, SecretVersionsTable } from '../tables.ts';
import { bindingOf, sandboxOf } from './sandbox-row.ts';
import { readSealedVersion, secretOf } from './secret-row.ts';

export function policyQueries({ query }: Transaction): PolicyStore {
  async function readBound(sandboxId: string, detachedMax: number | null): Promise<BoundSecret[]> {
    let select = query.selectFrom('bindings').selectAll().where('sandbox_id', '=', sandboxId);
    if (detachedMax === null) {
      select = select.where('detached_at_ms', 'is', null).orderBy('seq');
    } else {
      select = select
        .where('detached_at_ms', 'is not', null)
        .orderBy('detached_at_ms', 'desc')
        .orderBy('seq', 'desc')
        .limit(detachedMax);
    }
    const bindings = await select.execute();
    if (bindings.length === 0) return [];
    const secrets = await query
      .selectFrom('secrets')
      .selectAll()
      .where('id', 'in', [...new Set(bindings.map((row) => row.secret_id))])
      .execute();
    const versions = await query
      .selectFrom('secret_versions')
      .selectAll()
      .where(
        'id',
        'in',
        secrets.map((row) => row.active_version_id),
      )
      .execute();
    const secretById = new Map(secrets.map((row) => [row.id, row]));
    const versionById = new Map(versions.map((row) => [row.id, row]));
    const pinned = await readPinned(bindings);
    return bindings.flatMap((row) => {
      const secret = secretById.get(row.secret_id);
      if (secret === undefined) return [];
      const version =
        row.pinned_version === null
          ? versionById.get(secret.active_version_id)
          : pinned.get(versionKey(row.secret_id, row.pinned_version));
      return {
        binding: bindingOf(row),
        secret: secretOf(secret),
        secretDeletedAtMs: secret.deleted_at_ms,
        version: version === undefined ? null : (readSealedVersion(version) ?? null),
      };
    });
  }

  /** The versions that bindings stay with, whatever is active. */
  async function readPinned(
    bindings: readonly Selectable<BindingsTable>[],
  ): Promise<ReadonlyMap<string, Selectable<SecretVersionsTable>>> {
    const found = new Map<string, Selectable<SecretVersionsTable>>();
    for (const { secret_id: secretId, pinned_version: version } of bindings) {
      if (version === null) continue;
      const row = await query
        .selectFrom('secret_versions')
        .selectAll()
        .where('secret_id', '=', secretId)
        .where('version', '=', version)
        .executeTakeFirst();
      if (row !== undefined) found.set(versionKey(secretId, version), row);
    }
    return found;
  }

  return {
    async readPolicySource(sandboxId) {
      const row = await query
        .selectFrom('sandboxes')
        .selectAll()
        .where('id', '=', sandboxId)
        .executeTakeFirst();
      if (row === undefined) return undefined;
      const attached = await readBound(sandboxId, null);
      const dead = attached.filter((bound) => bound.secretDeletedAtMs !== null).length;
      const detached = await readBound(sandboxId, FIXED.tombstonesPerSandboxMax - dead);
      return { sandbox: sandboxOf(row), bound: [...attached, ...detached] };
    },

    async readTokenOwner(tokenHash, nowMs) {
      const row = await query
        .selectFrom('sandbox_tokens')
        .select(['sandbox_id', 'valid_until_ms'])
        .where('token_hash', '=', tokenHash)
        .where((where) =>
          where.or([where('valid_until_ms', 'is', null), where('valid_until_ms', '>', nowMs)]),
        )
        .executeTakeFirst();
      if (row === undefined) return undefined;
      return { sandboxId: row.sandbox_id, validUntilMs: row.valid_until_ms };
    },

    async listSourceRanges() {
      const rows = await query
        .selectFrom('sandboxes')
        .select(['id', 'source_cidrs'])
        .where('status', '=', 'active')
        .where('source_cidrs', '<>', '[]')
        .execute();
      return rows.map((row) => ({
        sandboxId: row.id,
        sourceCidrs: fromJson(row.source_cidrs) as readonly string[],
      }));
    },
  };
}

function versionKey(secretId: string, version: number): string {
  return `${secretId}:${version}`;
}
