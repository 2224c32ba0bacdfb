/**
 * Webhooks as admins change them: where to, for which events. The signing secret is shown once. An admin key
 * that was narrowed to some things is not told of all, so it may not. A change is in force when its promise
 * resolves.
 */
import type { DeedRecorder } from '../activity/activity-journal.ts';
import type { ActivityAction } from '../activity/activity.ts';
import { hideUrlPath, hideUrlPaths, showChange, showWebhook } from '../activity/shown-fields.ts';
import type { Clock } from '../kernel/clock.ts';
import { ControlError } from '../kernel/errors.ts';
import { fieldError } from '../kernel/field-error.ts';
import { mintId } from '../kernel/ids.ts';
import type { Actor } from '../organizations/actor.ts';
import { checkRole } from '../organizations/roles.ts';
import type { NewsDesk } from './news-desk.ts';
import { isDelivered, type WebhookAnswer, type WebhookSender } from './webhook-sender.ts';
import type { WebhookStore } from './webhook-store.ts';
import type { Delivery, Webhook, WebhookEvent } from './webhook.ts';

export interface WebhookServiceDeps {
  readonly store: WebhookStore;
  readonly desk: Pick<NewsDesk, 'reload'>;
  readonly sender: Pick<WebhookSender, 'attempt'>;
  /** A new signing secret, in clear and sealed for this webhook. */
  readonly mintSecret: (webhookId: string) => { text: string; sealed: Uint8Array };
  readonly activity: DeedRecorder;
  readonly clock: Clock;
  /** `webhooks.allow_http`. */
  readonly allowHttp: boolean;
}

export interface WebhookInput {
  readonly url: string;
  readonly events: readonly WebhookEvent[];
  readonly description?: string | undefined;
}

export interface WebhookChange {
  readonly url?: string | undefined;
  readonly events?: readonly WebhookEvent[] | undefined;
  readonly description?: string | null | undefined;
  readonly isDisabled?: boolean | undefined;
}

export interface TestedWebhook extends WebhookAnswer {
  readonly isDelivered: boolean;
  readonly latencyMs: number;
}

const ATTEMPTS_MAX = 20;
const URL_CHARS_MAX = 2_048;

export class WebhookService {
  readonly #deps: WebhookServiceDeps;

  constructor(deps: WebhookServiceDeps) {
    this.#deps = deps;
  }

  /** With its signing secret, this once. ControlError `bad_request`, `conflict` (too many). */
  async create(actor: Actor, input: WebhookInput): Promise<{ webhook: Webhook; secret: string }> {
    checkWhole(actor);
    const nowMs = this.#deps.clock.nowMs();
    const id = mintId();
    const { text, sealed } = this.#deps.mintSecret(id);
    const webhook: Webhook = {
      id,
      organizationId: actor.organizationId,
      url: this.#checkUrl(input.url),
      description: input.description ?? null,
      events: checkEvents(input.events),
      signingSecret: sealed,
      isDisabled: false,
      disabledReason: null,
      failingSinceMs: null,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      createdBy: actor.subject,
      revision: 1,
    };
    await this.#deps.store.insertWebhook(webhook);
    await this.#done(actor, 'webhook.create', null, webhook);
    return { webhook, secret: text };
  }

  async list(actor: Actor): Promise<readonly Webhook[]> {
    checkWhole(actor);
    return this.#deps.store.listWebhooks(actor.organizationId);
  }

  /** ControlError `not_found`. */
  async read(actor: Actor, id: string): Promise<Webhook> {
    checkWhole(actor);
    const webhook = await this.#deps.store.readWebhook(actor.organizationId, id);
    if (webhook !== undefined) return webhook;
    throw new ControlError('not_found', { message: 'There is no webhook with that id.' });
  }

  /** Switched on again it begins without failures. */
  async update(actor: Actor, id: string, change: WebhookChange): Promise<Webhook> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const before = await this.read(actor, id);
      const { description, isDisabled = before.isDisabled } = change;
      const isRevived = before.isDisabled && !isDisabled;
      const webhook: Webhook = {
        ...before,
        url: change.url === undefined ? before.url : this.#checkUrl(change.url),
        events: change.events === undefined ? before.events : checkEvents(change.events),
        description: description === undefined ? before.description : description,
        isDisabled,
        disabledReason: isDisabled ? before.disabledReason : null,
        failingSinceMs: isRevived ? null : before.failingSinceMs,
        updatedAtMs: this.#deps.clock.nowMs(),
        revision: before.revision + 1,
      };
      if (!(await this.#deps.store.updateWebhook(webhook))) continue;
      await this.#done(actor, 'webhook.update', before, webhook);
      return webhook;
    }
    throw new ControlError('conflict', { message: 'Others keep changing this webhook.' });
  }

  /** What it was not told yet it is never told. */
  async delete(actor: Actor, id: string): Promise<void> {
    const webhook = await this.read(actor, id);
    const isDeleted = await this.#deps.store.deleteWebhook(actor.organizationId, id);
    if (!isDeleted) throw new ControlError('not_found');
    await this.#done(actor, 'webhook.delete', webhook, null);
  }

  /** Newest first. */
  async listDeliveries(
    actor: Actor,
    id: string,
    limit: number,
    beforeSeq: number | null,
  ): Promise<readonly Delivery[]> {
    await this.read(actor, id);
    return this.#deps.store.listDeliveries(id, limit, beforeSeq);
  }

  /** One message of type `webhook.test`, sent now and never again; also to a disabled one. */
  async test(actor: Actor, id: string): Promise<TestedWebhook> {
    const webhook = await this.read(actor, id);
    const { clock, sender, store } = this.#deps;
    const messageId = `msg_${mintId()}`;
    const atMs = clock.nowMs();
    const timestamp = new Date(atMs).toISOString();
    const payload = JSON.stringify({
      type: 'webhook.test',
      timestamp,
      data: { webhook_id: webhook.id },
    });
    const beganMs = clock.monotonicMs();
    const answer = await sender.attempt({ webhook, payload }, messageId);
    const latencyMs = Math.round(clock.monotonicMs() - beganMs);
    const { organizationId } = webhook;
    const news = { id: messageId, organizationId, event: 'webhook.test', atMs, payload } as const;
    await store.insertSettled(webhook.id, news, {
      seq: 0,
      webhookId: webhook.id,
      atMs: clock.nowMs(),
      state: isDelivered(answer) ? 'delivered' : 'failed',
      nextAttemptAtMs: null,
      ...answer,
      disableReason: null,
    });
    return { ...answer, isDelivered: isDelivered(answer), latencyMs };
  }

  #checkUrl(text: string): string {
    const url = URL.parse(text.trim());
    const isAllowed =
      url?.protocol === 'https:' || (url?.protocol === 'http:' && this.#deps.allowHttp);
    if (url === null || !isAllowed || url.href.length > URL_CHARS_MAX) {
      const schemes = this.#deps.allowHttp ? 'https or http' : 'https';
      throw fieldError('url', `must be an ${schemes} URL of at most ${URL_CHARS_MAX} characters`);
    }
    if (url.username !== '' || url.password !== '' || url.hash !== '') {
      throw fieldError('url', 'must have no user, password or fragment');
    }
    return url.href;
  }

  async #done(
    actor: Actor,
    action: ActivityAction,
    before: Webhook | null,
    after: Webhook | null,
  ): Promise<void> {
    const target = after ?? before;
    const shown =
      before !== null && after !== null
        ? showChange(showWebhook(before), showWebhook(after))
        : { before: before && showWebhook(before), after: after && showWebhook(after) };
    await Promise.all([
      this.#deps.desk.reload(),
      this.#deps.activity.recordDone(actor, {
        action,
        targetId: target?.id ?? '',
        targetName: hideUrlPath(target?.url ?? ''),
        before: shown.before && hideUrlPaths(shown.before),
        after: shown.after && hideUrlPaths(shown.after),
      }),
    ]);
  }
}

function checkWhole(actor: Actor): void {
  checkRole(actor, 'administer');
  if (actor.secretIds === null && actor.workspaceIds === null) return;
  throw new ControlError('forbidden', {
    message: 'This API key is narrowed; webhooks are told of the whole organization.',
  });
}

function checkEvents(events: readonly WebhookEvent[]): readonly WebhookEvent[] {
  if (events.length === 0) throw fieldError('events', 'must name at least one');
  return [...new Set(events)];
}
