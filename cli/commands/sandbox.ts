/**
 * `sallyport sandbox …`: create, list, show and delete sandboxes, attach and detach secrets, replace the
 * token. The token is shown once, where it is made.
 */
import type { Command } from 'commander';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from '../admin-connection.ts';
import type { CreatedSandbox, SandboxView } from '../admin-shapes.ts';
import { parseProxyEndpoint, type ProxyEndpoint } from '../endpoint.ts';
import { collect, collectPairs, parseWholeNumber } from '../option-parsers.ts';
import { printFields, printJson, printLine, printTable } from '../output.ts';
import { readSandboxId } from '../sandbox-reference.ts';
import { collectSecrets, parseSecretReference } from '../secret-reference.ts';
import type { Terminal } from '../terminal.ts';

interface CreateOptions extends ConnectionOptions {
  readonly secret?: Readonly<Record<string, string>>;
  readonly allowOut?: readonly string[];
  readonly denyOut?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly timeout?: number;
  readonly ttl?: number;
  readonly injectAll?: boolean;
  readonly perMinute?: number;
  readonly concurrent?: number;
  readonly export?: boolean;
  readonly dir?: string;
  readonly proxy?: ProxyEndpoint;
}

interface TokenOptions extends ConnectionOptions {
  readonly overlap?: number;
}

export function register(program: Command, terminal: Terminal): void {
  const sandbox = program.command('sandbox').description('sandboxes: clients of the proxy');
  registerCreate(sandbox, terminal);
  addConnectionOptions(sandbox.command('list'))
    .description('list sandboxes')
    .action((options: ConnectionOptions) => listSandboxes(terminal, options));
  addConnectionOptions(sandbox.command('show <sandbox>'))
    .description('show one sandbox')
    .action((name: string, options: ConnectionOptions) => showSandbox(terminal, name, options));
  addConnectionOptions(sandbox.command('delete <sandbox>'))
    .description('revoke a sandbox at once, also what it has open')
    .action((name: string, options: ConnectionOptions) => deleteSandbox(terminal, name, options));
  addConnectionOptions(sandbox.command('attach <sandbox> <secret[=env]>'))
    .description('bind a secret to a variable')
    .action((name: string, secret: string, options: ConnectionOptions) =>
      attachSecret(terminal, name, secret, options),
    );
  addConnectionOptions(sandbox.command('detach <sandbox> <env>'))
    .description('take a binding away, in force from the next request')
    .action((name: string, envKey: string, options: ConnectionOptions) =>
      detachSecret(terminal, name, envKey, options),
    );
  addConnectionOptions(sandbox.command('token <sandbox>'))
    .description('make a new proxy token; the old one ends')
    .option('--overlap <seconds>', 'let the old one work this much longer', parseWholeNumber)
    .action((name: string, options: TokenOptions) => replaceToken(terminal, name, options));
}

function registerCreate(sandbox: Command, terminal: Terminal): void {
  addConnectionOptions(sandbox.command('create <name>'))
    .description('make a sandbox and its token')
    .option('--secret <name[=env]>', 'bind this secret to a variable', collectSecrets)
    .option('--inject-all', 'inject every secret by its host, without variables')
    .option('--allow-out <entry>', 'only these hosts, addresses or ranges', collect)
    .option('--deny-out <entry>', 'not these', collect)
    .option('--env <key=text>', 'a variable for the sandbox', collectPairs)
    .option('--metadata <key=text>', 'for people and filters', collectPairs)
    .option('--timeout <seconds>', 'pause it after this time', parseWholeNumber)
    .option('--ttl <seconds>', 'end it after this time', parseWholeNumber)
    .option('--per-minute <count>', 'at most this many requests a minute', parseWholeNumber)
    .option('--concurrent <count>', 'at most this many requests at once', parseWholeNumber)
    .option('--export', 'print shell lines to evaluate; the CA files are written to --dir')
    .option('--dir <directory>', 'where the CA files go (default: a new temporary directory)')
    .option(
      '--proxy <host:port>',
      'with --export: the proxy, if not what the API says',
      parseProxyEndpoint,
    )
    .action((name: string, options: CreateOptions) => createSandbox(terminal, name, options));
}

async function createSandbox(
  terminal: Terminal,
  name: string,
  options: CreateOptions,
): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const created = await admin.post<CreatedSandbox>(`creating sandbox ${name}`, '/sandboxes', {
      name,
      secrets: options.secret ?? {},
      ...(options.injectAll === true ? { secrets_mode: 'all' } : {}),
      network: { allow_out: options.allowOut ?? [], deny_out: options.denyOut ?? [] },
      env_vars: options.env,
      metadata: options.metadata,
      timeout_seconds: options.timeout,
      ttl_seconds: options.ttl,
      limits: { requests_per_minute: options.perMinute, concurrent: options.concurrent },
    });
    for (const warning of created.warnings ?? []) terminal.stderr.write(`warning: ${warning}\n`);
    if (options.export === true) {
      const { formatExports } = await import('../sandbox-exports.ts');
      terminal.stdout.write(
        await formatExports(admin, created, { directory: options.dir, proxy: options.proxy }),
      );
    } else if (options.json === true) printJson(terminal, created);
    else printCreated(terminal, created);
  });
}

function printCreated(terminal: Terminal, created: CreatedSandbox): void {
  const bound = created.secrets.map((secret) => `${secret.env_key}=${secret.secret_name}`);
  printFields(terminal, [
    ['name', created.name],
    ['id', created.id],
    ['secrets', bound.join(' ')],
    ['proxy', created.env['HTTPS_PROXY']],
    ['token', `${created.proxy_token}  (shown once)`],
  ]);
  printLine(terminal, 'With --export this prints the complete environment for a shell.');
}

async function listSandboxes(terminal: Terminal, options: ConnectionOptions): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const rows = await admin.get<readonly SandboxView[]>('listing sandboxes', '/sandboxes');
    if (options.json === true) return printJson(terminal, rows);
    printTable(
      terminal,
      ['NAME', 'ID', 'STATUS', 'CREATED', 'SECRETS'],
      rows.map((row) => [row.name, row.id, row.status, row.created_at, describeBindings(row)]),
      'no sandboxes',
    );
  });
}

async function showSandbox(
  terminal: Terminal,
  name: string,
  options: ConnectionOptions,
): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const id = await readSandboxId(admin, name);
    const row = await admin.get<SandboxView>(`reading sandbox ${name}`, `/sandboxes/${id}`);
    if (options.json === true) return printJson(terminal, row);
    printFields(terminal, [
      ['name', row.name],
      ['id', row.id],
      ['status', row.status],
      ['created', row.created_at],
      ['expires', row.expires_at ?? 'never'],
      ['secrets', describeBindings(row)],
      ['allow out', row.network.allow_out.join(' ') || 'everything'],
      ['deny out', row.network.deny_out.join(' ') || 'nothing'],
    ]);
  });
}

async function deleteSandbox(
  terminal: Terminal,
  name: string,
  options: ConnectionOptions,
): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const id = await readSandboxId(admin, name);
    await admin.delete(`deleting sandbox ${name}`, `/sandboxes/${id}`);
    if (options.json === true) printJson(terminal, { deleted: id });
    else printLine(terminal, `deleted sandbox ${name}`);
  });
}

async function attachSecret(
  terminal: Terminal,
  name: string,
  secret: string,
  options: ConnectionOptions,
): Promise<void> {
  const { envKey, secretName } = parseSecretReference(secret);
  await withAdmin(terminal, options, async (admin) => {
    const id = await readSandboxId(admin, name);
    const bound = await admin.post<{ env_key: string; secret_name: string; placeholder?: string }>(
      `attaching ${secretName} to sandbox ${name}`,
      `/sandboxes/${id}/secrets`,
      { env_key: envKey, secret_name: secretName },
    );
    if (options.json === true) return printJson(terminal, bound);
    printLine(terminal, `${bound.env_key}=${bound.placeholder ?? ''}`);
  });
}

async function detachSecret(
  terminal: Terminal,
  name: string,
  envKey: string,
  options: ConnectionOptions,
): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const id = await readSandboxId(admin, name);
    const path = `/sandboxes/${id}/secrets/${encodeURIComponent(envKey)}`;
    await admin.delete(`detaching ${envKey} from sandbox ${name}`, path);
    if (options.json === true) printJson(terminal, { detached: envKey });
    else printLine(terminal, `detached ${envKey} from sandbox ${name}`);
  });
}

async function replaceToken(
  terminal: Terminal,
  name: string,
  options: TokenOptions,
): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const id = await readSandboxId(admin, name);
    const answer = await admin.post<{ proxy_token: string }>(
      `replacing the token of sandbox ${name}`,
      `/sandboxes/${id}/token`,
      options.overlap === undefined ? {} : { overlap_seconds: options.overlap },
    );
    if (options.json === true) printJson(terminal, answer);
    else printLine(terminal, answer.proxy_token);
  });
}

function describeBindings(sandbox: SandboxView): string {
  return sandbox.secrets
    .map((secret) => `${secret.env_key}=${secret.secret_name}${secret.revoked ? ' (deleted)' : ''}`)
    .join(' ');
}
