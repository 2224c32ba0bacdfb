/**
 * `sallyport secret versions|rollback|rollout|test`: what was given when, back to it, how far a rotation has
 * come, and whether an origin takes the secret. No value is in any of it.
 */
import type { Command } from 'commander';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from './admin-connection.ts';
import type { RolloutView, SecretTestView, SecretView, VersionView } from './admin-shapes.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { parseWholeNumber } from './option-parsers.ts';
import { printFields, printJson, printLine, printTable } from './output.ts';
import type { Terminal } from './terminal.ts';

interface TestOptions extends ConnectionOptions {
  readonly at?: string;
  readonly method?: string;
  readonly sandbox?: string;
}

export function registerVersionCommands(secret: Command, terminal: Terminal): void {
  addConnectionOptions(secret.command('versions <name>'))
    .description('list the versions of a secret, newest first')
    .action((name: string, options: ConnectionOptions) => listVersions(terminal, name, options));
  addConnectionOptions(secret.command('rollback <name>'))
    .argument('<version>', 'the number of a version that still has its value', parseWholeNumber)
    .description('make an earlier version active again, from the next request')
    .action((name: string, version: number, options: ConnectionOptions) =>
      rollBack(terminal, name, version, options),
    );
  addConnectionOptions(secret.command('rollout <name>'))
    .description('what each version served since the rotation, and whether the old value can go')
    .action((name: string, options: ConnectionOptions) => showRollout(terminal, name, options));
  addConnectionOptions(secret.command('test <name>'))
    .option('--at <url>', 'a URL the secret is for; default: its first exact host')
    .option('--method <method>', 'GET or HEAD')
    .option('--sandbox <id>', 'with the bindings and network rules of this sandbox')
    .description('send one real request with a secret and say whether the origin took it')
    .action((name: string, options: TestOptions) => testSecret(terminal, name, options));
}

async function listVersions(
  terminal: Terminal,
  name: string,
  options: ConnectionOptions,
): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const doing = `listing the versions of ${name}`;
    const rows = await admin.get<readonly VersionView[]>(doing, secretPath(name, 'versions'));
    if (options.json === true) return printJson(terminal, rows);
    printTable(
      terminal,
      ['VERSION', 'STATE', 'CREATED', 'BY', 'LAST USED', 'REFUSED'],
      rows.map((row) => [
        row.version,
        stateOf(row),
        row.created_at,
        row.created_by,
        row.last_used_at ?? 'never',
        describeRefused(row),
      ]),
      'no versions',
    );
  });
}

async function rollBack(
  terminal: Terminal,
  name: string,
  version: number,
  options: ConnectionOptions,
): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const doing = `rolling back secret ${name}`;
    const path = secretPath(name, 'rollback');
    const secret = await admin.post<SecretView>(doing, path, { version });
    if (options.json === true) return printJson(terminal, secret);
    printLine(terminal, `secret ${secret.name} uses version ${secret.version} again`);
  });
}

async function showRollout(
  terminal: Terminal,
  name: string,
  options: ConnectionOptions,
): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const doing = `reading the rollout of ${name}`;
    const rollout = await admin.get<RolloutView>(doing, secretPath(name, 'rollout'));
    if (options.json === true) return printJson(terminal, rollout);
    printTable(
      terminal,
      ['VERSION', 'STATE', 'REQUESTS', 'LAST USED', 'PINNED', 'REFUSED'],
      rollout.versions.map((row) => [
        row.version,
        row.version === rollout.active_version ? 'active' : '',
        row.requests_since_rotation,
        row.last_used_at ?? 'never',
        row.pinned_bindings,
        describeRefused(row),
      ]),
      'no versions',
    );
    printFields(terminal, [
      ['rotated', rollout.rotated_at],
      ['overlap until', rollout.overlap_ends_at],
      ['safe to revoke', rollout.safe_to_revoke ? 'yes' : 'no'],
      ['because', rollout.reason],
    ]);
  });
}

/** Ends with a failure unless the origin took the secret, or its answer does not tell. */
async function testSecret(terminal: Terminal, name: string, options: TestOptions): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const { at, method, sandbox } = options;
    const body = { url: at, method, sandbox };
    const doing = `testing secret ${name}`;
    const result = await admin.post<SecretTestView>(doing, secretPath(name, 'test'), body);
    if (result.auth_ok === false || result.code !== null) terminal.setExitCode(EXIT_CODES.failed);
    if (options.json === true) return printJson(terminal, result);
    printFields(terminal, [
      ['url', `${result.method} ${result.url}`],
      ['status', result.status],
      ['accepted', result.auth_ok === null ? 'unknown' : result.auth_ok ? 'yes' : 'no'],
      ['why', result.classification ?? result.code],
      ['version', result.version],
      ['took', `${result.latency_ms} ms`],
      ['detail', result.detail],
    ]);
  });
}

function stateOf(row: VersionView): string {
  if (row.active) return 'active';
  return row.destroyed ? 'destroyed' : 'kept';
}

function describeRefused(row: Pick<VersionView, 'auth_failures' | 'auth_failure_kind'>): string {
  return row.auth_failures === 0 ? '' : `${row.auth_failures} (${row.auth_failure_kind})`;
}

function secretPath(name: string, what: string): string {
  return `/secrets/${encodeURIComponent(name)}/${what}`;
}
