/**
 * `sallyport audit SECRET`: where a secret was used and what was refused, newest first.
 * `sallyport audit --sandbox S`: what a sandbox did on the network. `audit tail`, `audit
 * observed` and `audit verify` have files of their own.
 */
import type { Command } from 'commander';
import type { AdminClient } from '../admin-client.ts';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from '../admin-connection.ts';
import type { AuditRow, NetworkPage } from '../admin-shapes.ts';
import { usageFault } from '../command-fault.ts';
import { parseWholeNumber } from '../option-parsers.ts';
import { printJson, printTable } from '../output.ts';
import { readSandboxId } from '../sandbox-reference.ts';
import type { Terminal } from '../terminal.ts';
import { registerObserved } from '../audit-observed.ts';
import { registerTail } from '../audit-tail.ts';
import { registerVerify } from '../audit-verify.ts';

interface AuditOptions extends ConnectionOptions {
  readonly sandbox?: string;
  readonly limit: number;
  readonly status?: string;
}

export function register(program: Command, terminal: Terminal): void {
  const command = addConnectionOptions(program.command('audit [secret]'))
    .description('where a secret was used, or what a sandbox did')
    .option('--sandbox <sandbox>', 'the network log of this sandbox instead')
    .option('--limit <number>', 'rows, at most 1000', parseWholeNumber, 100)
    .option('--status <class>', '2xx, 3xx, 4xx, 5xx or errors; for a secret')
    .action((secret: string | undefined, options: AuditOptions) =>
      audit(terminal, secret, options),
    );
  registerTail(command, terminal);
  registerObserved(command, terminal);
  registerVerify(command, terminal);
}

async function audit(
  terminal: Terminal,
  secret: string | undefined,
  options: AuditOptions,
): Promise<void> {
  const { sandbox } = options;
  if ((secret === undefined) === (sandbox === undefined)) {
    throw usageFault('name a secret, or a sandbox with --sandbox');
  }
  if (sandbox !== undefined && options.status !== undefined) {
    throw usageFault('--status is for the audit of a secret');
  }
  await withAdmin(terminal, options, async (admin) => {
    if (secret !== undefined) await auditSecret(terminal, admin, secret, options);
    else if (sandbox !== undefined) await auditSandbox(terminal, admin, sandbox, options);
  });
}

async function auditSecret(
  terminal: Terminal,
  admin: AdminClient,
  name: string,
  options: AuditOptions,
): Promise<void> {
  const query = new URLSearchParams({ limit: String(options.limit) });
  if (options.status !== undefined) query.set('status', options.status);
  const path = `/secrets/${encodeURIComponent(name)}/audit?${query.toString()}`;
  const rows = await admin.get<readonly AuditRow[]>(`reading the audit of ${name}`, path);
  if (options.json === true) return printJson(terminal, rows);
  printTable(
    terminal,
    ['TIME', 'SANDBOX', 'REQUEST', 'STATUS', 'ORIGIN', 'MS', 'VERSION', 'CODE'],
    rows.map((row) => [
      row.ts,
      row.sandbox_name ?? row.sandbox_id,
      `${row.method} ${row.host}${row.path}`,
      row.status,
      row.upstream_status,
      row.latency_ms,
      row.version,
      row.error_code,
    ]),
    'not used yet',
  );
}

async function auditSandbox(
  terminal: Terminal,
  admin: AdminClient,
  name: string,
  options: AuditOptions,
): Promise<void> {
  const id = await readSandboxId(admin, name);
  const path = `/sandboxes/${id}/network?limit=${options.limit}`;
  const page = await admin.get<NetworkPage>(`reading the network log of ${name}`, path);
  if (options.json === true) return printJson(terminal, page);
  printTable(
    terminal,
    ['TIME', 'KIND', 'WHAT', 'RESULT', 'MS', 'CODE'],
    page.data.map((row) => [
      row.ts,
      row.kind,
      row.kind === 'request'
        ? `${row.method} ${row.host}${row.path}`
        : `${row.host}:${row.dst_port ?? ''}`,
      row.kind === 'request' ? row.status : row.verdict,
      row.latency_ms,
      row.would_refuse === undefined
        ? (row.error_code ?? row.match_rule)
        : `observed: ${row.would_refuse}`,
    ]),
    'nothing yet',
  );
}
