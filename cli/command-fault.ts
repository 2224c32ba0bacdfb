/**
 * A failure of the command line, as a person reads it: what was being done, what went wrong, what would
 * help. Never contains a value, a token or a key.
 */
import { CONTROL_ERRORS, ControlError, StartError } from '../src/kernel/errors.ts';
import { EXIT_CODES, exitCodeOfStatus } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

interface CommandFaultOptions {
  /** As in "creating secret github": completes "… failed". */
  readonly doing?: string;
  readonly hint?: string;
  readonly exitCode?: number;
  readonly cause?: unknown;
}

export class CommandFault extends Error {
  override readonly name = 'CommandFault';
  readonly doing: string | undefined;
  readonly hint: string | undefined;
  readonly exitCode: number;

  constructor(message: string, options: CommandFaultOptions = {}) {
    super(message, { cause: options.cause });
    this.doing = options.doing;
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? EXIT_CODES.failed;
  }
}

/** For wrong options and arguments. */
export function usageFault(
  message: string,
  hint = 'Add --help for what is possible.',
): CommandFault {
  return new CommandFault(message, { exitCode: EXIT_CODES.usage, hint });
}

/** Prints a failure on standard error and sets the exit code. Unknown ones keep their stack. */
export function reportFault(terminal: Terminal, error: unknown): void {
  const { stderr } = terminal;
  if (error instanceof CommandFault) {
    const doing = error.doing === undefined ? '' : `${error.doing}: `;
    stderr.write(`sallyport: ${doing}${error.message}\n`);
    if (error.hint !== undefined) stderr.write(`hint: ${error.hint}\n`);
    terminal.setExitCode(error.exitCode);
    return;
  }
  if (error instanceof StartError) {
    stderr.write(`sallyport: ${error.message}\nhint: ${error.hint}\n`);
    terminal.setExitCode(EXIT_CODES.settings);
    return;
  }
  if (error instanceof ControlError) {
    stderr.write(`sallyport: ${error.message}\n`);
    terminal.setExitCode(exitCodeOfStatus(CONTROL_ERRORS[error.code].status));
    return;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  stderr.write(`sallyport: unexpected failure: ${text}\n`);
  terminal.setExitCode(EXIT_CODES.failed);
}
