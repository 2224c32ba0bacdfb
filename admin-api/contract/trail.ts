/**
 * Events of the whole trail on the wire: the same names as the NDJSON sink, with `id` and `sandbox_name`;
 * as JSON, NDJSON and CSV. What does not apply to an event is absent, or empty in CSV.
 */
import { z } from '@hono/zod-openapi';
import type { TrailRow } from '../../src/audit/audit-store.ts';
import { eventRecord } from '../../src/audit/event-record.ts';
import { queryNumber, timeInput, timeOutput, uuid } from './fields.ts';

const STATUS = /^([2-5]xx|errors|[1-9]\d\d)$/;

export const trailQuery = z.strictObject({
  limit: queryNumber(1, 1_000).optional(),
  cursor: z.string().optional(),
  since: timeInput.optional(),
  until: timeInput.optional(),
  sandbox: z.string().optional().openapi({ description: 'The id of a sandbox.' }),
  secret: z.string().optional().openapi({ description: 'The id or name of a secret.' }),
  host: z.string().optional(),
  status: z.string().regex(STATUS, 'must be 2xx, 3xx, 4xx, 5xx, errors or a status').optional(),
  code: z.string().optional(),
  observed: z.literal('true').optional().openapi({
    description: 'Only what egress.mode: observe let pass.',
  }),
  format: z
    .enum(['json', 'ndjson', 'csv'])
    .optional()
    .openapi({ description: 'ndjson and csv: everything that matches, streamed.' }),
});

export const trailRowSchema = z
  .object({
    id: z.int(),
    ts: timeOutput,
    kind: z.enum(['connection', 'request']),
    org: uuid,
    sandbox_id: uuid,
    sandbox_name: z.string().nullable(),
    request_id: z.string(),
    secrets: z.array(z.object({ secret_id: uuid, version: z.int() })),
    host: z.string(),
    port: z.int(),
    decision: z.enum(['allow', 'tunnel', 'intercept', 'deny']),
    code: z.string().nullable(),
    detail: z.string().nullable(),
    bytes_in: z.int(),
    bytes_out: z.int(),
    latency_ms: z.int(),
    method: z.string().optional(),
    scheme: z.string().optional(),
    path: z.string().optional(),
    status: z.int().optional(),
    upstream_status: z.int().nullable().optional(),
    http_version: z.string().optional(),
    upstream_http_version: z.string().nullable().optional(),
    dst_ip: z.string().nullable().optional(),
    verdict: z.string().optional(),
    match_rule: z.string().nullable().optional(),
    would_refuse: z.string().optional(),
  })
  .openapi('TrailRow');

export const trailPageSchema = z
  .object({
    data: z.array(trailRowSchema),
    next_cursor: z.string().nullable(),
    has_more: z.boolean(),
  })
  .openapi('TrailPage');

export function describeTrailRow(row: TrailRow): Record<string, unknown> {
  return { id: row.id, sandbox_name: row.sandboxName, ...eventRecord(row.event) };
}

/** From, to, both inclusive. `text` passed the schema. */
export function statusRangeOf(text: string): readonly [from: number, to: number] {
  if (text === 'errors') return [400, 999];
  if (!text.endsWith('xx')) return [Number(text), Number(text)];
  const from = Number(text.slice(0, 1)) * 100;
  return [from, from + 99];
}

export function formatNdjsonRow(row: TrailRow): string {
  return `${JSON.stringify(describeTrailRow(row))}\n`;
}

const CSV_COLUMNS = [
  'id',
  'ts',
  'kind',
  'org',
  'sandbox_id',
  'sandbox_name',
  'request_id',
  'secrets',
  'method',
  'scheme',
  'host',
  'port',
  'path',
  'status',
  'upstream_status',
  'decision',
  'code',
  'detail',
  'bytes_in',
  'bytes_out',
  'latency_ms',
  'http_version',
  'dst_ip',
  'verdict',
  'match_rule',
  'would_refuse',
  'upstream_http_version',
] as const;

export const CSV_HEAD = `${CSV_COLUMNS.join(',')}\r\n`;

/** RFC 4180. Secrets as `ID:VERSION`, separated by spaces. */
export function formatCsvRow(row: TrailRow): string {
  const record = describeTrailRow(row);
  record['secrets'] = row.event.secrets.map((used) => `${used.secretId}:${used.version}`).join(' ');
  return `${CSV_COLUMNS.map((column) => formatCell(record[column])).join(',')}\r\n`;
}

function formatCell(value: unknown): string {
  if (typeof value === 'number') return String(value);
  const text = typeof value === 'string' ? value : '';
  // A spreadsheet would take these for a formula, and a sandbox chooses its paths and methods.
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
