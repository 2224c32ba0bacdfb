/** `/activity`: what admins changed, newest first. */
import type { z } from '@hono/zod-openapi';
import type { ActivityFilter } from '../../src/activity/activity-store.ts';
import { activityPageSchema, activityQuery, describeActivityRow } from '../contract/activity.ts';
import { formatCursor, parseCursor } from '../contract/cursor.ts';
import type { AdminDeps } from '../deps.ts';
import { respondJson } from '../respond.ts';
import { defineRoute, type Route } from '../route.ts';

const PAGE_ROWS = 100;

export function defineActivityRoutes({ activity }: AdminDeps): Route[] {
  return [
    defineRoute({
      id: 'listActivity',
      method: 'get',
      path: '/activity',
      summary: 'What admins changed: who, what, before and after, never a value; newest first',
      tag: 'Trails',
      query: activityQuery,
      answer: { status: 200, description: 'A page.', schema: activityPageSchema },
      handle: async ({ actor, query }) => {
        const limit = query.limit ?? PAGE_ROWS;
        // One more than shown tells whether there are more.
        const found = await activity.list(actor, { ...filterOf(query), limit: limit + 1 });
        const rows = found.slice(0, limit);
        const last = found.length > limit ? rows.at(-1) : undefined;
        return respondJson(200, {
          data: rows.map(describeActivityRow),
          next_cursor: last === undefined ? null : formatCursor([last.id]),
          has_more: last !== undefined,
        } satisfies z.infer<typeof activityPageSchema>);
      },
    }),
  ];
}

function filterOf(query: z.output<typeof activityQuery>): Omit<ActivityFilter, 'limit'> {
  const { cursor, since, until, action, target } = query;
  return {
    ...(cursor === undefined ? {} : { beforeId: parseCursor(cursor, ['number'], 'cursor')[0] }),
    ...(since === undefined ? {} : { sinceMs: since }),
    ...(until === undefined ? {} : { untilMs: until }),
    ...(action === undefined ? {} : { action }),
    ...(target === undefined ? {} : { targetId: target }),
  };
}
