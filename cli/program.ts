/**
 * The commands by name, each loaded when it is asked for: a start pays for one command, not for all.
 * A command file exports `register`, which describes its options and binds its action.
 */
import { Command, CommanderError } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import { reportFault } from './command-fault.ts';
import { EXIT_CODES } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

interface CommandFile {
  register(program: Command, terminal: Terminal): void;
}

const COMMANDS: Readonly<Record<string, () => Promise<CommandFile>>> = {
  serve: () => import('./commands/serve.ts'),
  init: () => import('./commands/init.ts'),
  secret: () => import('./commands/secret.ts'),
  provider: () => import('./commands/provider.ts'),
  sandbox: () => import('./commands/sandbox.ts'),
  run: () => import('./commands/run.ts'),
  relay: () => import('./commands/relay.ts'),
  env: () => import('./commands/env.ts'),
  explain: () => import('./commands/explain.ts'),
  audit: () => import('./commands/audit.ts'),
  webhook: () => import('./commands/webhook.ts'),
  import: () => import('./commands/import.ts'),
  export: () => import('./commands/export.ts'),
  apply: () => import('./commands/apply.ts'),
  ca: () => import('./commands/ca.ts'),
  key: () => import('./commands/key.ts'),
  backup: () => import('./commands/backup.ts'),
  config: () => import('./commands/config.ts'),
  health: () => import('./commands/health.ts'),
};

/** Runs one command line (without node and script). Failures are printed; the exit code is set. */
export async function runProgram(args: readonly string[], terminal: Terminal): Promise<void> {
  const program = makeProgram(terminal);
  const asked = COMMANDS[args[0] ?? ''];
  const loaders = asked === undefined ? Object.values(COMMANDS) : [asked];
  for (const file of await Promise.all(loaders.map((load) => load()))) {
    file.register(program, terminal);
  }
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) reportFault(terminal, error);
    else if (error.exitCode !== 0) terminal.setExitCode(EXIT_CODES.usage);
  }
}

function makeProgram(terminal: Terminal): Command {
  return new Command('sallyport')
    .description('The guarded way out: programs call APIs with keys they never hold.')
    .version(manifest.version, '-V, --version')
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError('(add --help for what is possible)')
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      writeErr: (text) => void terminal.stderr.write(withoutArguments(text)),
    });
}

/** What was typed where it does not belong may be a value: it is not repeated. */
function withoutArguments(text: string): string {
  return text
    .replace(/^error: /, 'sallyport: ')
    .replace(/(too many arguments[\s\S]* but got \d+): [\s\S]*\.(?=\s*$)/, `$1.\n${NO_VALUES}`)
    .replace(/(unknown option '--?[\w-]+)=[\s\S]*'(?=\n\(Did|\s*$)/, "$1'");
}

const NO_VALUES =
  'hint: A value is never an argument; standard input, --value-file FILE or --value-env NAME give it.';
