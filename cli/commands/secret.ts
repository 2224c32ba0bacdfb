/**
 * `sallyport secret …`: register, list, show, change, rotate and delete secrets. A value goes in through
 * standard input, a prompt, a file or a variable and never comes out.
 */
import type { Command } from 'commander';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from '../admin-connection.ts';
import type { SecretView } from '../admin-shapes.ts';
import { addAuthOptions, readAuthFields, type AuthOptions } from '../auth-options.ts';
import { usageFault } from '../command-fault.ts';
import { parseSeconds } from '../option-parsers.ts';
import { printFields, printJson, printLine, printTable } from '../output.ts';
import {
  addSecretUseOptions,
  readSecretUseFields,
  type SecretUseOptions,
} from '../secret-use-options.ts';
import { registerVersionCommands } from '../secret-versions.ts';
import type { Terminal } from '../terminal.ts';
import { addValueOptions, isValueGiven, readValue, type ValueOptions } from '../value-source.ts';

type WriteOptions = ConnectionOptions & AuthOptions & SecretUseOptions & ValueOptions;
type RotateOptions = ConnectionOptions & ValueOptions & { readonly overlap?: number };

export function register(program: Command, terminal: Terminal): void {
  const secret = program.command('secret').description('secrets: named credentials');
  addWriteOptions(secret.command('create <name>'))
    .description('register a secret; the value is read from standard input or a prompt')
    .action((name: string, options: WriteOptions) => createSecret(terminal, name, options));
  addConnectionOptions(secret.command('list'))
    .description('list secrets')
    .action((options: ConnectionOptions) => listSecrets(terminal, options));
  addConnectionOptions(secret.command('show <name>'))
    .description('show one secret, never its value')
    .action((name: string, options: ConnectionOptions) => showSecret(terminal, name, options));
  addWriteOptions(secret.command('update <name>'))
    .description('change a secret; what is not named stays, widening needs the value again')
    .action((name: string, options: WriteOptions) => updateSecret(terminal, name, options));
  addConnectionOptions(addValueOptions(secret.command('rotate <name>')))
    .option(
      '--overlap <duration>',
      'so long the value before may serve one retry of a GET or HEAD answered 401, as 10m',
      parseSeconds,
    )
    .description('give a secret a new value, in force from the next request')
    .action((name: string, options: RotateOptions) => rotateSecret(terminal, name, options));
  registerVersionCommands(secret, terminal);
  addConnectionOptions(secret.command('delete <name>'))
    .description('delete a secret; sandboxes bound to it are refused from the next request')
    .action((name: string, options: ConnectionOptions) => deleteSecret(terminal, name, options));
}

function addWriteOptions(command: Command): Command {
  return addConnectionOptions(addValueOptions(addSecretUseOptions(addAuthOptions(command))));
}

function readFields(options: WriteOptions): Record<string, unknown> {
  return { ...readAuthFields(options), ...readSecretUseFields(options) };
}

async function createSecret(
  terminal: Terminal,
  name: string,
  options: WriteOptions,
): Promise<void> {
  const fields = readFields(options);
  if (fields['provider'] === undefined && fields['auth'] === undefined) {
    throw usageFault(
      'it must be said how the value is placed',
      'For instance --provider github, or --bearer --host api.example.com.',
    );
  }
  const value = await readValue(terminal, options, `value of ${name}: `);
  await withAdmin(terminal, options, async (admin) => {
    const created = await admin.post<SecretView>(`creating secret ${name}`, '/secrets', {
      name,
      value: value.reveal(),
      ...fields,
    });
    printWritten(terminal, options, created, 'created');
  });
}

async function listSecrets(terminal: Terminal, options: ConnectionOptions): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const rows = await admin.get<readonly SecretView[]>('listing secrets', '/secrets');
    if (options.json === true) return printJson(terminal, rows);
    printTable(
      terminal,
      ['NAME', 'AUTH', 'PROVIDER', 'VERSION', 'LAST USED', 'HOSTS'],
      rows.map((row) => [
        row.name,
        row.auth_kind,
        row.provider_shortcut,
        row.version,
        row.last_used_at ?? 'never',
        row.hosts.join(' '),
      ]),
      'no secrets yet; `sallyport secret create` makes one',
    );
  });
}

async function showSecret(
  terminal: Terminal,
  name: string,
  options: ConnectionOptions,
): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const secret = await admin.get<SecretView>(`reading secret ${name}`, secretPath(name));
    if (options.json === true) return printJson(terminal, secret);
    printFields(terminal, describeSecret(secret));
  });
}

async function updateSecret(
  terminal: Terminal,
  name: string,
  options: WriteOptions,
): Promise<void> {
  const fields = readFields(options);
  if (isValueGiven(options)) {
    fields['value'] = (await readValue(terminal, options, `value of ${name}: `)).reveal();
  }
  if (Object.keys(fields).length === 0) throw usageFault('nothing to change was named');
  await withAdmin(terminal, options, async (admin) => {
    const doing = `updating secret ${name}`;
    const updated = await admin.patch<SecretView>(doing, secretPath(name), fields);
    printWritten(terminal, options, updated, 'updated');
  });
}

async function rotateSecret(
  terminal: Terminal,
  name: string,
  options: RotateOptions,
): Promise<void> {
  const value = await readValue(terminal, options, `new value of ${name}: `);
  await withAdmin(terminal, options, async (admin) => {
    const doing = `rotating secret ${name}`;
    const body = { value: value.reveal(), overlap_seconds: options.overlap };
    const rotated = await admin.patch<SecretView>(doing, secretPath(name), body);
    printWritten(terminal, options, rotated, 'rotated');
  });
}

async function deleteSecret(
  terminal: Terminal,
  name: string,
  options: ConnectionOptions,
): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    await admin.delete(`deleting secret ${name}`, secretPath(name));
    if (options.json === true) printJson(terminal, { deleted: name });
    else printLine(terminal, `deleted secret ${name}`);
  });
}

function printWritten(
  terminal: Terminal,
  options: ConnectionOptions,
  secret: SecretView,
  done: string,
): void {
  if (options.json === true) return printJson(terminal, secret);
  const where = secret.hosts.join(', ');
  printLine(terminal, `${done} secret ${secret.name} (version ${secret.version}) for ${where}`);
  for (const warning of secret.warnings ?? []) printLine(terminal, `warning: ${warning}`);
}

function describeSecret(secret: SecretView): (readonly [string, string | number | null])[] {
  return [
    ['name', secret.name],
    ['id', secret.id],
    ['description', secret.description],
    ['provider', secret.provider_shortcut],
    ['auth', secret.auth_kind],
    ['auth config', JSON.stringify(secret.auth_config)],
    ['hosts', secret.hosts.join(' ')],
    ['ports', secret.ports.join(' ')],
    ['methods', secret.methods?.join(' ') ?? 'any'],
    ['paths', secret.paths?.join(' ') ?? 'any'],
    ['version', secret.version],
    ['usable', secret.usable ? 'yes' : 'no'],
    ['disabled', secret.disabled ? 'yes' : 'no'],
    ['expires', secret.expires_at ?? 'never'],
    ['workspaces', describeWorkspaces(secret)],
    ['created', secret.created_at],
    ['updated', secret.updated_at],
    ['rotated', secret.rotated_at],
    ['overlap until', secret.overlap_ends_at],
    ['last used', secret.last_used_at ?? 'never'],
    ['refused', describeHealth(secret)],
  ];
}

/** By id, as the API names them. */
function describeWorkspaces(secret: SecretView): string {
  const { allowed_workspaces_type: type, allowed_workspaces: allowed } = secret;
  if (type === 'ALL') return 'every';
  return type === 'NONE' ? 'none' : allowed.join(' ');
}

function describeHealth(secret: SecretView): string {
  const { auth_failures: failures, auth_failure_kind: kind, last_auth_failure_at: at } = secret;
  if (at === null) return 'never';
  const last = `last at ${at}: ${kind ?? 'unknown'}`;
  return failures === 0 ? `not since it was accepted; ${last}` : `${failures} in a row; ${last}`;
}

function secretPath(name: string): string {
  return `/secrets/${encodeURIComponent(name)}`;
}
