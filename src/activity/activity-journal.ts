/**
 * Every admin change is itself an event: the one place all services tell what was done, and by whom it is
 * read. A change that is in force is never reported as failed because its event could not be stored; the
 * log then carries the event.
 */
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Actor } from '../organizations/actor.ts';
import { checkRole } from '../organizations/roles.ts';
import type { ActivityFilter, ActivityRow, ActivityStore } from './activity-store.ts';
import type { ActivityEvent, Deed } from './activity.ts';

export interface ActivityJournalDeps {
  readonly store: ActivityStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What a service is given: telling, not reading. */
export type DeedRecorder = Pick<ActivityJournal, 'recordDone' | 'recordFirst'>;

export class ActivityJournal {
  readonly #deps: ActivityJournalDeps;
  readonly #listeners = new Set<(event: ActivityEvent) => void>();

  constructor(deps: ActivityJournalDeps) {
    this.#deps = deps;
  }

  /** Sees what was done; must not throw. Returns the unsubscriber. */
  subscribe(listener: (event: ActivityEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** After a change. Never rejects: what the store does not take is written to the log. */
  async recordDone(actor: Actor, ...deeds: readonly Deed[]): Promise<void> {
    if (deeds.length === 0) return;
    const events = this.#eventsOf(actor, deeds);
    for (const listener of this.#listeners) for (const event of events) listener(event);
    try {
      await this.#deps.store.insertActivity(events);
    } catch (error) {
      const { logger } = this.#deps;
      for (const event of events) {
        logger.error({ err: error, activity: event }, 'an admin change could not be recorded');
      }
    }
  }

  /** Before something that must not happen unrecorded. Rejects when it could not be stored. */
  async recordFirst(actor: Actor, deed: Deed): Promise<void> {
    await this.#deps.store.insertActivity(this.#eventsOf(actor, [deed]));
  }

  /** Newest first. A key narrowed to workspaces or secrets sees what it did itself. */
  async list(actor: Actor, filter: ActivityFilter): Promise<readonly ActivityRow[]> {
    checkRole(actor, 'read');
    const isNarrowed = actor.workspaceIds !== null || actor.secretIds !== null;
    const own = isNarrowed ? { apiKeyId: actor.apiKeyId } : {};
    return this.#deps.store.listActivity(actor.organizationId, { ...filter, ...own });
  }

  #eventsOf({ organizationId, apiKeyId, subject }: Actor, deeds: readonly Deed[]): ActivityEvent[] {
    const who = { tsMs: this.#deps.clock.nowMs(), organizationId, apiKeyId, subject };
    return deeds.map((deed) => ({ ...deed, ...who, widened: deed.widened ?? [] }));
  }
}
