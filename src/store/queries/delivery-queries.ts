/** What is to be delivered to webhooks, and what became of it. */
import type { Selectable } from 'kysely';
import { FIXED } from '../../kernel/limits.ts';
import type { WebhookStore } from '../../webhooks/webhook-store.ts';
import type { Delivery, DeliveryState } from '../../webhooks/webhook.ts';
import { fromJson } from '../columns.ts';
import type { Transaction } from '../database.ts';
import type { WebhookDeliveriesTable } from '../tables.ts';

type DeliveryStore = Pick<
  WebhookStore,
  | 'enqueueNews'
  | 'insertSettled'
  | 'listDue'
  | 'settleAttempt'
  | 'listDeliveries'
  | 'pruneDeliveries'
  | 'claimFirstUses'
>;

export function deliveryQueries({ query }: Transaction): DeliveryStore {
  async function hasRoom(webhookId: string): Promise<boolean> {
    const { count } = await query
      .selectFrom('webhook_deliveries')
      .select((select) => select.fn.countAll<number>().as('count'))
      .where('webhook_id', '=', webhookId)
      .where('state', '=', 'pending')
      .executeTakeFirstOrThrow();
    return count < FIXED.webhookPendingMax;
  }

  return {
    async enqueueNews(news) {
      let enqueued = 0;
      for (const { id, organizationId, event, atMs, payload } of news) {
        const webhooks = await query
          .selectFrom('webhooks')
          .select(['id', 'events'])
          .where('organization_id', '=', organizationId)
          .where('disabled', '=', 0)
          .execute();
        for (const webhook of webhooks) {
          const events = fromJson(webhook.events) as readonly string[];
          if (!events.includes(event) || !(await hasRoom(webhook.id))) continue;
          await query
            .insertInto('webhook_deliveries')
            .values({
              id,
              organization_id: organizationId,
              webhook_id: webhook.id,
              event,
              payload,
              state: 'pending',
              attempts: 0,
              next_attempt_at_ms: atMs,
              last_status: null,
              last_error: null,
              created_at_ms: atMs,
              settled_at_ms: null,
            })
            .execute();
          enqueued += 1;
        }
      }
      return enqueued;
    },

    async insertSettled(webhookId, news, outcome) {
      await query
        .insertInto('webhook_deliveries')
        .values({
          id: news.id,
          organization_id: news.organizationId,
          webhook_id: webhookId,
          event: news.event,
          payload: news.payload,
          state: outcome.state,
          attempts: 1,
          next_attempt_at_ms: null,
          last_status: outcome.status,
          last_error: outcome.error,
          created_at_ms: news.atMs,
          settled_at_ms: outcome.atMs,
        })
        .execute();
    },

    async listDue(nowMs, limit) {
      const rows = await query
        .selectFrom('webhook_deliveries as d')
        .innerJoin('webhooks as w', 'w.id', 'd.webhook_id')
        .selectAll('d')
        .select(['w.url', 'w.signing_secret'])
        .where('d.next_attempt_at_ms', '<=', nowMs)
        .where('d.next_attempt_at_ms', 'is not', null)
        .where('w.disabled', '=', 0)
        .orderBy('d.next_attempt_at_ms')
        .limit(limit)
        .execute();
      return rows.map((row) => ({
        delivery: deliveryOf(row),
        payload: row.payload,
        webhook: {
          id: row.webhook_id,
          organizationId: row.organization_id,
          url: row.url,
          signingSecret: row.signing_secret,
        },
      }));
    },

    async settleAttempt(outcome, failingMs) {
      const { atMs, webhookId, state } = outcome;
      const result = await query
        .updateTable('webhook_deliveries')
        .set((set) => ({
          state,
          attempts: set('attempts', '+', 1),
          next_attempt_at_ms: outcome.nextAttemptAtMs,
          last_status: outcome.status,
          last_error: outcome.error,
          settled_at_ms: state === 'pending' ? null : atMs,
        }))
        .where('seq', '=', outcome.seq)
        .where('state', '=', 'pending')
        .executeTakeFirst();
      // Deleted meanwhile, with its webhook.
      if (result.numUpdatedRows === 0n) return;
      const webhook = await query
        .selectFrom('webhooks')
        .select(['failing_since_ms', 'disabled'])
        .where('id', '=', webhookId)
        .executeTakeFirst();
      if (webhook === undefined || webhook.disabled === 1) return;
      if (state === 'delivered') {
        if (webhook.failing_since_ms === null) return;
        const revived = query.updateTable('webhooks').set({ failing_since_ms: null });
        await revived.where('id', '=', webhookId).execute();
        return;
      }
      const sinceMs = webhook.failing_since_ms ?? atMs;
      const isTooLong = atMs - sinceMs >= failingMs;
      const reason = outcome.disableReason ?? (isTooLong ? TOO_LONG : null);
      await query
        .updateTable('webhooks')
        .set((set) => ({
          failing_since_ms: sinceMs,
          ...(reason === null
            ? {}
            : { disabled: 1, disabled_reason: reason, revision: set('revision', '+', 1) }),
        }))
        .where('id', '=', webhookId)
        .execute();
    },

    async listDeliveries(webhookId, limit, beforeSeq) {
      let select = query
        .selectFrom('webhook_deliveries')
        .selectAll()
        .where('webhook_id', '=', webhookId)
        .orderBy('seq', 'desc')
        .limit(limit);
      if (beforeSeq !== null) select = select.where('seq', '<', beforeSeq);
      return (await select.execute()).map(deliveryOf);
    },

    async pruneDeliveries(kept) {
      let pruned = 0n;
      for (const { id } of await query.selectFrom('webhooks').select('id').execute()) {
        const settled = query
          .selectFrom('webhook_deliveries')
          .select('seq')
          .where('webhook_id', '=', id)
          .where('state', '<>', 'pending')
          .orderBy('seq', 'desc');
        const oldest = await settled.offset(kept).limit(1).executeTakeFirst();
        if (oldest === undefined) continue;
        const result = await query
          .deleteFrom('webhook_deliveries')
          .where('webhook_id', '=', id)
          .where('seq', '<=', oldest.seq)
          .where('state', '<>', 'pending')
          .executeTakeFirst();
        pruned += result.numDeletedRows;
      }
      return Number(pruned);
    },

    async claimFirstUses(organizationId, secretIds, atMs) {
      if (secretIds.length === 0) return [];
      const rows = await query
        .updateTable('secrets')
        .set({ first_used_at_ms: atMs })
        .where('organization_id', '=', organizationId)
        .where('id', 'in', secretIds)
        .where('first_used_at_ms', 'is', null)
        .returning('id')
        .execute();
      return rows.map((row) => row.id);
    },
  };
}

const TOO_LONG = 'It failed for days without one success.';

function deliveryOf(row: Selectable<WebhookDeliveriesTable>): Delivery {
  return {
    seq: row.seq,
    id: row.id,
    webhookId: row.webhook_id,
    event: row.event,
    state: row.state as DeliveryState,
    attempts: row.attempts,
    nextAttemptAtMs: row.next_attempt_at_ms,
    lastStatus: row.last_status,
    lastError: row.last_error,
    createdAtMs: row.created_at_ms,
    settledAtMs: row.settled_at_ms,
  };
}
