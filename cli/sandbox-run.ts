/**
 * The life of one `sallyport run`: sandbox, trust files and relay before the command, all of them gone
 * after it. Should this process be killed outright, the token dies with it (it was nowhere else) and the
 * lease below lets the server pause and then remove the sandbox.
 */
import { readFileSync, rmSync } from 'node:fs';
import { startRelay, type Relay } from '../proxy/relay.ts';
import type { RelayUpstream } from '../proxy/relay-upstream.ts';
import { Hidden } from '../src/kernel/hidden.ts';
import type { AdminClient } from './admin-client.ts';
import type { CreatedSandbox, SecretView } from './admin-shapes.ts';
import type { SignalPass } from './command-execution.ts';
import { CommandFault } from './command-fault.ts';
import type { ProxyEndpoint } from './endpoint.ts';
import { writeSandboxFiles, type SandboxFiles } from './sandbox-files.ts';
import { readProxyEndpoint, sandboxVariables } from './sandbox-variables.ts';
import { envKeyOf } from './secret-reference.ts';
import type { Terminal } from './terminal.ts';

export interface RunRequest {
  readonly name: string;
  /** Variable → secret name. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Every secret by its host, without variables. */
  readonly injectAll: boolean;
  readonly network: { readonly allow_out: readonly string[]; readonly deny_out: readonly string[] };
  readonly ttlSeconds: number | undefined;
  /** `undefined`: where the admin API says. */
  readonly proxy: ProxyEndpoint | undefined;
}

export interface SandboxRun {
  /** The exit code of the command, or 128 + signal. */
  execute(command: readonly string[], signals: SignalPass): Promise<number>;
  /** Revokes the sandbox, closes the relay, removes the files. Never rejects: it says what remained. */
  end(): Promise<void>;
}

/** Paused by the server when no heartbeat came for this long; removed a day later. */
const LEASE_SECONDS = 3_600;
const HEARTBEAT_MS = 60_000;
const REVOKE_ATTEMPTS = 5;

/** What the environment of this process holds that the command must not see. */
const WITHHELD = [
  'SALLYPORT_API_KEY',
  'SALLYPORT_BOOTSTRAP_KEY',
  'SALLYPORT_ROOT_KEY',
  'SALLYPORT_MASTER_KEY',
];

/** Every usable secret under the variable that follows from its name. CommandFault when two collide. */
export async function readUsableSecrets(admin: AdminClient): Promise<Record<string, string>> {
  const all = await admin.get<readonly SecretView[]>('listing secrets', '/secrets');
  const secrets: Record<string, string> = {};
  for (const { name } of all.filter((secret) => secret.usable)) {
    const key = envKeyOf(name);
    const other = secrets[key];
    if (other !== undefined) {
      throw new CommandFault(`${name} and ${other} both would be ${key}`, {
        hint: 'Name the secrets with --secret NAME=ENV_KEY instead of --all.',
      });
    }
    secrets[key] = name;
  }
  return secrets;
}

export async function startRun(
  terminal: Terminal,
  admin: AdminClient,
  asked: RunRequest,
): Promise<SandboxRun> {
  const created = await admin.post<CreatedSandbox>('creating the sandbox', '/sandboxes', {
    name: asked.name,
    secrets: asked.secrets,
    ...(asked.injectAll ? { secrets_mode: 'all' } : {}),
    network: asked.network,
    metadata: { created_by: 'sallyport run' },
    timeout_seconds: LEASE_SECONDS,
    auto_delete_seconds: 86_400,
    ...(asked.ttlSeconds === undefined ? {} : { ttl_seconds: asked.ttlSeconds }),
  });
  const run = new Run(terminal, admin, created, asked.proxy);
  try {
    await run.prepare();
  } catch (error) {
    await run.end();
    throw error;
  }
  return run;
}

class Run implements SandboxRun {
  readonly #terminal: Terminal;
  readonly #admin: AdminClient;
  readonly #created: CreatedSandbox;
  readonly #proxy: ProxyEndpoint | undefined;
  #files: SandboxFiles | undefined;
  #relay: Relay | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #variables: Record<string, string> = {};

  constructor(
    terminal: Terminal,
    admin: AdminClient,
    created: CreatedSandbox,
    proxy: ProxyEndpoint | undefined,
  ) {
    this.#proxy = proxy;
    this.#terminal = terminal;
    this.#admin = admin;
    this.#created = created;
  }

  async prepare(): Promise<void> {
    const path = `/sandboxes/${this.#created.id}/resume`;
    this.#heartbeat = setInterval(() => {
      this.#admin.post('keeping the sandbox alive', path, {}).catch(() => undefined);
    }, HEARTBEAT_MS);
    this.#files = await writeSandboxFiles(this.#admin);
    this.#relay = await startRelay({
      upstream: this.#upstream(this.#files),
      token: new Hidden(this.#created.proxy_token),
      listen: { host: '127.0.0.1', port: 0 },
    });
    this.#variables = sandboxVariables(this.#created, this.#files, { relayUrl: this.#relay.url });
  }

  #upstream({ bundleFile }: SandboxFiles): RelayUpstream {
    const { isTls, ...endpoint } = this.#proxy ?? readProxyEndpoint(this.#created);
    return { ...endpoint, tls: isTls ? { caPem: readFileSync(bundleFile, 'utf8') } : null };
  }

  execute(command: readonly string[], signals: SignalPass): Promise<number> {
    const inherited = Object.entries(this.#terminal.environment).filter(
      ([key]) => !WITHHELD.includes(key),
    );
    return signals.execute(command, { ...Object.fromEntries(inherited), ...this.#variables });
  }

  async end(): Promise<void> {
    clearInterval(this.#heartbeat);
    await this.#relay?.close();
    await this.#revoke();
    if (this.#files !== undefined) rmSync(this.#files.directory, { recursive: true, force: true });
  }

  async #revoke(): Promise<void> {
    const path = `/sandboxes/${this.#created.id}`;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#admin.delete('revoking the sandbox', path);
        return;
      } catch (error) {
        if (error instanceof CommandFault && error.message.includes('(404 ')) return;
        if (attempt < REVOKE_ATTEMPTS) {
          await new Promise((resolve) => void setTimeout(resolve, attempt * 200));
          continue;
        }
        this.#terminal.stderr.write(
          `sallyport: sandbox ${this.#created.id} could not be revoked; it is paused by itself within ` +
            `an hour. hint: sallyport sandbox delete ${this.#created.id}\n`,
        );
        return;
      }
    }
  }
}
