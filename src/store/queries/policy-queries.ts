/** What the snapshot feed reads: everything that decides about one sandbox, in one transaction. */
import type { Selectable } from 'kysely';
import { FIXED } from '../../kernel/limits.ts';
import type { BoundSecret, PolicyStore } from '../../policy/policy-store.ts';
import { fromJson } from '../columns.ts';
import type { Binding } from '../../sandboxes/sandbox.ts';
import type { SealedVersion } from '../../secrets/secret.ts';
import type { Transaction } from '../database.ts';
import type { SecretVersionsTable, SecretsTable } from '../tables.ts';
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
    const bindings = (await select.execute()).map(bindingOf);
    if (bindings.length === 0) return [];
    const secrets = await query
      .selectFrom('secrets')
      .selectAll()
      .where('id', 'in', [...new Set(bindings.map(({ secretId }) => secretId))])
      .execute();
    return withVersions(bindings, secrets);
  }

  async function withVersions(
    bindings: readonly Binding[],
    secrets: readonly Selectable<SecretsTable>[],
  ): Promise<BoundSecret[]> {
    if (secrets.length === 0) return [];
    const versions = await query
      .selectFrom('secret_versions')
      .selectAll()
      .where(
        'id',
        'in',
        secrets.flatMap(({ active_version_id: active, overlap_version_id: overlap }) =>
          overlap === null ? [active] : [active, overlap],
        ),
      )
      .execute();
    const secretById = new Map(secrets.map((row) => [row.id, row]));
    const versionById = new Map(versions.map((row) => [row.id, row]));
    const pinned = await readPinned(bindings);
    return bindings.flatMap((binding) => {
      const { secretId, pinnedVersion } = binding;
      const secret = secretById.get(secretId);
      if (secret === undefined) return [];
      const version =
        pinnedVersion === undefined
          ? versionById.get(secret.active_version_id)
          : pinned.get(versionKey(secretId, pinnedVersion));
      return {
        binding,
        secret: secretOf(secret),
        secretDeletedAtMs: secret.deleted_at_ms,
        version: version === undefined ? null : (readSealedVersion(version) ?? null),
        overlapVersion: pinnedVersion === undefined ? readOverlap(secret, versionById) : null,
      };
    });
  }

  function placedSecrets(organizationId: string) {
    return query
      .selectFrom('secrets')
      .selectAll()
      .where('organization_id', '=', organizationId)
      .where('deleted_at_ms', 'is', null)
      .where('auth', 'is not', null);
  }

  /** The versions that bindings stay with, whatever is active. */
  async function readPinned(
    bindings: readonly Binding[],
  ): Promise<ReadonlyMap<string, Selectable<SecretVersionsTable>>> {
    const found = new Map<string, Selectable<SecretVersionsTable>>();
    for (const { secretId, pinnedVersion: version } of bindings) {
      if (version === undefined) continue;
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

    async listPlacedSecrets(organizationId, afterId, limit) {
      const secrets = await placedSecrets(organizationId)
        .where('id', '>', afterId)
        .orderBy('id')
        .limit(limit)
        .execute();
      return withVersions(secrets.map(standInBinding), secrets);
    },

    async readPlacedSecrets(organizationId, secretIds) {
      if (secretIds.length === 0) return [];
      const secrets = await placedSecrets(organizationId).where('id', 'in', secretIds).execute();
      return withVersions(secrets.map(standInBinding), secrets);
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

/** For a sandbox that may use every secret: no variable, no placeholder. */
function standInBinding(secret: Selectable<SecretsTable>): Binding {
  return {
    id: `all:${secret.id}`,
    organizationId: secret.organization_id,
    sandboxId: '',
    secretId: secret.id,
    envKey: '',
    inject: 'auto',
    placeholder: '',
    createdAtMs: secret.created_at_ms,
    detachedAtMs: null,
  };
}

function readOverlap(
  secret: Selectable<SecretsTable>,
  versionById: ReadonlyMap<string, Selectable<SecretVersionsTable>>,
): SealedVersion | null {
  const row = versionById.get(secret.overlap_version_id ?? '');
  return row === undefined ? null : (readSealedVersion(row) ?? null);
}

function versionKey(secretId: string, version: number): string {
  return `${secretId}:${version}`;
}
