/**
 * `explain`: the decision the proxy would take for one request, with its reasons. Runs the deciders that
 * the proxy runs, with tracing; it is not a copy of them. Opens no value and drops the permits it is
 * given with the winners. Names of fields only, never what would stand in them.
 */
import type { Decision } from '../audit/event.ts';
import type { Refusal, RefusalCode } from '../kernel/errors.ts';
import { normalizeFieldName } from '../wire/field-list.ts';
import { bindingsForHost } from './binding-index.ts';
import { decideExchange } from './decide-exchange.ts';
import { decideSandbox } from './decide-sandbox.ts';
import type { Considered, InterceptDecision, NetworkDecision, Winner } from './decision.ts';
import { fieldsSetBy } from './claim.ts';
import { ExchangeTrace } from './exchange-trace.ts';
import type { RequestHead } from './request-head.ts';
import type { Snapshot } from './snapshot.ts';

const NEVER_INTERCEPTED = 'the configuration names this host in egress.never_intercept';

export interface ExplainContext {
  readonly nowMs: number;
  /** `resolve`: names were not resolved, so the network verdict stays open. */
  readonly network: NetworkDecision;
  readonly intercept: InterceptDecision;
  /** What the limits of the sandbox, or the end of the CA, would refuse it with now. */
  readonly limited: Refusal | null;
}

export interface Explanation {
  readonly decision: Decision;
  /** `null`: nothing refuses it. */
  readonly code: RefusalCode | null;
  readonly message: string;
  readonly hint: string | null;
  readonly network: {
    /** `unresolved`: depends on the addresses of the name. */
    readonly verdict: 'allowed' | 'blocked' | 'unresolved';
    readonly matchRule: string | null;
    /** With `egress.mode: observe`: the code that would refuse what is let pass. */
    readonly wouldRefuse: RefusalCode | null;
  };
  readonly intercept: boolean;
  /** Every bound secret, in order of binding. Empty where the sandbox, the network or its limits refuse it. */
  readonly considered: readonly Considered[];
  /** Normalized field names, `?name` for a query key, `path`. */
  readonly sets: readonly string[];
  readonly strips: readonly string[];
}

/** Plain `http` requests are judged as they are read, whatever `context.intercept` says. */
export function explainExchange(
  snapshot: Snapshot,
  head: RequestHead,
  context: ExplainContext,
): Explanation {
  const { network } = context;
  const isRead = head.scheme === 'http' || context.intercept === 'intercept';
  const base = {
    network: describeNetwork(network),
    intercept: context.intercept === 'intercept',
    considered: [],
    sets: [],
    strips: [],
  };
  const early =
    decideSandbox(snapshot, context.nowMs) ??
    (network.verdict === 'refuse' ? network.refusal : context.limited);
  if (early !== null) return { ...base, ...refused(early) };
  if (!isRead) {
    const bound = bindingsForHost(snapshot.index, head.host);
    const isForbidden = snapshot.interceptAll || bound.length > 0;
    const why = isForbidden ? NEVER_INTERCEPTED : 'no bound secret names this host';
    const message = `The tunnel is passed through untouched: ${why}.`;
    const trace = new ExchangeTrace(snapshot, head);
    for (const binding of bound) trace.passedBy(binding);
    const considered = trace.finish();
    return { ...base, considered, decision: 'tunnel', code: null, message, hint: null };
  }
  const exchange = decideExchange(snapshot, head, { nowMs: context.nowMs, trace: true });
  const { considered } = exchange;
  if (exchange.verdict === 'refuse') return { ...base, considered, ...refused(exchange.refusal) };
  const { winners } = exchange;
  return {
    ...base,
    decision: 'allow',
    code: null,
    message: describeWinners(winners),
    hint: null,
    considered,
    sets: winners.flatMap((winner) => describeSet(winner, head)),
    strips: winners.flatMap((winner) => [
      ...winner.stripFields,
      ...winner.stripQuery.map((key) => `?${key}`),
    ]),
  };
}

function refused(refusal: Refusal): Pick<Explanation, 'decision' | 'code' | 'message' | 'hint'> {
  const { code, message, hint } = refusal;
  return { decision: 'deny', code, message, hint };
}

function describeNetwork(network: NetworkDecision): Explanation['network'] {
  if (network.verdict === 'refuse') {
    return { verdict: 'blocked', matchRule: network.matchRule, wouldRefuse: null };
  }
  const { observed } = network;
  const wouldRefuse = observed?.code ?? null;
  if (network.verdict === 'allow') {
    return { verdict: 'allowed', matchRule: network.matchRule, wouldRefuse };
  }
  return { verdict: 'unresolved', matchRule: observed?.matchRule ?? null, wouldRefuse };
}

function describeWinners(winners: readonly Winner[]): string {
  if (winners.length === 0) return 'The request is forwarded without a secret.';
  const names = winners.map(({ secretName }) => secretName).join(', ');
  return `The request is forwarded with ${names}.`;
}

/** Companions count where the client sent none. */
function describeSet({ placement, companionHeaders }: Winner, head: RequestHead): string[] {
  const sent = new Set(head.fields.filter((_, index) => index % 2 === 0).map(normalizeFieldName));
  const companions = Object.keys(companionHeaders)
    .map(normalizeFieldName)
    .filter((name) => !sent.has(name));
  if (placement.type === 'query') return [`?${placement.name}`, ...companions];
  if (placement.type === 'path') return ['path', ...companions];
  if (placement.type === 'mtls') return ['client certificate', ...companions];
  return [...fieldsSetBy(placement), ...companions];
}
