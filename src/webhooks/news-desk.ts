/**
 * Takes what happens, at once and without waiting, and hands what somebody asked to be told to the store. What
 * repeats (a misuse, a refused credential) is told at most once a minute with its count. Bounded; what finds
 * no room is counted in the log, never waited for. Payloads carry names and ids, never a value.
 */
import { BoundedMap } from '../kernel/bounded-map.ts';
import type { Clock } from '../kernel/clock.ts';
import { mintId } from '../kernel/ids.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Logger } from '../kernel/logger.ts';
import type { WebhookStore } from './webhook-store.ts';
import type { WebhookEvent, WebhookNews } from './webhook.ts';

/** Names and ids under the names of the API. */
export type NewsData = Readonly<Record<string, string | number | null>>;

export interface NewsDeskDeps {
  readonly store: Pick<WebhookStore, 'enqueueNews' | 'listSubscriptions'>;
  /** `null` when it is gone. */
  readonly nameOfSecret: (organizationId: string, secretId: string) => Promise<string | null>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** There is something to deliver. */
  readonly onEnqueued: () => void;
}

interface Told {
  readonly organizationId: string;
  readonly event: WebhookEvent;
  readonly data: NewsData;
  readonly sinceMs: number;
  /** Not told yet. */
  repeats: number;
}

interface Waiting {
  readonly organizationId: string;
  readonly event: WebhookEvent;
  readonly data: NewsData;
  readonly atMs: number;
}

const TICK_MS = 1_000;
const BATCH = 50;

export class NewsDesk {
  readonly #deps: NewsDeskDeps;
  readonly #told = new BoundedMap<string, Told>(FIXED.webhookRepeatsMax);
  #subscribed: ReadonlyMap<string, ReadonlySet<WebhookEvent>> = new Map();
  #waiting: Waiting[] = [];
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  #storing: Promise<void> | null = null;

  constructor(deps: NewsDeskDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    await this.reload();
    this.#timer = setInterval(() => {
      this.#tellRepeats();
      this.#store();
    }, TICK_MS);
    this.#timer.unref();
  }

  /** After webhooks changed. */
  async reload(): Promise<void> {
    const subscribed = new Map<string, Set<WebhookEvent>>();
    for (const { organizationId, events } of await this.#deps.store.listSubscriptions()) {
      const known = subscribed.get(organizationId) ?? new Set();
      for (const event of events) known.add(event);
      subscribed.set(organizationId, known);
    }
    this.#subscribed = subscribed;
  }

  isAsked(organizationId: string, event: WebhookEvent): boolean {
    return this.#subscribed.get(organizationId)?.has(event) === true;
  }

  tell(organizationId: string, event: WebhookEvent, data: NewsData): void {
    if (!this.isAsked(organizationId, event)) return;
    if (this.#waiting.length >= FIXED.webhookQueueMax) {
      if (this.#dropped % FIXED.webhookQueueMax === 0) {
        this.#deps.logger.error({ dropped: this.#dropped + 1 }, 'news for webhooks was dropped');
      }
      this.#dropped += 1;
      return;
    }
    this.#waiting.push({ organizationId, event, data, atMs: this.#deps.clock.nowMs() });
    this.#store();
  }

  /** As `tell`; the same `key` again within a minute is counted and told at its end. */
  tellRepeated(organizationId: string, event: WebhookEvent, key: string, data: NewsData): void {
    if (!this.isAsked(organizationId, event)) return;
    const whole = `${organizationId} ${event} ${key}`;
    const told = this.#told.get(whole);
    if (told !== undefined && !this.#isOver(told)) {
      told.repeats += 1;
      return;
    }
    const sinceMs = this.#deps.clock.monotonicMs();
    const count = 1 + (told?.repeats ?? 0);
    this.#told.set(whole, { organizationId, event, data, sinceMs, repeats: 0 });
    this.tell(organizationId, event, { ...data, count });
  }

  /** Stores what is waiting. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#store();
    await this.#storing;
  }

  #isOver({ sinceMs }: Told): boolean {
    return this.#deps.clock.monotonicMs() - sinceMs >= FIXED.webhookRepeatMs;
  }

  #tellRepeats(): void {
    const over = [...this.#told.values()].filter((told) => told.repeats > 0 && this.#isOver(told));
    for (const told of over) {
      this.tell(told.organizationId, told.event, { ...told.data, count: told.repeats });
      told.repeats = 0;
    }
  }

  #store(): void {
    if (this.#storing !== null || this.#waiting.length === 0) return;
    this.#storing = this.#storeAll().finally(() => {
      this.#storing = null;
    });
  }

  async #storeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, BATCH);
      try {
        const news = await Promise.all(batch.map((waiting) => this.#newsOf(waiting)));
        await this.#deps.store.enqueueNews(news);
      } catch (error) {
        this.#deps.logger.warn({ err: error }, 'news for webhooks waits for the store');
        return;
      }
      this.#waiting = this.#waiting.slice(batch.length);
      this.#deps.onEnqueued();
    }
  }

  async #newsOf({ organizationId, event, data, atMs }: Waiting): Promise<WebhookNews> {
    const secretId = data['secret_id'];
    const named =
      typeof secretId === 'string' && data['secret_name'] === undefined
        ? { secret_name: await this.#deps.nameOfSecret(organizationId, secretId) }
        : {};
    const timestamp = new Date(atMs).toISOString();
    const payload = JSON.stringify({ type: event, timestamp, data: { ...data, ...named } });
    return { id: `msg_${mintId()}`, organizationId, event, atMs, payload };
  }
}
