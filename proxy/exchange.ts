/**
 * THE LIFE OF ONE REQUEST, every step by name, in the order of spec section 5. A step passes on or throws
 * a Refusal; whatever happens, the record is closed once (I4) and nothing was dialled before the
 * decision (I1). WebSocket upgrades live the same life up to the last step.
 */
import { composeRequest } from '../src/inject/compose-request.ts';
import { composeTrailers } from '../src/inject/compose-trailers.ts';
import { askForIdentity } from '../src/inject/identity-coding.ts';
import { Refusal } from '../src/kernel/errors.ts';
import { mintRequestId } from '../src/kernel/ids.ts';
import type { Origin, UpstreamRequest } from '../src/egress/upstream.ts';
import { decideExchange } from '../src/policy/decide-exchange.ts';
import type { Winner } from '../src/policy/decision.ts';
import type { RequestHead } from '../src/policy/request-head.ts';
import type { Snapshot } from '../src/policy/snapshot.ts';
import { hasField, readField } from '../src/wire/field-list.ts';
import { formatAuthority } from '../src/wire/host.ts';
import { checkRequestHead } from '../src/wire/request-framing.ts';
import type { RequestFraming } from '../src/wire/request-framing.ts';
import { auditPath, refusedPath } from './audit-path.ts';
import { currentSnapshot } from './authenticate.ts';
import { withClientIdentity } from './client-identity.ts';
import type { ClientStream } from './client-stream.ts';
import type { DataPlane } from './data-plane.ts';
import type { ExchangeContext, Prepared } from './exchange-context.ts';
import { ExchangeRecord } from './exchange-record.ts';
import { forward } from './forward.ts';
import { mayOverlap, prepareOverlapRetry } from './overlap-retry.ts';
import { refuse } from './refuse.ts';
import { agreeOnTarget, refuseMethod } from './target-agreement.ts';

const REPLAYABLE = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** Serves one ordinary request to its end. Never rejects. */
export async function serveExchange(
  context: ExchangeContext,
  client: ClientStream,
  record: ExchangeRecord,
): Promise<void> {
  try {
    const prepared = await prepareExchange(context, client, record);
    if (record.isClosed) return;
    forward(context, client, record, prepared);
  } catch (error) {
    refuseExchange(context, client, record, error);
  }
}

/** Ends an exchange with a refusal; what was refused before its target was judged has a path as well. */
export function refuseExchange(
  context: ExchangeContext,
  client: ClientStream,
  record: ExchangeRecord,
  error: unknown,
): void {
  const { plane, holder } = context;
  if (record.path === '') {
    record.path = refusedPath(plane.feed.warmSnapshotOf(holder.sandboxId), client.target);
  }
  refuse(plane.logger, client, record, error);
}

/** Everything before the first byte leaves. Throws a Refusal; dials nothing. */
export async function prepareExchange(
  context: ExchangeContext,
  client: ClientStream,
  record: ExchangeRecord,
): Promise<Prepared> {
  const { plane } = context;
  const framing = checkRequestHead(client, plane.limits);
  refuseMethod(client.method);
  const target = agreeOnTarget(client, framing, context);
  const pending = currentSnapshot(plane.feed, context.holder, plane.clock.nowMs());
  let snapshot = pending instanceof Promise ? await pending : pending;
  record.path = auditPath(snapshot, target);
  plane.meter.admit(snapshot);
  record.startRunning();
  if (!plane.trail.reserve(snapshot.sandboxId)) throw new Refusal('audit_unavailable');
  let origin = context.reach.originFor(snapshot);
  while (origin instanceof Promise) {
    // What changed while the name was resolved counts for this request too.
    const resolved = await origin;
    const current = await currentSnapshot(plane.feed, context.holder, plane.clock.nowMs());
    origin = current === snapshot ? resolved : context.reach.originFor(current);
    snapshot = current;
  }
  record.address = origin.addresses[0] ?? null;
  record.wouldRefuse = context.reach.wouldRefuse;
  const head: RequestHead = {
    scheme: context.scheme,
    host: context.target.host,
    port: context.target.port,
    method: client.method,
    target,
    fields: client.fields,
  };
  const winners = selectSecrets(plane, snapshot, head, record);
  const compose = (to: Origin, placed: readonly Winner[]) =>
    composeUpstream(context, client, framing, head, to, placed);
  return {
    ...compose(origin, winners),
    winners,
    prepareRetry: mayOverlap(client.method, framing, winners)
      ? () => prepareOverlapRetry(context, head, winners, compose)
      : null,
  };
}

/** Sections 5.4 to 5.6: which secrets go on this request, or why it is refused. */
function selectSecrets(
  plane: DataPlane,
  snapshot: Snapshot,
  head: RequestHead,
  record: ExchangeRecord,
): readonly Winner[] {
  const decision = decideExchange(snapshot, head, { nowMs: plane.clock.nowMs() });
  if (decision.verdict === 'refuse') {
    record.auditSecrets = decision.secrets;
    throw decision.refusal;
  }
  record.useWinners(decision.winners);
  return decision.winners;
}

/** Sections 5.7 and 5.8: strip, open with a permit, set. */
function composeUpstream(
  context: ExchangeContext,
  client: ClientStream,
  framing: RequestFraming,
  head: RequestHead,
  origin: Origin,
  winners: readonly Winner[],
): Pick<Prepared, 'request' | 'injected' | 'mask'> {
  const opened = winners.map((winner) => ({
    winner,
    value: context.plane.opener.openValue(winner.permit),
  }));
  const { connectionOptions } = framing;
  const composed = composeRequest({ head, winners: opened, connectionOptions });
  const { injected } = composed;
  const mask = context.plane.masks.maskFor(injected);
  const hasBody = framing.bodyKind !== 'none';
  const mayHaveTrailers =
    client.protocol === 'h2'
      ? hasBody
      : framing.bodyKind === 'chunked' && hasField(client.fields, 'trailer');
  const request: UpstreamRequest = {
    origin: withClientIdentity(origin, opened),
    protocol: client.protocol,
    method: client.method,
    target: composed.target,
    fields: mask?.reason === null ? askForIdentity(composed.fields) : composed.fields,
    // No copy for HTTP/1.1, which has no use for it.
    neverIndexed:
      client.neverIndexed === undefined
        ? composed.setFields
        : [...composed.setFields, ...client.neverIndexed],
    hostField: formatAuthority(context.target, context.scheme === 'https' ? 443 : 80),
    body: hasBody ? client.body : null,
    contentLength: framing.contentLength,
    expectContinue: framing.expectContinue,
    acceptsTrailers: readField(client.fields, 'te')?.toLowerCase().includes('trailers') === true,
    requestTrailers: mayHaveTrailers ? () => composeTrailers(client.trailers(), winners) : null,
    replayable: REPLAYABLE.has(client.method) || hasField(client.fields, 'idempotency-key'),
  };
  return { request, injected, mask };
}

/** What a record needs of a request: also of one that could not be parsed. */
type RecordedRequest = Pick<
  ClientStream,
  'method' | 'httpVersion' | 'bytesIn' | 'bytesOut' | 'abort'
>;

/** From here on exactly one event will be recorded. */
export function openRecord(context: ExchangeContext, client: RecordedRequest): ExchangeRecord {
  return new ExchangeRecord(context.plane, {
    organizationId: context.organizationId,
    holder: context.holder,
    requestId: mintRequestId(),
    target: context.target,
    scheme: context.scheme,
    method: client.method,
    httpVersion: client.httpVersion,
    decision: context.isIntercepted ? 'intercept' : 'allow',
    client,
  });
}
