/** Secrets and their versions on the database. */
import { ControlError } from '../../kernel/errors.ts';
import type { SecretStore } from '../../secrets/secret-store.ts';
import type { SealedVersion, Secret } from '../../secrets/secret.ts';
import { isUniqueViolation } from '../constraint.ts';
import type { Transaction } from '../database.ts';
import { listSecrets } from './secret-list.ts';
import { readSealedVersion, secretColumns, versionColumns } from './secret-row.ts';
import { destroyOldVersions, listVersions, withHealth } from './version-queries.ts';

export function secretQueries(transaction: Transaction): SecretStore {
  const { query } = transaction;

  async function writeHosts(secret: Secret): Promise<void> {
    await query.deleteFrom('secret_hosts').where('secret_id', '=', secret.id).execute();
    const hosts = [...new Set(secret.hosts)];
    if (hosts.length === 0) return;
    await query
      .insertInto('secret_hosts')
      .values(
        hosts.map((host) => ({
          organization_id: secret.organizationId,
          secret_id: secret.id,
          host,
        })),
      )
      .execute();
  }

  async function insertVersion(version: SealedVersion): Promise<void> {
    await query.insertInto('secret_versions').values(versionColumns(version)).execute();
  }

  function living(organizationId: string) {
    return query
      .selectFrom('secrets')
      .selectAll()
      .where('organization_id', '=', organizationId)
      .where('deleted_at_ms', 'is', null);
  }

  return {
    async insertSecret(secret, version) {
      await refuseTakenName(secret.name, () =>
        query.insertInto('secrets').values(secretColumns(secret)).execute(),
      );
      await insertVersion(version);
      await writeHosts(secret);
    },

    async readSecret(organizationId, name) {
      const rows = await living(organizationId).where('name', '=', name).execute();
      return (await withHealth(transaction, rows))[0];
    },

    async readSecretById(organizationId, id) {
      const rows = await living(organizationId).where('id', '=', id).execute();
      return (await withHealth(transaction, rows))[0];
    },

    listSecrets: (organizationId, filter) => listSecrets(transaction, organizationId, filter),

    async updateSecret(secret, version) {
      let update = query
        .updateTable('secrets')
        .set(secretColumns(secret))
        .where('organization_id', '=', secret.organizationId)
        .where('id', '=', secret.id)
        .where('revision', '=', secret.revision - 1)
        .where('deleted_at_ms', 'is', null);
      if (version === null) {
        update = update.where((column) =>
          column.exists(
            column
              .selectFrom('secret_versions')
              .select('id')
              .where('id', '=', secret.activeVersionId)
              .where('sealed', 'is not', null),
          ),
        );
      }
      const result = await refuseTakenName(secret.name, () => update.executeTakeFirst());
      if (result.numUpdatedRows === 0n) return false;
      if (version !== null) await insertVersion(version);
      await writeHosts(secret);
      return true;
    },

    async deleteSecret(organizationId, id, atMs) {
      const result = await query
        .updateTable('secrets')
        .set({ deleted_at_ms: atMs, updated_at_ms: atMs })
        .where('organization_id', '=', organizationId)
        .where('id', '=', id)
        .where('deleted_at_ms', 'is', null)
        .executeTakeFirst();
      if (result.numUpdatedRows === 0n) return false;
      await query
        .updateTable('secret_versions')
        .set({ sealed: null })
        .where('organization_id', '=', organizationId)
        .where('secret_id', '=', id)
        .execute();
      await query.deleteFrom('secret_hosts').where('secret_id', '=', id).execute();
      return true;
    },

    listVersions: (organizationId, secretId) => listVersions(transaction, organizationId, secretId),

    destroyOldVersions: (organizationId, secretId, kept) =>
      destroyOldVersions(transaction, organizationId, secretId, kept),

    async readVersion(organizationId, secretId, version) {
      const row = await query
        .selectFrom('secret_versions')
        .selectAll()
        .where('organization_id', '=', organizationId)
        .where('secret_id', '=', secretId)
        .where('version', '=', version)
        .executeTakeFirst();
      return row === undefined ? undefined : readSealedVersion(row);
    },

    async listBindingsOfSecret(organizationId, secretId) {
      const rows = await query
        .selectFrom('bindings as b')
        .innerJoin('sandboxes as s', 's.id', 'b.sandbox_id')
        .select(['b.sandbox_id', 's.name', 'b.env_key', 's.status'])
        .where('b.organization_id', '=', organizationId)
        .where('b.secret_id', '=', secretId)
        .where('b.detached_at_ms', 'is', null)
        .orderBy('b.seq')
        .execute();
      return rows.map((row) => ({
        sandboxId: row.sandbox_id,
        sandboxName: row.name,
        envKey: row.env_key,
        sandboxStatus: row.status === 'paused' ? 'paused' : 'active',
      }));
    },

    async listSandboxIdsOfSecret(organizationId, secretId) {
      const rows = await query
        .selectFrom('bindings')
        .select('sandbox_id')
        .where('organization_id', '=', organizationId)
        .where('secret_id', '=', secretId)
        .union(
          query
            .selectFrom('sandboxes')
            .select('id as sandbox_id')
            .where('organization_id', '=', organizationId)
            .where('secrets_mode', '=', 'all'),
        )
        .execute();
      return rows.map((row) => row.sandbox_id);
    },
  };
}

async function refuseTakenName<T>(name: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new ControlError('conflict', {
      message: `A secret named ${name} exists already.`,
      cause: error,
    });
  }
}
