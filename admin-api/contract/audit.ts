/**
 * Rows of the two logs: a secret's audit and a sandbox's network log. What does not apply to a row is
 * absent from it. `detail` is for admins: the address or fault that the sandbox was not told.
 */
import { z } from '@hono/zod-openapi';
import type { NetworkRow, SecretAuditRow } from '../../src/audit/audit-store.ts';
import type { AuditEvent } from '../../src/audit/event.ts';
import { REFUSALS, type AuditCode, type RefusalCode } from '../../src/kernel/errors.ts';
import { formatTime, queryNumber, timeInput, timeOutput, uuid } from './fields.ts';

const verdict = z.enum(['allowed', 'blocked', 'failed']);

export const auditQuery = z.strictObject({
  limit: queryNumber(1, 1_000).optional(),
  before: queryNumber(0, Number.MAX_SAFE_INTEGER).optional(),
  status: z.enum(['2xx', '3xx', '4xx', '5xx', 'errors']).optional(),
});

export const networkQuery = z.strictObject({
  limit: queryNumber(1, 1_000).optional(),
  before: z.string().optional().openapi({ description: 'A cursor or a time.' }),
  since: timeInput.optional(),
  verdict: verdict.optional(),
  observed: z.literal('true').optional().openapi({
    description: 'Only what egress.mode: observe let pass.',
  }),
});

export const auditRowSchema = z
  .object({
    id: z.int(),
    ts: timeOutput,
    sandbox_id: uuid,
    sandbox_name: z.string().nullable(),
    secret_id: uuid,
    method: z.string(),
    host: z.string(),
    path: z.string(),
    status: z.int(),
    upstream_status: z.int().optional(),
    latency_ms: z.int(),
    error_code: z.string().optional(),
    version: z.int(),
    overlap_version: z.int().optional().openapi({
      description: 'The origin refused `version`; this one, before it, served the one retry.',
    }),
    port: z.int(),
    request_id: z.string(),
    detail: z.string().optional(),
  })
  .openapi('AuditRow');

export const networkRowSchema = z
  .object({
    kind: z.enum(['connection', 'request']),
    id: z.int(),
    ts: timeOutput,
    host: z.string(),
    dst_ip: z.string().optional(),
    dst_port: z.int().optional(),
    verdict: verdict.optional(),
    match_rule: z.string().optional(),
    bytes_sent: z.int().optional(),
    bytes_recv: z.int().optional(),
    method: z.string().optional(),
    path: z.string().optional(),
    status: z.int().optional(),
    upstream_status: z.int().optional(),
    latency_ms: z.int().optional(),
    secret_id: uuid.optional(),
    error_code: z.string().optional(),
    port: z.int().optional(),
    request_id: z.string(),
    detail: z.string().optional(),
    would_refuse: z.string().optional(),
  })
  .openapi('NetworkRow');

export const networkPageSchema = z
  .object({
    data: z.array(networkRowSchema),
    next_cursor: z.string().nullable(),
    has_more: z.boolean(),
  })
  .openapi('NetworkPage');

export function describeAuditRow(row: SecretAuditRow): z.infer<typeof auditRowSchema> {
  const { event } = row;
  return {
    id: row.id,
    ts: formatTime(event.tsMs),
    sandbox_id: event.sandboxId,
    sandbox_name: row.sandboxName,
    secret_id: row.secretId,
    ...describeRequest(event),
    latency_ms: Math.round(event.latencyMs),
    ...describeFault(event),
    version: row.version,
    ...describeOverlap(row),
    port: event.port,
    request_id: event.requestId,
  };
}

export function describeNetworkRow(row: NetworkRow): z.infer<typeof networkRowSchema> {
  const { event } = row;
  const common = {
    id: row.id,
    ts: formatTime(event.tsMs),
    host: event.host,
    request_id: event.requestId,
    ...describeFault(event),
    ...(event.wouldRefuse === null ? {} : { would_refuse: event.wouldRefuse }),
  };
  if (event.kind === 'connection') {
    return {
      kind: 'connection',
      ...common,
      ...(event.dstIp === null ? {} : { dst_ip: event.dstIp }),
      dst_port: event.port,
      verdict: event.verdict,
      ...(event.matchRule === null ? {} : { match_rule: event.matchRule }),
      bytes_sent: event.bytesIn,
      bytes_recv: event.bytesOut,
    };
  }
  const secretId = event.secrets[0]?.secretId;
  return {
    kind: 'request',
    ...common,
    ...describeRequest(event),
    latency_ms: Math.round(event.latencyMs),
    ...(secretId === undefined ? {} : { secret_id: secretId }),
    port: event.port,
  };
}

function describeOverlap({ event, secretId, version }: SecretAuditRow) {
  const other = event.secrets.find((one) => one.secretId === secretId && one.version !== version);
  return other === undefined ? {} : { overlap_version: other.version };
}

/** A refused CONNECT belongs to a secret too: it is shown as the request it was. */
function describeRequest(event: AuditEvent) {
  if (event.kind === 'connection') {
    return { method: 'CONNECT', host: event.host, path: '', status: statusOf(event.code) };
  }
  return {
    method: event.method,
    host: event.host,
    path: event.path,
    status: event.status,
    ...(event.upstreamStatus === null ? {} : { upstream_status: event.upstreamStatus }),
  };
}

function describeFault(event: AuditEvent): { error_code?: string; detail?: string } {
  return {
    ...(event.code === null ? {} : { error_code: event.code }),
    ...(event.detail === null ? {} : { detail: event.detail }),
  };
}

function statusOf(code: AuditCode | null): number {
  if (code === null) return 200;
  return Object.hasOwn(REFUSALS, code) ? REFUSALS[code as RefusalCode].status : 0;
}
