/** Storage contract of the admin's own trail: append, read newest first. */
import type { ActivityAction, ActivityEvent } from './activity.ts';

export interface ActivityRow {
  /** Ascending in the order of insertion. */
  readonly id: number;
  readonly event: ActivityEvent;
}

export interface ActivityFilter {
  readonly limit: number;
  readonly beforeId?: number;
  /** Inclusive. */
  readonly sinceMs?: number;
  /** Exclusive. */
  readonly untilMs?: number;
  readonly action?: ActivityAction;
  readonly targetId?: string;
  /** Only what this key did. */
  readonly apiKeyId?: string;
}

export interface ActivityStore {
  /** All or nothing, in the order of the array. */
  insertActivity(events: readonly ActivityEvent[]): Promise<void>;
  listActivity(organizationId: string, filter: ActivityFilter): Promise<readonly ActivityRow[]>;
}
