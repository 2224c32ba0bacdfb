/**
 * One request that nobody's client sent: a test of a secret, through the same steps as every exchange —
 * network rules, address guard, selection, permit, vault, composing, egress — and none of its traces: no
 * audit event, no use. Only the head of the answer is read. Never rejects for what the request met.
 */
import type { Origin, UpstreamObserver, UpstreamResponseHead } from '../src/egress/upstream.ts';
import { composeRequest } from '../src/inject/compose-request.ts';
import { Refusal } from '../src/kernel/errors.ts';
import { FIXED } from '../src/kernel/limits.ts';
import { decideExchange } from '../src/policy/decide-exchange.ts';
import { decideIntercept } from '../src/policy/decide-intercept.ts';
import type { Winner } from '../src/policy/decision.ts';
import type { RequestHead } from '../src/policy/request-head.ts';
import type { Snapshot } from '../src/policy/snapshot.ts';
import type { ProbeAnswer } from '../src/secrets/secret-tester.ts';
import { judgeAnswer, type AuthFailureKind } from '../src/usage/auth-failure.ts';
import { formatAuthority } from '../src/wire/host.ts';
import { withClientIdentity } from './client-identity.ts';
import type { DataPlane } from './data-plane.ts';
import { Reach } from './reach.ts';
import { asRefusal } from './respond.ts';

/** Sends `head` as the holder of `snapshot` would, if the secret goes on it. */
export async function probeOrigin(
  plane: DataPlane,
  snapshot: Snapshot,
  head: RequestHead,
  secretId: string,
): Promise<ProbeAnswer> {
  const beganMs = plane.clock.monotonicMs();
  let sent: Winner | null = null;
  try {
    const winners = selectSecrets(plane, snapshot, head);
    const winner = winners.find((one) => one.secretId === secretId);
    if (winner === undefined) throw notSelected();
    // After the selection: the name of a host that the secret is not for is not even resolved.
    const reach = new Reach(plane, { host: head.host, port: head.port }, head.scheme);
    const origin = await reach.originFor(snapshot);
    const answer = await send(plane, origin, head, winners, () => {
      sent = winner;
    });
    return describeAnswer(answer, winner, plane.clock.monotonicMs() - beganMs);
  } catch (error) {
    const { code, message, cause } = asRefusal(error);
    if (code === 'internal_error') plane.logger.error({ err: cause }, 'a test failed inside');
    const version = (sent as Winner | null)?.version ?? null;
    const latencyMs = Math.round(plane.clock.monotonicMs() - beganMs);
    return {
      status: null,
      code,
      isAccepted: null,
      kind: null,
      version,
      latencyMs,
      detail: message,
    };
  }
}

function selectSecrets(plane: DataPlane, snapshot: Snapshot, head: RequestHead): readonly Winner[] {
  const target = { host: head.host, port: head.port };
  const isRead =
    head.scheme === 'http' ||
    decideIntercept(snapshot, target, plane.neverIntercept) === 'intercept';
  if (!isRead) throw notSelected();
  const decision = decideExchange(snapshot, head, { nowMs: plane.clock.nowMs() });
  if (decision.verdict === 'refuse') throw decision.refusal;
  return decision.winners;
}

function send(
  plane: DataPlane,
  origin: Origin,
  head: RequestHead,
  winners: readonly Winner[],
  onSent: () => void,
): Promise<UpstreamResponseHead> {
  const opened = winners.map((winner) => ({
    winner,
    value: plane.opener.openValue(winner.permit),
  }));
  const composed = composeRequest({ head, winners: opened, connectionOptions: [] });
  const defaultPort = head.scheme === 'https' ? 443 : 80;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      exchange.abort();
      reject(new Refusal('upstream_timeout'));
    }, FIXED.secretTestTimeoutMs);
    const settle = (end: () => void): void => {
      clearTimeout(timer);
      end();
    };
    const observer: UpstreamObserver = {
      onHeadWritten: onSent,
      onInformation: ignore,
      onResponse: (answer) => {
        // The body tells nothing that we read.
        exchange.abort();
        settle(() => resolve(answer));
      },
      onData: () => true,
      onEnd: ignore,
      onFailure: (refusal) => settle(() => reject(refusal)),
    };
    const exchange = plane.upstream.dispatch(
      {
        origin: withClientIdentity(origin, opened),
        protocol: 'http/1.1',
        method: head.method,
        target: composed.target,
        fields: composed.fields,
        neverIndexed: composed.setFields,
        hostField: formatAuthority({ host: head.host, port: head.port }, defaultPort),
        body: null,
        contentLength: null,
        expectContinue: false,
        acceptsTrailers: false,
        requestTrailers: null,
        replayable: true,
      },
      observer,
    );
  });
}

function describeAnswer(
  answer: UpstreamResponseHead,
  { placement, version }: Winner,
  latencyMs: number,
): ProbeAnswer {
  const { status } = answer;
  const outcome = judgeAnswer(answer, placement);
  const base = { status, code: null, version, latencyMs: Math.round(latencyMs) };
  if (outcome !== null && outcome !== 'accepted') {
    return { ...base, isAccepted: false, kind: outcome, detail: KIND_DETAILS[outcome] };
  }
  if (status < 300) {
    const detail = 'The origin answered with success.';
    return { ...base, isAccepted: true, kind: null, detail };
  }
  const detail =
    status < 400
      ? 'The origin redirects, which is not followed; give a url that it answers itself.'
      : 'The answer does not tell whether the credential was accepted; give another url.';
  return { ...base, isAccepted: null, kind: null, detail };
}

const KIND_DETAILS: Readonly<Record<AuthFailureKind, string>> = {
  expired: 'The origin says that the credential has expired.',
  wrong_scheme: 'The origin asks for another authentication scheme than the one that was sent.',
  wrong_prefix: 'The origin says that the credential is not written as it must be.',
  scope: 'The origin knows the credential and does not permit it this.',
  unknown: 'The origin refused the credential and does not say why.',
};

function notSelected(): Refusal {
  return new Refusal('credential_host_mismatch', {
    message: 'No auth rule of this secret is for this host, port and path, so it was not sent.',
  });
}

function ignore(): void {}
