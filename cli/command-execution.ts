/**
 * Runs a command in the foreground with this terminal's streams and passes signals and exit code through,
 * as a shell would report them: the code, or 128 + the number of the signal that ended it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { CommandFault } from './command-fault.ts';
import { EXIT_CODES } from './exit-codes.ts';

const PASSED_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

/** The terminal sends these to the whole foreground group itself: passing them on would double them. */
const TERMINAL_SIGNALS = new Set<string>(['SIGINT', 'SIGQUIT']);

/**
 * Takes the signals of this process from now until `end`: they reach the command once it runs, and one
 * that comes earlier keeps it from being started. So nothing ends this process before it has cleaned up.
 */
export class SignalPass {
  #early: NodeJS.Signals | undefined;
  #child: ChildProcess | undefined;

  constructor() {
    for (const signal of PASSED_SIGNALS) process.on(signal, this.#pass);
  }

  /** The exit code. CommandFault with 127 or 126 when the command cannot be started. */
  async execute(command: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
    if (this.#early !== undefined) return exitCodeOf(null, this.#early);
    const [file = '', ...args] = command;
    const child = spawn(file, args, { stdio: 'inherit', env: environment });
    this.#child = child;
    return new Promise<number>((resolve, reject) => {
      child.once('error', (error) => reject(startFault(file, error)));
      child.once('exit', (code, signal) => resolve(exitCodeOf(code, signal)));
    });
  }

  end(): void {
    for (const signal of PASSED_SIGNALS) process.off(signal, this.#pass);
  }

  readonly #pass = (signal: NodeJS.Signals): void => {
    if (this.#child === undefined) this.#early ??= signal;
    else if (!(process.stdin.isTTY && TERMINAL_SIGNALS.has(signal))) this.#child.kill(signal);
  };
}

function exitCodeOf(code: number | null, signal: NodeJS.Signals | null): number {
  return signal === null ? (code ?? EXIT_CODES.failed) : 128 + constants.signals[signal];
}

function startFault(file: string, cause: NodeJS.ErrnoException): CommandFault {
  const isMissing = cause.code === 'ENOENT';
  return new CommandFault(isMissing ? 'command not found' : (cause.code ?? cause.message), {
    doing: `running ${file}`,
    cause,
    exitCode: isMissing ? EXIT_CODES.commandNotFound : EXIT_CODES.commandNotExecutable,
  });
}
