/**
 * Runs real command-line clients (curl, git, wget…) with exactly the environment a sandbox is given, and
 * returns what they said. Never throws on an exit code: a refusal is a result.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface ToolResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ToolOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  /** Default 30 s; then it is killed and the code is `null`. */
  readonly timeoutMs?: number;
}

/** `command args…` with `PATH` and `options.env` only. */
export async function runTool(
  command: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<ToolResult> {
  const { PATH = '' } = process.env;
  const child = spawn(command, args, {
    env: { PATH, LC_ALL: 'C', ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 30_000);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  return { code, stdout, stderr };
}
