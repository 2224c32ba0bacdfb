/** `/events`: the trail as it grows, as server-sent events (WHATWG HTML, 9.2). */
import { z } from '@hono/zod-openapi';
import type { FeedPiece, Watch } from '../../src/audit/live-feed.ts';
import { fieldError } from '../../src/kernel/field-error.ts';
import { queryNumber } from '../contract/fields.ts';
import { describeTrailRow } from '../contract/trail.ts';
import type { AdminDeps } from '../deps.ts';
import { respondStream } from '../respond-stream.ts';
import { defineRoute, type Route } from '../route.ts';

const eventsQuery = z.strictObject({
  after: queryNumber(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .openapi({ description: 'Go on after this id, where Last-Event-ID cannot be sent.' }),
});

const eventsHeaders = z.object({
  'Last-Event-ID': z.string().optional().openapi({
    description: 'Go on after this event, as browsers do by themselves.',
  }),
});

const HEADERS = { 'x-accel-buffering': 'no' };
/** Between two looks at the key of a stream that stays open. */
const RECHECK_MS = 5_000;

export function defineEventRoutes({ liveFeed, clock }: AdminDeps): Route[] {
  return [
    defineRoute({
      id: 'watchEvents',
      method: 'get',
      path: '/events',
      summary: 'The audit events as they happen (server-sent events); resumed by Last-Event-ID',
      tag: 'Trails',
      query: eventsQuery,
      headers: eventsHeaders,
      answer: {
        status: 200,
        description: 'A stream: `event: audit`, `id`, and in `data` a TrailRow.',
        contentType: 'text/event-stream',
      },
      handle: ({ actor, query, headers, recheck }) => {
        const gone = new AbortController();
        let checkedAtMs = clock.monotonicMs();
        const watch: Watch = {
          actor,
          afterId: readLastEventId(headers) ?? query.after ?? null,
          signal: gone.signal,
          recheck: async () => {
            if (clock.monotonicMs() - checkedAtMs < RECHECK_MS) return;
            await recheck();
            checkedAtMs = clock.monotonicMs();
          },
        };
        const pieces = formatPieces(liveFeed.watch(watch));
        return respondStream(pieces, 'text/event-stream; charset=utf-8', HEADERS, gone);
      },
    }),
  ];
}

async function* formatPieces(pieces: AsyncGenerator<FeedPiece>): AsyncGenerator<string> {
  let opening = 'retry: 2000\n';
  for await (const { rows, lastId } of pieces) {
    const events = rows.map(
      (row) => `id: ${row.id}\nevent: audit\ndata: ${JSON.stringify(describeTrailRow(row))}\n\n`,
    );
    // Without rows: a comment keeps the connection, the id moves the place to resume from.
    yield rows.length > 0 ? events.join('') : `${opening}: here\nid: ${lastId}\n\n`;
    opening = '';
  }
}

function readLastEventId(headers: Headers): number | undefined {
  const text = headers.get('last-event-id')?.trim();
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw fieldError('Last-Event-ID', 'is not the id of an event');
}
