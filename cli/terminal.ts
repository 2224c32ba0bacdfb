/**
 * Where a command reads and writes: the three streams, the environment, the working directory and the
 * exit code. Handed to every command; nothing else in `cli/commands` touches the process.
 */
import { processEnvironment, type Environment } from '../src/settings/environment.ts';

export interface Terminal {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WriteStream;
  readonly environment: Environment;
  readonly cwd: string;
  setExitCode(code: number): void;
}

/** The terminal of this process. A reader that went away (`| head`) is not a failure. */
export function processTerminal(): Terminal {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    environment: processEnvironment(),
    cwd: process.cwd(),
    setExitCode(code) {
      process.exitCode = code;
    },
  };
}
