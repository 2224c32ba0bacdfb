/** Admin changes on the wire: who, what, before and after; never a value. */
import { z } from '@hono/zod-openapi';
import type { ActivityRow } from '../../src/activity/activity-store.ts';
import { ACTIVITY_ACTIONS } from '../../src/activity/activity.ts';
import { formatTime, queryNumber, timeInput, timeOutput } from './fields.ts';

const fields = z.record(z.string(), z.unknown());

export const activityQuery = z.strictObject({
  limit: queryNumber(1, 1_000).optional(),
  cursor: z.string().optional(),
  since: timeInput.optional(),
  until: timeInput.optional(),
  action: z.enum(ACTIVITY_ACTIONS).optional(),
  target: z.string().optional().openapi({ description: 'The id of what was changed.' }),
});

export const activityRowSchema = z
  .object({
    id: z.int(),
    ts: timeOutput,
    subject: z.string(),
    api_key_id: z.string(),
    action: z.enum(ACTIVITY_ACTIONS),
    target: z.object({ kind: z.string(), id: z.string(), name: z.string() }),
    before: fields.nullable(),
    after: fields.nullable(),
    widened_without_value: z.array(z.string()).optional(),
  })
  .openapi('ActivityRow');

export const activityPageSchema = z
  .object({
    data: z.array(activityRowSchema),
    next_cursor: z.string().nullable(),
    has_more: z.boolean(),
  })
  .openapi('ActivityPage');

export function describeActivityRow({ id, event }: ActivityRow): z.infer<typeof activityRowSchema> {
  const { action, targetId, targetName, widened } = event;
  return {
    id,
    ts: formatTime(event.tsMs),
    subject: event.subject,
    api_key_id: event.apiKeyId,
    action,
    target: { kind: action.slice(0, action.indexOf('.')), id: targetId, name: targetName },
    before: event.before,
    after: event.after,
    ...(widened.length === 0 ? {} : { widened_without_value: [...widened] }),
  };
}
