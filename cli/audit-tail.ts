/**
 * `sallyport audit tail`: the latest events of all sandboxes, oldest first; with `--follow` also those that
 * come, until it is interrupted. A connection that ends is opened again where it ended.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { AdminClient } from './admin-client.ts';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from './admin-connection.ts';
import type { TrailPage, TrailRow } from './admin-shapes.ts';
import { usageFault } from './command-fault.ts';
import { readEvents } from './event-stream.ts';
import { parseWholeNumber } from './option-parsers.ts';
import { formatText, printLine } from './output.ts';
import { readSandboxId } from './sandbox-reference.ts';
import type { Terminal } from './terminal.ts';

interface TailOptions extends ConnectionOptions {
  readonly sandbox?: string;
  readonly limit: number;
  readonly status?: string;
  readonly follow?: boolean;
}

const RECONNECT_MS = 1_000;

export function registerTail(audit: Command, terminal: Terminal): void {
  addConnectionOptions(audit.command('tail'))
    .description('the latest events of all sandboxes, oldest first')
    .option('-f, --follow', 'and those that come, until interrupted')
    .option('--sandbox <sandbox>', 'of this sandbox alone')
    .option('--limit <number>', 'rows to begin with, at most 1000', parseWholeNumber, 100)
    .option('--status <class>', '2xx, 3xx, 4xx, 5xx, errors or a number; without --follow')
    .action((options: TailOptions) => tail(terminal, options));
}

async function tail(terminal: Terminal, options: TailOptions): Promise<void> {
  const { status, follow = false } = options;
  if (follow && status !== undefined) throw usageFault('--status is not for --follow');
  await withAdmin(terminal, options, async (admin) => {
    const sandbox =
      options.sandbox === undefined ? null : await readSandboxId(admin, options.sandbox);
    const query = new URLSearchParams({ limit: String(options.limit) });
    if (sandbox !== null) query.set('sandbox', sandbox);
    if (status !== undefined) query.set('status', status);
    const page = await admin.get<TrailPage>('reading the audit', `/audit?${query.toString()}`);
    const print = (row: TrailRow): void =>
      printLine(terminal, options.json === true ? JSON.stringify(row) : formatRow(row));
    for (const row of page.data.toReversed()) print(row);
    if (!follow) return;
    const newest = page.data.length === 0 ? null : Math.max(...page.data.map((row) => row.id));
    for await (const row of followFrom(terminal, admin, newest)) {
      if (sandbox === null || row.sandbox_id === sandbox) print(row);
    }
  });
}

/** Until nobody reads any more. */
async function* followFrom(
  terminal: Terminal,
  admin: AdminClient,
  newest: number | null,
): AsyncGenerator<TrailRow> {
  let place = newest === null ? null : String(newest);
  while (terminal.stdout.writable) {
    const path = place === null ? '/events' : `/events?after=${encodeURIComponent(place)}`;
    for await (const { id, data } of readEvents(admin.stream('following the audit', path))) {
      place = id ?? place;
      if (data !== null) yield JSON.parse(data) as TrailRow;
      if (!terminal.stdout.writable) return;
    }
    await sleep(RECONNECT_MS);
  }
}

function formatRow(row: TrailRow): string {
  const what =
    row.kind === 'request'
      ? `${row.method ?? ''} ${row.host}${row.path ?? ''}`
      : `CONNECT ${row.host}:${row.port}`;
  const result = row.kind === 'request' ? String(row.status ?? '') : (row.verdict ?? '');
  const cells = [row.ts, row.sandbox_name ?? row.sandbox_id, what, result, `${row.latency_ms} ms`];
  const observed = row.would_refuse === undefined ? '' : `observed: ${row.would_refuse}`;
  return formatText([...cells, row.code ?? observed].join('  ').trimEnd());
}
