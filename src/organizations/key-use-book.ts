/**
 * When each API key was last used: noted in memory, written at most once a second in one batch, so that
 * reading with a key costs no write. What cannot be written is kept for the next attempt; one entry a key.
 */
import type { Logger } from '../kernel/logger.ts';
import type { OrganizationStore } from './organization-store.ts';

const FLUSH_INTERVAL_MS = 1_000;

export class KeyUseBook {
  #uses = new Map<string, number>();
  #timer: NodeJS.Timeout | null = null;
  readonly #store: Pick<OrganizationStore, 'touchApiKeys'>;
  readonly #logger: Logger;

  constructor(store: Pick<OrganizationStore, 'touchApiKeys'>, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  note(id: string, atMs: number): void {
    this.#uses.set(id, Math.max(atMs, this.#uses.get(id) ?? 0));
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.flush();
    }, FLUSH_INTERVAL_MS);
    this.#timer.unref();
  }

  /** What is not written yet. */
  pendingOf(id: string): number | null {
    return this.#uses.get(id) ?? null;
  }

  /** Never rejects. */
  async flush(): Promise<void> {
    if (this.#uses.size === 0) return;
    const uses = this.#uses;
    this.#uses = new Map();
    try {
      await this.#store.touchApiKeys([...uses].map(([id, atMs]) => ({ id, atMs })));
    } catch (cause) {
      this.#logger.warn({ err: cause }, 'the last use of API keys could not be written; kept');
      for (const [id, atMs] of uses) this.note(id, atMs);
    }
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.flush();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}
