/** A place outside that is told when something happens, and what it is told. Pure data, never a value. */
export const WEBHOOK_EVENTS = [
  'secret.first_used',
  'secret.rotated',
  'secret.auth_failed',
  'misuse.refused',
] as const;

export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

export interface Webhook {
  readonly id: string;
  readonly organizationId: string;
  readonly url: string;
  readonly description: string | null;
  readonly events: readonly WebhookEvent[];
  /** Sealed; opened only to sign. */
  readonly signingSecret: Uint8Array;
  readonly isDisabled: boolean;
  /** Why, when it was not an admin. */
  readonly disabledReason: string | null;
  /** The first failure since the last success. */
  readonly failingSinceMs: number | null;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly createdBy: string;
  readonly revision: number;
}

/** Something that happened, for whoever asked to be told. */
export interface WebhookNews {
  /** Of the message: the same on every attempt and for every webhook. */
  readonly id: string;
  readonly organizationId: string;
  readonly event: WebhookEvent | 'webhook.test';
  readonly atMs: number;
  /** JSON of the whole body. */
  readonly payload: string;
}

export type DeliveryState = 'pending' | 'delivered' | 'failed';

export interface Delivery {
  readonly seq: number;
  readonly id: string;
  readonly webhookId: string;
  readonly event: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly nextAttemptAtMs: number | null;
  /** Of the answer; `null`: there was none. */
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  readonly createdAtMs: number;
  readonly settledAtMs: number | null;
}
