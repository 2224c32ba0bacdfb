/** What `POST /explain` answers, and how a person reads it: decision, network, every secret with its reason. */
import { printFields, printLine, printTable } from './output.ts';
import type { Terminal } from './terminal.ts';

export interface ExplanationView {
  readonly decision: string;
  readonly code: string | null;
  readonly message: string;
  readonly hint: string | null;
  readonly network: {
    readonly verdict: string;
    readonly match_rule: string | null;
    readonly would_refuse: string | null;
  };
  readonly intercept: boolean;
  readonly considered: readonly {
    readonly secret_name: string;
    readonly env_key: string;
    readonly outcome: string;
    readonly reason: string;
  }[];
  readonly sets: readonly string[];
  readonly strips: readonly string[];
}

/** True when the proxy would refuse the request. */
export function isRefused(explanation: ExplanationView): boolean {
  return explanation.decision === 'deny';
}

export function printExplanation(terminal: Terminal, explanation: ExplanationView): void {
  const { network } = explanation;
  const rule = network.match_rule === null ? '' : ` by ${network.match_rule}`;
  printFields(terminal, [
    ['decision', explanation.decision],
    ['why', explanation.message],
    ...(explanation.code === null ? [] : [['code', explanation.code] as const]),
    ...(explanation.hint === null ? [] : [['hint', explanation.hint] as const]),
    ['network', `${network.verdict}${rule}`],
    ...(network.would_refuse === null
      ? []
      : [['observed only', `would be refused: ${network.would_refuse}`] as const]),
    ['read by the proxy', explanation.intercept ? 'yes' : 'no'],
    ['sets', explanation.sets.join(' ')],
    ['strips', explanation.strips.join(' ')],
  ]);
  if (explanation.considered.length === 0) return;
  printLine(terminal, '');
  printTable(
    terminal,
    ['SECRET', 'VARIABLE', 'OUTCOME', 'REASON'],
    explanation.considered.map((one) => [one.secret_name, one.env_key, one.outcome, one.reason]),
    '',
  );
}
