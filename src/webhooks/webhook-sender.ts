/**
 * Delivers what is due: a look every second, a few at once, each attempt recorded before the next. What is
 * under way when the process dies is tried again by the next one: at least once, with the same id. Signed as
 * Standard Webhooks 1.0 describes. Follows no redirect and goes only where sandboxes may go.
 */
import type { Clock } from '../kernel/clock.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Logger } from '../kernel/logger.ts';
import { nextAttemptMs } from './retry-plan.ts';
import type { AttemptOutcome, DueDelivery, WebhookStore } from './webhook-store.ts';
import type { Webhook } from './webhook.ts';

export interface WebhookPost {
  readonly organizationId: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
}

/** `status: null`: no answer, `error` says why. Never rejects. */
export interface WebhookAnswer {
  readonly status: number | null;
  readonly error: string | null;
}

export interface WebhookSigner {
  /** The content of `webhook-signature`. Throws when the signing secret does not open. */
  sign(
    webhook: Pick<Webhook, 'id' | 'signingSecret'>,
    message: { readonly id: string; readonly timestampS: number; readonly body: string },
  ): string;
}

export interface WebhookSenderDeps {
  readonly store: Pick<WebhookStore, 'listDue' | 'settleAttempt' | 'pruneDeliveries'>;
  readonly signer: WebhookSigner;
  readonly post: (request: WebhookPost) => Promise<WebhookAnswer>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default one second. */
  readonly intervalMs?: number;
}

const PRUNE_EVERY_MS = 60_000;

export class WebhookSender {
  readonly #deps: WebhookSenderDeps;
  readonly #underWay = new Map<number, Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | null = null;
  #prunedMs = 0;
  #isClosed = false;

  constructor(deps: WebhookSenderDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#timer = setInterval(() => this.wake(), this.#deps.intervalMs ?? 1_000);
    this.#timer.unref();
  }

  /** Something may be due. */
  wake(): void {
    if (this.#isClosed) return;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
  }

  /** One attempt now, whatever is due: what a test of a webhook sends. */
  async attempt(due: Pick<DueDelivery, 'webhook' | 'payload'>, id: string): Promise<WebhookAnswer> {
    const { clock, signer, post } = this.#deps;
    const { webhook, payload: body } = due;
    const timestampS = Math.floor(clock.nowMs() / 1_000);
    try {
      const signature = signer.sign(webhook, { id, timestampS, body });
      return await post({
        organizationId: webhook.organizationId,
        url: webhook.url,
        headers: {
          'content-type': 'application/json',
          'user-agent': 'sallyport-webhook',
          'webhook-id': id,
          'webhook-timestamp': String(timestampS),
          'webhook-signature': signature,
        },
        body,
        timeoutMs: FIXED.webhookTimeoutMs,
      });
    } catch (error) {
      this.#deps.logger.error({ err: error, webhookId: webhook.id }, 'a webhook was not sent');
      return { status: null, error: 'The signing secret could not be opened.' };
    }
  }

  /** What is under way is tried again by the next process, so it is waited for only shortly. */
  async close(waitMs = 1_000): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    const over = new Promise((resolve) => setTimeout(resolve, waitMs).unref());
    await Promise.race([over, Promise.all([this.#looking, ...this.#underWay.values()])]);
  }

  async #look(): Promise<void> {
    const { store, clock, logger } = this.#deps;
    try {
      const room = FIXED.webhookAtOnceMax - this.#underWay.size;
      if (room > 0) {
        // Those under way are due still.
        const limit = room + this.#underWay.size;
        for (const due of await store.listDue(clock.nowMs(), limit)) this.#begin(due);
      }
      if (clock.monotonicMs() - this.#prunedMs >= PRUNE_EVERY_MS) {
        this.#prunedMs = clock.monotonicMs();
        await store.pruneDeliveries(FIXED.webhookSettledKept);
      }
    } catch (error) {
      logger.warn({ err: error }, 'webhooks could not be looked at; again in a second');
    }
  }

  #begin(due: DueDelivery): void {
    const { seq } = due.delivery;
    if (this.#isClosed || this.#underWay.has(seq)) return;
    if (this.#underWay.size >= FIXED.webhookAtOnceMax) return;
    const running = this.#deliver(due)
      .catch((error: unknown) => {
        this.#deps.logger.warn({ err: error }, 'an attempt could not be recorded');
      })
      .finally(() => {
        this.#underWay.delete(seq);
        this.wake();
      });
    this.#underWay.set(seq, running);
  }

  async #deliver(due: DueDelivery): Promise<void> {
    const answer = await this.attempt(due, due.delivery.id);
    const nowMs = this.#deps.clock.nowMs();
    const outcome = outcomeOf(due, answer, nowMs);
    await this.#deps.store.settleAttempt(outcome, FIXED.webhookFailingMs);
  }
}

export function isDelivered({ status }: WebhookAnswer): boolean {
  return status !== null && status >= 200 && status < 300;
}

function outcomeOf(
  { delivery, webhook }: DueDelivery,
  answer: WebhookAnswer,
  atMs: number,
): AttemptOutcome {
  const { status, error } = answer;
  const base = { seq: delivery.seq, webhookId: webhook.id, atMs, status, error };
  const settled = { ...base, nextAttemptAtMs: null, disableReason: null };
  if (isDelivered(answer)) return { ...settled, state: 'delivered' };
  // 410 Gone: the receiver does not want any more (Standard Webhooks, "Disabling").
  if (status === 410) {
    return { ...settled, state: 'failed', disableReason: 'The receiver answered 410 Gone.' };
  }
  const next = nextAttemptMs(delivery.attempts + 1, atMs, Math.random());
  if (next === null) return { ...settled, state: 'failed' };
  return { ...settled, state: 'pending', nextAttemptAtMs: next };
}
