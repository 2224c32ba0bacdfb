/**
 * What the demo runs on: a temporary directory, the real product in a process of its own on free ports, and
 * the real command line. `clear` ends and removes all of it and may be called twice.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Shared with every other run: commands get the stage as their temporary directory. */
const COMPILE_CACHE = process.env['NODE_COMPILE_CACHE'] ?? join(tmpdir(), 'node-compile-cache');
const MAIN = join(import.meta.dirname, '..', 'cli', 'main.ts');

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class Stage {
  readonly directory: string;
  readonly #adminKey = `sp_live_${randomBytes(32).toString('base64url')}`;
  readonly #children = new Set<ChildProcess>();
  #server: ChildProcess | undefined;
  #adminUrl = '';

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Starts the product with `settings` and waits until it accepts. Rejects with its output when it ends first. */
  async startProduct(settings: object): Promise<{ proxy: string; admin: string }> {
    const config = join(this.directory, 'sallyport.json');
    writeFileSync(config, JSON.stringify(settings));
    const server = spawn(process.execPath, [MAIN, 'serve', '--ready-json', '--config', config], {
      cwd: this.directory,
      env: { ...process.env, SALLYPORT_BOOTSTRAP_KEY: this.#adminKey },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#server = server;
    let complaint = '';
    server.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
    for await (const line of createInterface({ input: server.stdout })) {
      const ready = JSON.parse(line) as { proxy: string; admin: string };
      this.#adminUrl = `http://${ready.admin}`;
      return ready;
    }
    throw new Error(`the product did not start:\n${complaint}`);
  }

  /** One `sallyport` command line with the admin key in its environment. */
  sallyport(args: readonly string[], input = ''): Promise<Outcome> {
    return this.#run(process.execPath, [MAIN, ...args], input);
  }

  /** Ends every process and removes the directory. */
  async clear(): Promise<void> {
    // Commands first: each revokes its sandbox before it ends.
    await Promise.all([...this.#children].map(endProcess));
    if (this.#server !== undefined) await endProcess(this.#server);
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #run(file: string, args: readonly string[], input: string): Promise<Outcome> {
    const child = spawn(file, args, {
      cwd: this.directory,
      env: {
        PATH: process.env['PATH'],
        HOME: this.directory,
        TMPDIR: this.directory,
        NODE_COMPILE_CACHE: COMPILE_CACHE,
        GIT_TERMINAL_PROMPT: '0',
        GIT_CONFIG_NOSYSTEM: '1',
        SALLYPORT_URL: this.#adminUrl,
        SALLYPORT_API_KEY: this.#adminKey,
      },
    });
    this.#children.add(child);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    const [code] = (await once(child, 'close')) as [number | null];
    this.#children.delete(child);
    return { code: code ?? -1, stdout, stderr };
  }
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
