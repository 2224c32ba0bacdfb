/**
 * The judge of the corpus, pure: what arrived at the origin and what the client got, against the row. It
 * knows nothing of the proxy under test, so that the same judge acquits ours and convicts the control.
 */
import type { AttackCase } from './attack-case.ts';
import { ATTACKER_TOKEN, SMUGGLED_TARGET } from './attack-case.ts';
import type { Arrivals } from './recording-origin.ts';
import { valuesOf } from './strict-reader.ts';
import type { StrictRequest } from './strict-reader.ts';

/** Normalized field name → the only value it may have. */
export type Injected = Readonly<Record<string, string>>;

export interface Evidence {
  readonly arrivals: Arrivals;
  /** Statuses of the final responses, in order. */
  readonly statuses: readonly number[];
  /** The client was left without answer and without end. */
  readonly hung: boolean;
  /** What an innocent request got right after: its own target when all is well. */
  readonly sentinelTarget: string;
  readonly sentinelAnswer: string;
}

/** Faults in words; empty means innocent. */
export function judge(row: AttackCase, injected: Injected, evidence: Evidence): string[] {
  const { arrivals, sentinelTarget } = evidence;
  const requests = arrivals.requests.filter(({ target }) => target !== sentinelTarget);
  const text = arrivals.text;
  return [
    ...arrivals.faults.map((fault) => `the origin read ${fault}`),
    ...(arrivals.openTails > 0 ? ['an unfinished request holds an open connection'] : []),
    ...countFaults(row, requests.length, evidence),
    ...arrivals.requests.flatMap((request) => credentialFaults(request, injected)),
    ...row.absent.filter((one) => text.includes(one)).map((one) => `${one} arrived`),
    ...bodyFaults(row, requests),
    ...(evidence.sentinelAnswer === sentinelTarget
      ? []
      : [`the next request got ${JSON.stringify(evidence.sentinelAnswer)}`]),
  ];
}

function countFaults(row: AttackCase, count: number, evidence: Evidence): string[] {
  const faults: string[] = [];
  const isForwarded = count > 0 || row.expect === 'arrives';
  if (row.expect === 'refused' && count > 0) faults.push(`${count} requests arrived, not refused`);
  if (row.expect !== 'refused' && isForwarded && count !== row.requests) {
    faults.push(`${count} requests arrived, not ${row.requests}`);
  }
  const successes = evidence.statuses.filter((status) => status < 400).length;
  if (successes > count) faults.push(`${successes} successes for ${count} requests`);
  if (row.expect === 'arrives' && successes < count) {
    faults.push(`${count} requests arrived and were answered ${evidence.statuses.join(', ')}`);
  }
  if (evidence.hung && !row.isCutOff) faults.push('the client was left hanging');
  return faults;
}

function credentialFaults(request: StrictRequest, injected: Injected): string[] {
  const faults: string[] = [];
  for (const [name, value] of Object.entries(injected)) {
    const values = valuesOf(request.fields, name);
    if (values.length !== 1 || values[0] !== value) faults.push(`${values.length} of ${name}`);
  }
  const texts = [request.target, ...request.fields, ...request.trailers];
  if (texts.some((one) => one.includes(ATTACKER_TOKEN)))
    faults.push("the attacker's token arrived");
  if (request.target.includes(SMUGGLED_TARGET)) faults.push('a smuggled request arrived');
  return faults;
}

function bodyFaults(row: AttackCase, requests: readonly StrictRequest[]): string[] {
  if (row.body === null || requests.length === 0 || requests[0]?.body === row.body) return [];
  return [`the body arrived as ${JSON.stringify(requests[0]?.body)}`];
}
