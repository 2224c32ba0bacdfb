/** Every envelope on the database, found by the id of its master key (byte 2 to 9, `vault/envelope.ts`). */
import { sql } from 'kysely';
import type { EnvelopeStore, SealedPlace } from '../../vault/envelope-store.ts';
import type { Transaction } from '../database.ts';

const KEY_AT = 2;
const KEY_BYTES = 8;
/** Shorter than any envelope: an item of the instance that is not sealed. */
const ENVELOPE_BYTES_MIN = 97;

export function envelopeQueries({ query }: Transaction): EnvelopeStore {
  const keyOfVersion = sql<Uint8Array>`substr(sealed, ${sql.lit(KEY_AT)}, ${sql.lit(KEY_BYTES)})`;
  const keyOfItem = sql<Uint8Array>`substr(content, ${sql.lit(KEY_AT)}, ${sql.lit(KEY_BYTES)})`;
  const keyOfWebhook = sql<Uint8Array>`substr(signing_secret, ${sql.lit(KEY_AT)}, ${sql.lit(KEY_BYTES)})`;
  const isEnvelope = sql<boolean>`length(content) >= ${sql.lit(ENVELOPE_BYTES_MIN)}`;

  function versions() {
    return query.selectFrom('secret_versions').where('sealed', 'is not', null);
  }

  function items() {
    return query.selectFrom('instance_items').where(isEnvelope);
  }

  function replace({ kind, id, sealed: before }: SealedPlace, sealed: Uint8Array) {
    if (kind === 'item') {
      return query
        .updateTable('instance_items')
        .set({ content: sealed })
        .where('name', '=', id)
        .where('content', '=', before)
        .executeTakeFirst();
    }
    if (kind === 'webhook') {
      return query
        .updateTable('webhooks')
        .set({ signing_secret: sealed })
        .where('id', '=', id)
        .where('signing_secret', '=', before)
        .executeTakeFirst();
    }
    return query
      .updateTable('secret_versions')
      .set({ sealed })
      .where('id', '=', id)
      .where('sealed', '=', before)
      .executeTakeFirst();
  }

  return {
    async countEnvelopes() {
      const count = sql<number>`count(*)`;
      const found = [
        ...(await versions()
          .select([keyOfVersion.as('key'), count.as('count')])
          .groupBy(keyOfVersion)
          .execute()),
        ...(await query
          .selectFrom('webhooks')
          .select([keyOfWebhook.as('key'), count.as('count')])
          .groupBy(keyOfWebhook)
          .execute()),
        ...(await items()
          .select([keyOfItem.as('key'), count.as('count')])
          .groupBy(keyOfItem)
          .execute()),
      ];
      const counts = new Map<string, number>();
      for (const row of found) {
        const keyId = Buffer.from(row.key).toString('hex');
        counts.set(keyId, (counts.get(keyId) ?? 0) + row.count);
      }
      return [...counts].map(([keyId, total]) => ({ keyId, count: total }));
    },

    async listEnvelopes(kind, keyId, afterId, limit) {
      const key = Buffer.from(keyId, 'hex');
      if (kind === 'item') {
        const rows = await items()
          .selectAll()
          .where(keyOfItem, '<>', key)
          .where('name', '>', afterId)
          .orderBy('name')
          .limit(limit)
          .execute();
        return rows.map(({ name, content }) => ({
          kind,
          id: name,
          organizationId: '',
          secretId: '',
          sealed: content,
        }));
      }
      if (kind === 'webhook') {
        const rows = await query
          .selectFrom('webhooks')
          .select(['id', 'signing_secret'])
          .where(keyOfWebhook, '<>', key)
          .where('id', '>', afterId)
          .orderBy('id')
          .limit(limit)
          .execute();
        return rows.map(({ id, signing_secret: sealed }) => ({
          kind,
          id,
          organizationId: '',
          secretId: '',
          sealed,
        }));
      }
      const rows = await versions()
        .select(['id', 'organization_id', 'secret_id', 'sealed'])
        .where(keyOfVersion, '<>', key)
        .where('id', '>', afterId)
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.flatMap((row): SealedPlace[] => {
        if (row.sealed === null) return [];
        const { id, organization_id: organizationId, secret_id: secretId, sealed } = row;
        return [{ kind, id, organizationId, secretId, sealed }];
      });
    },

    async replaceEnvelopes(changes) {
      let replaced = 0n;
      for (const { place, sealed } of changes) {
        const result = await replace(place, sealed);
        replaced += result.numUpdatedRows;
      }
      return Number(replaced);
    },
  };
}
