/**
 * What a bulk write would do, step by step, made before anything is done: shown first, then executed in
 * order. Steps say names and fields, never values.
 */
import type { AdminClient } from '../admin-client.ts';
import { CommandFault } from '../command-fault.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { formatText, printJson, printLine } from '../output.ts';
import type { Terminal } from '../terminal.ts';

export interface Step {
  readonly action: 'create' | 'change' | 'delete' | 'skip' | 'refuse';
  readonly kind: 'workspace' | 'group' | 'secret' | 'sandbox';
  readonly name: string;
  /** Fields and what else is to be known, in words. */
  readonly details: readonly string[];
  /** What to do next, once it is done. */
  readonly next?: string;
  /** Absent: there is nothing to do. */
  readonly run?: (admin: AdminClient) => Promise<void>;
}

const SIGNS = { create: '+', change: '~', delete: '-', skip: '=', refuse: '!' } as const;
const WORDS = {
  create: 'created',
  change: 'changed',
  delete: 'deleted',
  skip: 'skipped',
  refuse: 'refused',
} as const;

/** The plan and its sum, or JSON. */
function printPlan(terminal: Terminal, steps: readonly Step[], isJson: boolean): void {
  if (isJson) return printJson(terminal, { plan: steps.map(describeStep) });
  for (const step of steps) printLine(terminal, formatStep(step));
  const count = (action: Step['action']): number =>
    steps.filter((step) => step.action === action).length;
  const sum = [
    `${count('create')} to create`,
    `${count('change')} to change`,
    `${count('delete')} to delete`,
    ...(count('skip') === 0 ? [] : [`${count('skip')} skipped`]),
    ...(count('refuse') === 0 ? [] : [`${count('refuse')} that cannot be`]),
  ];
  printLine(terminal, sum.join(', '));
}

export interface Execution {
  /** Go on with the other steps when one fails. */
  readonly continues: boolean;
  /** Otherwise the plan is only shown. */
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** Shows the plan and, with `yes`, does it. CommandFault, after everything was reported, when a step failed. */
export async function finishPlan(
  terminal: Terminal,
  admin: AdminClient,
  steps: readonly Step[],
  options: Execution,
): Promise<void> {
  const { yes = false, json = false } = options;
  if (!yes || !json) printPlan(terminal, steps, json);
  const isNothing = steps.every(({ run }) => run === undefined);
  if (yes) await executePlan(terminal, admin, steps, options);
  else if (!json) {
    printLine(terminal, isNothing ? 'nothing to do' : 'nothing was changed; --yes does it');
  }
  const refused = steps.filter(({ action }) => action === 'refuse').length;
  if (refused === 0) return;
  throw new CommandFault(`${refused} of ${steps.length} cannot be`, {
    exitCode: EXIT_CODES.invalid,
    hint: 'The plan says why, row by row; the others do not depend on them.',
  });
}

async function executePlan(
  terminal: Terminal,
  admin: AdminClient,
  steps: readonly Step[],
  { continues, json: isJson = false }: Execution,
): Promise<void> {
  const results: Record<string, unknown>[] = [];
  const failures: CommandFault[] = [];
  for (const step of steps) {
    const failure = await runStep(admin, step);
    if (failure !== null) failures.push(failure);
    results.push({ ...describeStep(step), result: failure?.message ?? WORDS[step.action] });
    if (!isJson) printLine(terminal, formatResult(step, failure));
    if (failure !== null && !continues) break;
  }
  if (isJson) printJson(terminal, { results });
  const [first] = failures;
  if (first === undefined) return;
  const left = steps.length - results.length;
  throw new CommandFault(
    `${failures.length} of ${steps.length} steps failed${left === 0 ? '' : `, ${left} were not tried`}`,
    {
      cause: first,
      exitCode: failures.length === 1 ? first.exitCode : EXIT_CODES.failed,
      hint: first.hint ?? 'Run it again when the cause is gone: what was done is not done twice.',
    },
  );
}

async function runStep(admin: AdminClient, step: Step): Promise<CommandFault | null> {
  try {
    await step.run?.(admin);
    return null;
  } catch (error) {
    if (error instanceof CommandFault) return error;
    throw error;
  }
}

function describeStep({ action, kind, name, details }: Step): Record<string, unknown> {
  return { action, kind, name, details };
}

function formatStep({ action, kind, name, details }: Step): string {
  const more = details.length === 0 ? '' : `: ${details.join(', ')}`;
  return formatText(`${SIGNS[action]} ${kind} ${name}${more}`);
}

/** A fault may have a line for each field. */
function formatResult({ action, kind, name, next }: Step, failure: CommandFault | null): string {
  const done = next === undefined ? WORDS[action] : `${WORDS[action]}; ${formatText(next)}`;
  const result = failure === null ? done : `failed: ${failure.message}`;
  return `${formatText(`${kind} ${name}`)}: ${result}`;
}
