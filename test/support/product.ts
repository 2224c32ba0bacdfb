/**
 * The real product as its users start it: `node cli/main.ts serve` in a directory of its own, on ports the
 * system chose. Everything it says is kept, so that one call after a test looks for leaked values (I3).
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { AdminClient } from './admin.ts';
import { assertNoCanary, readDirectoryBytes } from './canary.ts';
import type { Haystack } from './canary.ts';
import { openTunnel } from './client.ts';
import type { Endpoint, HttpConnection } from './client.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const READY_MS = 20_000;
const STOP_MS = 45_000;

export interface ProductOptions {
  /** The configuration file, keys in snake_case; merged over the defaults of tests. */
  readonly settings?: SettingsTree;
  readonly env?: Readonly<Record<string, string>>;
  /** More arguments of `serve`. */
  readonly args?: readonly string[];
  /** Test names → `HOST:PORT` of local origins (`egress.hosts`). */
  readonly hosts?: Readonly<Record<string, string>>;
  /** Files beside the configuration, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** PEM of the authority the origins' certificates come from (`egress.extra_ca`). */
  readonly originCa?: string;
}

interface ReadyLine {
  readonly proxy: string;
  readonly proxy_tls?: string;
  readonly admin: string;
}

export interface SettingsTree {
  readonly [key: string]: unknown;
}

export interface TestSandbox {
  readonly id: string;
  readonly token: string;
  readonly env: Readonly<Record<string, string>>;
  /** PEM text by the path that variables name. */
  readonly files: Readonly<Record<string, string>>;
  /** Placeholder by environment variable. */
  readonly placeholders: Readonly<Record<string, string>>;
  /** `http://sandbox:TOKEN@HOST:PORT`. */
  readonly proxyUrl: string;
}

export interface SandboxPlan {
  readonly name?: string;
  /** ENV_KEY → secret name. */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly network?: {
    readonly allow_out?: readonly string[];
    readonly deny_out?: readonly string[];
  };
  /** Other fields of `POST /sandboxes`. */
  readonly more?: Readonly<Record<string, unknown>>;
}

function isTree(value: unknown): value is SettingsTree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function merge(base: SettingsTree, over: SettingsTree): SettingsTree {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const known = merged[key];
    merged[key] = isTree(known) && isTree(value) ? merge(known, value) : value;
  }
  return merged;
}

function parseEndpoint(text: string): Endpoint {
  const colon = text.lastIndexOf(':');
  const host = text.slice(0, colon).replace(/^\[|\]$/g, '');
  return { host, port: Number(text.slice(colon + 1)) };
}

/** A product process and everything a test does to it. Dispose it, or call `stop`. */
export class Product implements AsyncDisposable {
  /** Holds the configuration, the data directory and the CA files. Removed at the end. */
  readonly directory: string;
  readonly bootstrapKey: string;
  /** All output of all runs. */
  readonly output: { stdout: string; stderr: string } = { stdout: '', stderr: '' };
  /** Bytes given to clients (tunnels opened here, tools run with `runTool`). */
  readonly clientBytes: Buffer[] = [];
  proxy: Endpoint = { host: '127.0.0.1', port: 0 };
  /** Of `proxy.tls_listen`, where a test sets it. */
  proxyTls: Endpoint = { host: '127.0.0.1', port: 0 };
  admin: AdminClient;
  /** The product's own CA, PEM. */
  caPem = '';
  readonly #options: ProductOptions;
  #child: ChildProcess | undefined;

  constructor(directory: string, options: ProductOptions) {
    this.directory = directory;
    this.#options = options;
    this.bootstrapKey = `sp_live_${randomBytes(32).toString('base64url')}`;
    this.admin = new AdminClient('http://127.0.0.1:0', this.bootstrapKey);
  }

  get dataDirectory(): string {
    return join(this.directory, 'data');
  }

  get configFile(): string {
    return join(this.directory, 'sallyport.json');
  }

  /** Process id of the running product. */
  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('the product is not running');
    return pid;
  }

  async writeSettings(over: SettingsTree = this.#options.settings ?? {}): Promise<void> {
    const extraCa = join(this.directory, 'origin-ca.pem');
    if (this.#options.originCa !== undefined) await writeFile(extraCa, this.#options.originCa);
    for (const [name, content] of Object.entries(this.#options.files ?? {})) {
      await writeFile(join(this.directory, name), content);
    }
    const base: SettingsTree = {
      data_dir: this.dataDirectory,
      proxy: { listen: '127.0.0.1:0' },
      admin: { listen: '127.0.0.1:0' },
      egress: {
        hosts: this.#options.hosts ?? {},
        allow_private: ['127.0.0.0/8', '::1/128'],
        extra_ca: this.#options.originCa === undefined ? [] : [extraCa],
      },
    };
    await writeFile(this.configFile, JSON.stringify(merge(base, over), null, 2));
  }

  /**
   * Spawns it and waits for the ready line; returns the milliseconds between the two. Rejects with its
   * output when it ends before.
   */
  async start(): Promise<number> {
    const { PATH = '', HOME = '' } = process.env;
    const args = ['serve', '--ready-json', '--config', this.configFile];
    const spawnedAt = performance.now();
    const child = spawn(
      process.execPath,
      [join(ROOT, 'cli/main.ts'), ...args, ...(this.#options.args ?? [])],
      {
        cwd: this.directory,
        env: {
          PATH: `${dirname(process.execPath)}:${PATH}`,
          HOME,
          SALLYPORT_BOOTSTRAP_KEY: this.bootstrapKey,
          ...this.#options.env,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    this.#child = child;
    const ready = await this.#readReadyLine(child);
    const readyAfterMs = performance.now() - spawnedAt;
    this.proxy = parseEndpoint(ready.proxy);
    if (ready.proxy_tls !== undefined) this.proxyTls = parseEndpoint(ready.proxy_tls);
    this.admin = new AdminClient(`http://${ready.admin}`, this.bootstrapKey, this.admin.transcript);
    this.caPem = (await this.admin.get('/ca.pem')).text;
    await writeFile(join(this.directory, 'ca.pem'), this.caPem);
    return readyAfterMs;
  }

  /** SIGTERM; resolves when it ended. Throws unless it ended by itself with 0. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit') as Promise<[number | null, string | null]>;
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    child.kill('SIGTERM');
    const [code, signal] = await ended;
    clearTimeout(timer);
    if (code !== 0) {
      throw new Error(
        `the product ended with ${code ?? signal}:\n${this.output.stderr.slice(-4000)}`,
      );
    }
    // The last-resort guard keeps the process alive; here it is a failure.
    if (this.output.stderr.includes('unforeseen error')) {
      throw new Error(`an unforeseen error:\n${this.output.stderr.slice(-4000)}`);
    }
  }

  /** SIGKILL, as a power cut does to a process. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** Ends it (politely unless `how` says otherwise) and starts it on the same data, ports may differ. */
  async restart(how: 'stop' | 'kill' = 'stop'): Promise<void> {
    await (how === 'stop' ? this.stop() : this.kill());
    await this.start();
  }

  /** `POST /secrets`; returns the answer. Throws when it is refused. */
  async createSecret(
    name: string,
    value: string,
    more: Readonly<Record<string, unknown>>,
  ): Promise<Record<string, unknown>> {
    const answer: unknown = await this.admin.must('POST', '/secrets', { name, value, ...more });
    return answer as Record<string, unknown>;
  }

  async createSandbox(plan: SandboxPlan = {}): Promise<TestSandbox> {
    const created = (await this.admin.must('POST', '/sandboxes', {
      name: plan.name ?? `sandbox-${randomBytes(4).toString('hex')}`,
      ...(plan.secrets === undefined ? {} : { secrets: plan.secrets }),
      ...(plan.network === undefined ? {} : { network: plan.network }),
      ...plan.more,
    })) as Pick<TestSandbox, 'id' | 'env' | 'files'> & { readonly proxy_token: string };
    const keys = Object.keys(plan.secrets ?? {});
    return {
      id: created.id,
      token: created.proxy_token,
      env: created.env,
      files: created.files,
      placeholders: Object.fromEntries(keys.map((key) => [key, created.env[key] ?? ''])),
      proxyUrl: `http://sandbox:${created.proxy_token}@${this.proxy.host}:${this.proxy.port}`,
    };
  }

  /** CONNECT with the sandbox's token and TLS that trusts the product's CA and `alsoTrust`. */
  async openTunnel(
    sandbox: { readonly token: string },
    authority: string,
    alsoTrust = '',
  ): Promise<HttpConnection> {
    const plan = { proxy: this.proxy, authority, token: sandbox.token };
    const tunnel = await openTunnel({ ...plan, ca: `${this.caPem}\n${alsoTrust}` });
    tunnel.socket.on('data', (chunk: Buffer) => this.clientBytes.push(chunk));
    return tunnel;
  }

  /** Everything a value must not be in. `client: false` where the origin itself sent the value back. */
  async haystacks(where: { client?: boolean } = {}): Promise<Haystack[]> {
    const client =
      where.client === false ? [] : [{ name: 'client', bytes: Buffer.concat(this.clientBytes) }];
    return [
      { name: 'stdout', bytes: Buffer.from(this.output.stdout) },
      { name: 'stderr', bytes: Buffer.from(this.output.stderr) },
      { name: 'admin API', bytes: Buffer.concat(this.admin.transcript) },
      ...client,
      ...(await readDirectoryBytes(this.dataDirectory)),
    ];
  }

  /** I3: throws when one of `values` is in a log, the database, an admin answer or client bytes. */
  async assertNoLeak(
    values: string | readonly string[],
    where: { client?: boolean } = {},
  ): Promise<void> {
    const haystacks = await this.haystacks(where);
    for (const value of typeof values === 'string' ? [values] : values) {
      assertNoCanary({ value, haystacks });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.stop();
    } finally {
      await rm(this.directory, { recursive: true, force: true });
    }
  }

  async #readReadyLine(child: ChildProcess): Promise<ReadyLine> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        clearTimeout(timer);
        child.kill('SIGKILL');
        reject(new Error(`${why}\n${this.output.stdout}\n${this.output.stderr}`));
      };
      const timer = setTimeout(() => fail('the product was not ready in time'), READY_MS);
      let line = '';
      child.stdout?.on('data', (chunk: Buffer) => {
        this.output.stdout += chunk.toString();
        line += chunk.toString();
        const found = /^\{"event":"ready".*\}$/m.exec(line);
        if (found === null) return;
        clearTimeout(timer);
        resolve(JSON.parse(found[0]) as ReadyLine);
      });
      child.stderr?.on('data', (chunk: Buffer) => {
        this.output.stderr += chunk.toString();
      });
      child.once('error', (error) => fail(error.message));
      child.once('exit', (code, signal) => fail(`the product ended with ${code ?? signal}`));
    });
  }
}

/** Starts the product; see `ProductOptions`. */
export async function startProduct(options: ProductOptions = {}): Promise<Product> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-test-'));
  const product = new Product(directory, options);
  try {
    await product.writeSettings();
    await product.start();
    return product;
  } catch (error) {
    await product.kill();
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}
