/** An audit event as a row, and back. */
import type { Selectable } from 'kysely';
import type {
  AuditEvent,
  AuditSecret,
  ConnectionEvent,
  Decision,
  ExchangeEvent,
} from '../../audit/event.ts';
import type { AuditCode } from '../../kernel/errors.ts';
import { flag } from '../columns.ts';
import type { AuditEventsTable } from '../tables.ts';

/** The columns in the order in which `eventParameters` fills them. */
export const EVENT_COLUMNS = [
  'id',
  'organization_id',
  'sandbox_id',
  'kind',
  'ts_ms',
  'important',
  'request_id',
  'host',
  'port',
  'decision',
  'code',
  'detail',
  'bytes_in',
  'bytes_out',
  'latency_ms',
  'secrets',
  'method',
  'scheme',
  'path',
  'status',
  'upstream_status',
  'http_version',
  'dst_ip',
  'verdict',
  'match_rule',
  'would_refuse',
  'upstream_http_version',
] as const satisfies readonly (keyof AuditEventsTable)[];

/** Used a secret, was refused or would have been: kept longer than plain traffic. */
export function isImportant(event: AuditEvent): boolean {
  return event.secrets.length > 0 || event.decision === 'deny' || event.wouldRefuse !== null;
}

export function eventParameters(id: number, event: AuditEvent): readonly unknown[] {
  const exchange = event.kind === 'exchange' ? event : null;
  const connection = event.kind === 'connection' ? event : null;
  return [
    id,
    event.organizationId,
    event.sandboxId,
    event.kind,
    event.tsMs,
    flag(isImportant(event)),
    event.requestId,
    event.host,
    event.port,
    event.decision,
    event.code,
    event.detail,
    event.bytesIn,
    event.bytesOut,
    Math.round(event.latencyMs),
    secretsColumn(event.secrets),
    exchange?.method ?? null,
    exchange?.scheme ?? null,
    exchange?.path ?? null,
    exchange?.status ?? null,
    exchange?.upstreamStatus ?? null,
    exchange?.httpVersion ?? null,
    connection?.dstIp ?? null,
    connection?.verdict ?? null,
    connection?.matchRule ?? null,
    event.wouldRefuse,
    exchange?.upstreamHttpVersion ?? null,
  ];
}

/** What the hash chain covers. The last column is younger than the chain: empty, it is left out. */
export function chainedCells(cells: readonly unknown[]): readonly unknown[] {
  return cells.at(-1) === null ? cells.slice(0, -1) : cells;
}

export function eventOf(row: Selectable<AuditEventsTable>): AuditEvent {
  const base = {
    tsMs: row.ts_ms,
    organizationId: row.organization_id,
    sandboxId: row.sandbox_id,
    requestId: row.request_id,
    host: row.host,
    port: row.port,
    decision: row.decision as Decision,
    code: row.code as AuditCode | null,
    detail: row.detail,
    bytesIn: row.bytes_in,
    bytesOut: row.bytes_out,
    latencyMs: row.latency_ms,
    secrets: secretsOf(row.secrets),
    wouldRefuse: row.would_refuse as AuditCode | null,
  };
  if (row.kind === 'connection') {
    return {
      ...base,
      kind: 'connection',
      dstIp: row.dst_ip,
      verdict: row.verdict as ConnectionEvent['verdict'],
      matchRule: row.match_rule,
    };
  }
  return {
    ...base,
    kind: 'exchange',
    method: row.method ?? '',
    scheme: row.scheme as ExchangeEvent['scheme'],
    path: row.path ?? '',
    status: row.status ?? 0,
    upstreamStatus: row.upstream_status,
    httpVersion: row.http_version ?? '',
    upstreamHttpVersion: row.upstream_http_version,
  };
}

export function secretsOf(column: string | null): AuditSecret[] {
  if (column === null) return [];
  const pairs = JSON.parse(column) as [string, number][];
  return pairs.map(([secretId, version]) => ({ secretId, version }));
}

/** Built by hand: this runs once an exchange, and ids need no escaping. */
function secretsColumn(secrets: readonly AuditSecret[]): string | null {
  if (secrets.length === 0) return null;
  return `[${secrets.map((used) => `["${used.secretId}",${used.version}]`).join(',')}]`;
}
