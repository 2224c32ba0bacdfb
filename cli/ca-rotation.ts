/**
 * `sallyport ca show` and `ca rotate`: one step a call, and after each step what to do next. A rotation has
 * three: both CAs are handed out, the new one signs, the old one is not handed out any more.
 */
import type { Command } from 'commander';
import type { AdminClient } from './admin-client.ts';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from './admin-connection.ts';
import { usageFault } from './command-fault.ts';
import { parseDurationSeconds } from './option-parsers.ts';
import { printJson, printLine, printTable } from './output.ts';
import type { Terminal } from './terminal.ts';

interface RootShape {
  readonly subject: string;
  readonly fingerprint_sha256: string;
  readonly not_before: string;
  readonly not_after: string;
}

interface AuthorityShape {
  readonly phase: 'steady' | 'overlap' | 'switched';
  readonly active: RootShape;
  readonly next: RootShape | null;
  readonly retired: RootShape | null;
  readonly switch_at: string | null;
}

interface RotateOptions extends ConnectionOptions {
  readonly switchAfter?: number;
  readonly switch?: boolean;
  readonly finish?: boolean;
  readonly cancel?: boolean;
}

export function registerRotate(ca: Command, terminal: Terminal): void {
  addConnectionOptions(ca.command('show'))
    .description('fingerprints, dates, and how far a rotation is')
    .action((options: ConnectionOptions) => showAuthority(terminal, options));
  addConnectionOptions(ca.command('rotate'))
    .description('replace the CA, step by step: rotate, rotate --switch, rotate --finish')
    .option(
      '--switch-after <duration>',
      'the new CA signs by itself from then on (30m, 7d)',
      parseDurationSeconds,
    )
    .option('--switch', 'from now on the new CA signs')
    .option('--finish', 'the old CA is not handed out any more, and its key is gone')
    .option('--cancel', 'drop the new CA: the old one signs, alone')
    .action((options: RotateOptions) => rotate(terminal, options));
}

async function showAuthority(terminal: Terminal, options: ConnectionOptions): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    print(terminal, options, await admin.get<AuthorityShape>('reading the CA', '/ca'));
  });
}

async function rotate(terminal: Terminal, options: RotateOptions): Promise<void> {
  const steps = (['switch', 'finish', 'cancel'] as const).filter((step) => options[step] === true);
  const { switchAfter } = options;
  if (steps.length + (switchAfter === undefined ? 0 : 1) > 1) {
    throw usageFault('one step at a time: --switch, --finish, --cancel or --switch-after');
  }
  await withAdmin(terminal, options, async (admin) => {
    print(terminal, options, await takeStep(admin, steps[0], switchAfter));
  });
}

function takeStep(
  admin: AdminClient,
  step: 'switch' | 'finish' | 'cancel' | undefined,
  switchAfter: number | undefined,
): Promise<AuthorityShape> {
  if (step !== undefined) return admin.post(`rotating the CA: ${step}`, `/ca/${step}`, undefined);
  const body = switchAfter === undefined ? {} : { switch_after_seconds: switchAfter };
  return admin.post('rotating the CA', '/ca/rotate', body);
}

function print(terminal: Terminal, { json }: ConnectionOptions, found: AuthorityShape): void {
  if (json === true) return printJson(terminal, found);
  const roots = [
    ['signs', found.active],
    ['signs after the switch', found.next],
    ['trusted until finished', found.retired],
  ] as const;
  printTable(
    terminal,
    ['STATE', 'SUBJECT', 'NOT BEFORE', 'NOT AFTER', 'SHA-256'],
    roots.flatMap(([state, root]) =>
      root === null
        ? []
        : [[state, root.subject, root.not_before, root.not_after, root.fingerprint_sha256]],
    ),
    '',
  );
  const advice = adviseNext(found);
  if (advice === null) return;
  printLine(terminal, '');
  for (const line of advice) printLine(terminal, line);
}

function adviseNext({ phase, switch_at }: AuthorityShape): readonly string[] | null {
  if (phase === 'steady') return null;
  if (phase === 'switched') {
    return [
      'The new CA signs. Once no client is left that was given the old one alone:',
      'sallyport ca rotate --finish',
    ];
  }
  const when =
    switch_at === null
      ? 'Once every sandbox has them: sallyport ca rotate --switch'
      : `The new one signs from ${switch_at}; sooner: sallyport ca rotate --switch`;
  return ['Both CAs are handed out: /ca.pem, `ca export`, the files of new sandboxes.', when];
}
