/** `/sandboxes/{id}/network`: what a sandbox connected to and asked for, newest first. */
import type { z } from '@hono/zod-openapi';
import type { NetworkFilter, NetworkRow } from '../../src/audit/audit-store.ts';
import { describeNetworkRow, networkPageSchema, networkQuery } from '../contract/audit.ts';
import { formatCursor, parseCursor } from '../contract/cursor.ts';
import { timeInput } from '../contract/fields.ts';
import type { AdminDeps } from '../deps.ts';
import { respondJson } from '../respond.ts';
import { defineRoute, type Route } from '../route.ts';

const PAGE_ROWS = 100;

export function defineNetworkRoutes({ sandboxes, audit }: AdminDeps): Route[] {
  return [
    defineRoute({
      id: 'listSandboxNetwork',
      method: 'get',
      path: '/sandboxes/{id}/network',
      summary: 'The network log of a sandbox, newest first',
      tag: 'Sandboxes',
      query: networkQuery,
      answer: { status: 200, description: 'A page.', schema: networkPageSchema },
      handle: async ({ actor, params, query }) => {
        const { sandbox } = await sandboxes.read(actor, params['id'] ?? '');
        const limit = query.limit ?? PAGE_ROWS;
        const filter: NetworkFilter = {
          // One more than shown tells whether there are more.
          limit: limit + 1,
          ...(query.before === undefined ? {} : placeOf(query.before)),
          ...(query.since === undefined ? {} : { sinceMs: query.since }),
          ...(query.verdict === undefined ? {} : { verdict: query.verdict }),
          ...(query.observed === undefined ? {} : { observed: true }),
        };
        const found = await audit.listNetwork(sandbox.organizationId, sandbox.id, filter);
        const rows = found.slice(0, limit);
        const last = found.length > limit ? rows.at(-1) : undefined;
        return respondJson(200, {
          data: rows.map(describeNetworkRow),
          next_cursor: last === undefined ? null : cursorOf(last),
          has_more: last !== undefined,
        } satisfies z.infer<typeof networkPageSchema>);
      },
    }),
  ];
}

function cursorOf({ event, id }: NetworkRow): string {
  return formatCursor([event.tsMs, event.kind, id]);
}

function placeOf(text: string): Pick<NetworkFilter, 'before' | 'beforeMs'> {
  const time = timeInput.safeParse(text);
  if (time.success) return { beforeMs: time.data };
  const [tsMs, kindText, id] = parseCursor(text, ['number', 'string', 'number'], 'before');
  return { before: { tsMs, kind: kindText === 'connection' ? 'connection' : 'exchange', id } };
}
