/** Webhooks on the database. What is to be delivered to them is in `delivery-queries.ts`. */
import type { Insertable, Selectable } from 'kysely';
import { ControlError } from '../../kernel/errors.ts';
import { FIXED } from '../../kernel/limits.ts';
import type { WebhookStore } from '../../webhooks/webhook-store.ts';
import type { Webhook, WebhookEvent } from '../../webhooks/webhook.ts';
import { flag, fromJson, json } from '../columns.ts';
import type { Transaction } from '../database.ts';
import type { WebhooksTable } from '../tables.ts';
import { deliveryQueries } from './delivery-queries.ts';

export function webhookQueries(transaction: Transaction): WebhookStore {
  const { query } = transaction;
  return {
    ...deliveryQueries(transaction),

    async insertWebhook(webhook) {
      const { count } = await query
        .selectFrom('webhooks')
        .select((select) => select.fn.countAll<number>().as('count'))
        .where('organization_id', '=', webhook.organizationId)
        .executeTakeFirstOrThrow();
      if (count >= FIXED.webhooksPerOrganizationMax) {
        throw new ControlError('conflict', {
          message: `An organization has at most ${FIXED.webhooksPerOrganizationMax} webhooks.`,
        });
      }
      await query.insertInto('webhooks').values(webhookColumns(webhook)).execute();
    },

    async readWebhook(organizationId, id) {
      const row = await query
        .selectFrom('webhooks')
        .selectAll()
        .where('organization_id', '=', organizationId)
        .where('id', '=', id)
        .executeTakeFirst();
      return row && webhookOf(row);
    },

    async listWebhooks(organizationId) {
      const rows = await query
        .selectFrom('webhooks')
        .selectAll()
        .where('organization_id', '=', organizationId)
        .orderBy('seq')
        .execute();
      return rows.map(webhookOf);
    },

    async updateWebhook(webhook) {
      // Sealed anew, its signing secret is not this change's to put back.
      const { signing_secret: _kept, ...columns } = webhookColumns(webhook);
      const result = await query
        .updateTable('webhooks')
        .set(columns)
        .where('organization_id', '=', webhook.organizationId)
        .where('id', '=', webhook.id)
        .where('revision', '=', webhook.revision - 1)
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },

    async deleteWebhook(organizationId, id) {
      const result = await query
        .deleteFrom('webhooks')
        .where('organization_id', '=', organizationId)
        .where('id', '=', id)
        .executeTakeFirst();
      return result.numDeletedRows > 0n;
    },

    async listSubscriptions() {
      const rows = await query
        .selectFrom('webhooks')
        .select(['organization_id', 'events'])
        .where('disabled', '=', 0)
        .execute();
      return rows.map((row) => ({
        organizationId: row.organization_id,
        events: fromJson(row.events) as readonly WebhookEvent[],
      }));
    },
  };
}

function webhookColumns(webhook: Webhook): Insertable<WebhooksTable> & {
  readonly signing_secret: Uint8Array;
} {
  return {
    id: webhook.id,
    organization_id: webhook.organizationId,
    url: webhook.url,
    description: webhook.description,
    events: json(webhook.events),
    signing_secret: webhook.signingSecret,
    disabled: flag(webhook.isDisabled),
    disabled_reason: webhook.disabledReason,
    failing_since_ms: webhook.failingSinceMs,
    created_at_ms: webhook.createdAtMs,
    updated_at_ms: webhook.updatedAtMs,
    created_by: webhook.createdBy,
    revision: webhook.revision,
  };
}

function webhookOf(row: Selectable<WebhooksTable>): Webhook {
  return {
    id: row.id,
    organizationId: row.organization_id,
    url: row.url,
    description: row.description,
    events: fromJson(row.events) as readonly WebhookEvent[],
    signingSecret: row.signing_secret,
    isDisabled: row.disabled === 1,
    disabledReason: row.disabled_reason,
    failingSinceMs: row.failing_since_ms,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    createdBy: row.created_by,
    revision: row.revision,
  };
}
