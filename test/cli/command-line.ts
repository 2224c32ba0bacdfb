/** The real command line as a child process, with an environment of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'cli/main.ts');

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandLineOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Runs `sallyport ARGS` to its end. */
export async function runSallyport(
  args: readonly string[],
  options: CommandLineOptions = {},
): Promise<Outcome> {
  return runProgram(process.execPath, [MAIN, ...args], options);
}

/** Runs any program to its end. */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: CommandLineOptions = {},
): Promise<Outcome> {
  const child = spawn(file, args, { cwd: options.cwd ?? ROOT, env: commandEnv(options.env) });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code, signal, stdout, stderr };
}

/** Nothing of ours from outside; this Node first on the path. */
export function commandEnv(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const { PATH = '', HOME = '/' } = process.env;
  return {
    PATH: `${resolve(process.execPath, '..')}:${PATH}`,
    HOME,
    // Shared, also by commands that get a temporary directory of their own.
    NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'),
    ...more,
  };
}
