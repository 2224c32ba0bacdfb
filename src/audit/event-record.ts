/**
 * An event under the names of the specification, for people and programs outside: the NDJSON sink now,
 * exports later. Absent where it does not apply; never a value, a token or a query string.
 */
import type { AuditEvent } from './event.ts';

/** Plain data, ready for JSON. Times are RFC 3339, UTC. */
export function eventRecord(event: AuditEvent): Record<string, unknown> {
  const record: Record<string, unknown> = {
    ts: new Date(event.tsMs).toISOString(),
    kind: event.kind === 'exchange' ? 'request' : 'connection',
    org: event.organizationId,
    sandbox_id: event.sandboxId,
    request_id: event.requestId,
    secrets: event.secrets.map((used) => ({ secret_id: used.secretId, version: used.version })),
    host: event.host,
    port: event.port,
    decision: event.decision,
    code: event.code,
    detail: event.detail,
    bytes_in: event.bytesIn,
    bytes_out: event.bytesOut,
    latency_ms: Math.round(event.latencyMs),
  };
  if (event.kind === 'exchange') {
    record['method'] = event.method;
    record['scheme'] = event.scheme;
    record['path'] = event.path;
    record['status'] = event.status;
    record['upstream_status'] = event.upstreamStatus;
    record['http_version'] = event.httpVersion;
    record['upstream_http_version'] = event.upstreamHttpVersion;
  } else {
    record['dst_ip'] = event.dstIp;
    record['verdict'] = event.verdict;
    record['match_rule'] = event.matchRule;
  }
  if (event.wouldRefuse !== null) record['would_refuse'] = event.wouldRefuse;
  return record;
}
