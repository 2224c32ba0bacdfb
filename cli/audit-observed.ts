/**
 * `sallyport audit observed`: what `egress.mode: observe` let pass, summed up by target and reason, so that
 * default-deny can be turned on from evidence. Reads the export line by line; memory grows with the number
 * of targets, never with the number of events.
 */
import type { Command } from 'commander';
import type { AdminClient } from './admin-client.ts';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from './admin-connection.ts';
import type { TrailRow } from './admin-shapes.ts';
import { printJson, printTable } from './output.ts';
import { readSandboxId } from './sandbox-reference.ts';
import type { Terminal } from './terminal.ts';

interface ObservedOptions extends ConnectionOptions {
  readonly sandbox?: string;
  readonly since?: string;
}

/** One target that would be refused for one reason. */
interface ObservedTarget {
  readonly host: string;
  readonly port: number;
  readonly would_refuse: string;
  readonly match_rule: string | null;
  count: number;
  readonly sandboxes: Set<string>;
  readonly last_at: string;
}

export function registerObserved(audit: Command, terminal: Terminal): void {
  addConnectionOptions(audit.command('observed'))
    .description('what egress.mode observe let pass, by target and reason')
    .option('--sandbox <sandbox>', 'of this sandbox alone')
    .option('--since <time>', 'RFC 3339, as 2026-01-31T00:00:00Z')
    .action((options: ObservedOptions) => showObserved(terminal, options));
}

async function showObserved(terminal: Terminal, options: ObservedOptions): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const query = new URLSearchParams({ observed: 'true', format: 'ndjson' });
    if (options.sandbox !== undefined) {
      query.set('sandbox', await readSandboxId(admin, options.sandbox));
    }
    if (options.since !== undefined) query.set('since', options.since);
    const targets = new Map<string, ObservedTarget>();
    for await (const row of readRows(admin, `/audit?${query.toString()}`)) addRow(targets, row);
    const found = [...targets.values()].toSorted((one, other) => other.count - one.count);
    const shown = found.map((target) => ({ ...target, sandboxes: [...target.sandboxes] }));
    if (options.json === true) return printJson(terminal, shown);
    printTable(
      terminal,
      ['TARGET', 'WOULD BE', 'RULE', 'COUNT', 'SANDBOXES', 'LAST'],
      shown.map((one) => [
        one.host.includes(':') ? `[${one.host}]:${one.port}` : `${one.host}:${one.port}`,
        one.would_refuse,
        one.match_rule,
        one.count,
        one.sandboxes.join(' '),
        one.last_at,
      ]),
      'nothing would have been refused',
    );
  });
}

/** Newest first, so the first row of a target is its last. */
function addRow(targets: Map<string, ObservedTarget>, row: TrailRow): void {
  const { host, port, would_refuse = '' } = row;
  const key = `${host} ${port} ${would_refuse}`;
  let target = targets.get(key);
  if (target === undefined) {
    target = {
      host,
      port,
      would_refuse,
      match_rule: row.match_rule ?? null,
      count: 0,
      sandboxes: new Set(),
      last_at: row.ts,
    };
    targets.set(key, target);
  }
  target.count += 1;
  target.sandboxes.add(row.sandbox_name ?? row.sandbox_id);
}

async function* readRows(admin: AdminClient, path: string): AsyncGenerator<TrailRow> {
  let rest = '';
  for await (const text of admin.stream('reading what was observed', path)) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line) as TrailRow;
  }
}
