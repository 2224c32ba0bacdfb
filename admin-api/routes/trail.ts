/** `/audit`: every event of the organization, newest first, filtered; a page, or all of it as a stream. */
import { z } from '@hono/zod-openapi';
import type { TrailQuery } from '../../src/audit/audit-log.ts';
import type { TrailRow } from '../../src/audit/audit-store.ts';
import { fieldError } from '../../src/kernel/field-error.ts';
import type { Actor } from '../../src/organizations/actor.ts';
import { formatCursor, parseCursor } from '../contract/cursor.ts';
import {
  CSV_HEAD,
  describeTrailRow,
  formatCsvRow,
  formatNdjsonRow,
  statusRangeOf,
  trailPageSchema,
  trailQuery,
  trailRowSchema,
} from '../contract/trail.ts';
import type { AdminDeps } from '../deps.ts';
import { respondStream } from '../respond-stream.ts';
import { respondJson } from '../respond.ts';
import { defineRoute, type Route } from '../route.ts';

const PAGE_ROWS = 100;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function defineTrailRoutes({ auditLog, secrets }: AdminDeps): Route[] {
  return [
    defineRoute({
      id: 'listAudit',
      method: 'get',
      path: '/audit',
      summary:
        'Every event, newest first; a page may be short before the end; format=ndjson|csv streams all',
      tag: 'Trails',
      query: trailQuery,
      answer: {
        status: 200,
        description: 'A page, or all of it by format.',
        schema: trailPageSchema,
        forms: [
          { contentType: 'application/x-ndjson', schema: trailRowSchema },
          { contentType: 'text/csv', schema: z.string() },
        ],
        headers: { 'Content-Disposition': 'A file name for what is not a page.' },
      },
      refuses: ['not_found'],
      handle: async ({ actor, query }) => {
        const asked = await queryOf(actor, query, secrets);
        const { format = 'json' } = query;
        if (format !== 'json') return respondExport(auditLog.export(actor, asked), format, query);
        const limit = query.limit ?? PAGE_ROWS;
        // One more than shown tells whether there are more.
        const page = await auditLog.page(actor, asked, limit + 1);
        const rows = page.rows.slice(0, limit);
        const last = page.rows.length > limit ? rows.at(-1) : undefined;
        const next = last === undefined ? page.next : { tsMs: last.event.tsMs, id: last.id };
        return respondJson(200, {
          data: rows.map(describeTrailRow),
          next_cursor: next === null ? null : formatCursor([next.tsMs, next.id]),
          has_more: next !== null,
        });
      },
    }),
  ];
}

function respondExport(
  pages: AsyncGenerator<readonly TrailRow[]>,
  format: 'ndjson' | 'csv',
  { limit, cursor }: z.output<typeof trailQuery>,
): Promise<Response> {
  if (limit !== undefined) throw fieldError('limit', 'is for pages; an export has all there is');
  if (cursor !== undefined) throw fieldError('cursor', 'is for pages; an export has all there is');
  const disposition = { 'content-disposition': `attachment; filename="audit.${format}"` };
  if (format === 'csv') {
    const lines = formatPages(pages, formatCsvRow, CSV_HEAD);
    return respondStream(lines, 'text/csv; charset=utf-8; header=present', disposition);
  }
  const lines = formatPages(pages, formatNdjsonRow, '');
  return respondStream(lines, 'application/x-ndjson; charset=utf-8', disposition);
}

async function* formatPages(
  pages: AsyncGenerator<readonly TrailRow[]>,
  format: (row: TrailRow) => string,
  head: string,
): AsyncGenerator<string> {
  let opening = head;
  for await (const rows of pages) {
    yield opening + rows.map(format).join('');
    opening = '';
  }
}

async function queryOf(
  actor: Actor,
  query: z.output<typeof trailQuery>,
  secrets: AdminDeps['secrets'],
): Promise<TrailQuery> {
  const { cursor, since, until, sandbox, secret, host, status, code, observed } = query;
  const place =
    cursor === undefined ? undefined : parseCursor(cursor, ['number', 'number'], 'cursor');
  return {
    ...(place === undefined ? {} : { before: { tsMs: place[0], id: place[1] } }),
    ...(since === undefined ? {} : { sinceMs: since }),
    ...(until === undefined ? {} : { untilMs: until }),
    ...(sandbox === undefined ? {} : { sandboxId: sandbox }),
    ...(secret === undefined ? {} : { secretId: await secretIdOf(actor, secret, secrets) }),
    ...(host === undefined ? {} : { host: host.trim().toLowerCase() }),
    ...(status === undefined ? {} : { status: statusRangeOf(status) }),
    ...(code === undefined ? {} : { code }),
    ...(observed === undefined ? {} : { observed: true }),
  };
}

/** An id also of a secret that is deleted: its history is kept. */
async function secretIdOf(
  actor: Actor,
  idOrName: string,
  secrets: AdminDeps['secrets'],
): Promise<string> {
  if (UUID.test(idOrName)) return idOrName;
  return (await secrets.read(actor, idOrName)).secret.id;
}
