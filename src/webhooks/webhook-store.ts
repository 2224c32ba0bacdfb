/**
 * Storage contract of webhooks and of what is to be delivered: news is kept until it was delivered or given
 * up, so a restart goes on. Look-ups by (organization, id); each method one transaction.
 */
import type { Delivery, Webhook, WebhookEvent, WebhookNews } from './webhook.ts';

/** What to send where, of a webhook that is not disabled. */
export interface DueDelivery {
  readonly delivery: Delivery;
  readonly payload: string;
  readonly webhook: Pick<Webhook, 'id' | 'organizationId' | 'url' | 'signingSecret'>;
}

export interface AttemptOutcome {
  readonly seq: number;
  readonly webhookId: string;
  readonly atMs: number;
  readonly state: Delivery['state'];
  /** With `pending`. */
  readonly nextAttemptAtMs: number | null;
  readonly status: number | null;
  readonly error: string | null;
  /** Switches the webhook off. */
  readonly disableReason: string | null;
}

export interface Subscription {
  readonly organizationId: string;
  readonly events: readonly WebhookEvent[];
}

export interface WebhookStore {
  /** ControlError `conflict` beyond the maximum of the organization. */
  insertWebhook(webhook: Webhook): Promise<void>;
  readWebhook(organizationId: string, id: string): Promise<Webhook | undefined>;
  /** Oldest first. */
  listWebhooks(organizationId: string): Promise<readonly Webhook[]>;
  /** Replaces the row if `webhook.revision - 1` is stored. */
  updateWebhook(webhook: Webhook): Promise<boolean>;
  /** With its deliveries; false when it is not there. */
  deleteWebhook(organizationId: string, id: string): Promise<boolean>;
  /** Of all webhooks that are not disabled. */
  listSubscriptions(): Promise<readonly Subscription[]>;
  /** A delivery for each webhook that asked for it and has room; how many. */
  enqueueNews(news: readonly WebhookNews[]): Promise<number>;
  /** A delivery that was tried already, for a test. */
  insertSettled(webhookId: string, news: WebhookNews, outcome: AttemptOutcome): Promise<void>;
  /** Pending and due, the longest due first. */
  listDue(nowMs: number, limit: number): Promise<readonly DueDelivery[]>;
  settleAttempt(outcome: AttemptOutcome, failingMs: number): Promise<void>;
  /** Newest first, from before `beforeSeq`. */
  listDeliveries(
    webhookId: string,
    limit: number,
    beforeSeq: number | null,
  ): Promise<readonly Delivery[]>;
  /** Removes settled ones beyond `kept` of each webhook; how many. */
  pruneDeliveries(kept: number): Promise<number>;
  /** Which of these secrets were never used before; told once. */
  claimFirstUses(
    organizationId: string,
    secretIds: readonly string[],
    atMs: number,
  ): Promise<readonly string[]>;
}
