/** Webhooks on the wire. The signing secret is shown once, on creation. */
import { z } from '@hono/zod-openapi';
import type { TestedWebhook } from '../../src/webhooks/webhook-service.ts';
import { WEBHOOK_EVENTS, type Delivery, type Webhook } from '../../src/webhooks/webhook.ts';
import {
  formatOptionalTime,
  formatTime,
  optional,
  queryNumber,
  timeOutput,
  uuid,
} from './fields.ts';

const event = z.enum(WEBHOOK_EVENTS);
const description = z.string().max(2_048);

export const webhookCreateSchema = z
  .strictObject({ url: z.string(), events: z.array(event), description: optional(description) })
  .openapi('WebhookCreate', {
    example: { url: 'https://hooks.example.com/sallyport', events: ['misuse.refused'] },
  });

export const webhookPatchSchema = z
  .strictObject({
    url: optional(z.string()),
    events: optional(z.array(event)),
    description: description.nullish().openapi({ description: 'null clears it.' }),
    disabled: optional(z.boolean()),
  })
  .openapi('WebhookPatch', {
    example: { events: ['misuse.refused', 'secret.rotated'], disabled: false },
  });

export const webhookSchema = z
  .object({
    id: uuid,
    url: z.string(),
    events: z.array(event),
    description: z.string().nullable(),
    disabled: z.boolean(),
    disabled_reason: z.string().nullable(),
    failing_since: timeOutput.nullable(),
    created_at: timeOutput,
    updated_at: timeOutput,
    created_by: z.string(),
  })
  .openapi('Webhook');

export const createdWebhookSchema = webhookSchema
  .extend({
    signing_secret: z.string().openapi({ description: 'whsec_ and base64, this once.' }),
  })
  .openapi('CreatedWebhook');

export const deliveriesQuery = z.strictObject({
  limit: queryNumber(1, 500).optional(),
  before: queryNumber(1, Number.MAX_SAFE_INTEGER).optional(),
});

export const deliverySchema = z
  .object({
    seq: z.int().openapi({ description: 'Where the next page goes on, as before=.' }),
    id: z.string().openapi({ description: 'As in webhook-id.' }),
    event: z.string(),
    state: z.enum(['pending', 'delivered', 'failed']),
    attempts: z.int(),
    next_attempt_at: timeOutput.nullable(),
    last_status: z.int().nullable(),
    last_error: z.string().nullable(),
    created_at: timeOutput,
    settled_at: timeOutput.nullable(),
  })
  .openapi('WebhookDelivery');

export const webhookTestSchema = z
  .object({
    delivered: z.boolean(),
    status: z.int().nullable(),
    error: z.string().nullable(),
    latency_ms: z.int(),
  })
  .openapi('WebhookTest');

export function describeWebhook(webhook: Webhook): z.infer<typeof webhookSchema> {
  return {
    id: webhook.id,
    url: webhook.url,
    events: [...webhook.events],
    description: webhook.description,
    disabled: webhook.isDisabled,
    disabled_reason: webhook.disabledReason,
    failing_since: formatOptionalTime(webhook.failingSinceMs),
    created_at: formatTime(webhook.createdAtMs),
    updated_at: formatTime(webhook.updatedAtMs),
    created_by: webhook.createdBy,
  };
}

export function describeDelivery(delivery: Delivery): z.infer<typeof deliverySchema> {
  return {
    seq: delivery.seq,
    id: delivery.id,
    event: delivery.event,
    state: delivery.state,
    attempts: delivery.attempts,
    next_attempt_at: formatOptionalTime(delivery.nextAttemptAtMs),
    last_status: delivery.lastStatus,
    last_error: delivery.lastError,
    created_at: formatTime(delivery.createdAtMs),
    settled_at: formatOptionalTime(delivery.settledAtMs),
  };
}

export function describeTest(tested: TestedWebhook): z.infer<typeof webhookTestSchema> {
  const { isDelivered, status, error, latencyMs } = tested;
  return { delivered: isDelivered, status, error, latency_ms: latencyMs };
}
