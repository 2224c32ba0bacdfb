/**
 * `sallyport audit verify`: is the trail as it was written? Names the first row that was changed, put in or
 * taken out. Prints a head to note elsewhere; given back with `--known`, even a chain computed anew is found.
 */
import type { Command } from 'commander';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from './admin-connection.ts';
import type { ChainReportView } from './admin-shapes.ts';
import { CommandFault } from './command-fault.ts';
import { collect } from './option-parsers.ts';
import { printLine } from './output.ts';
import { readLines } from './text-lines.ts';
import type { Terminal } from './terminal.ts';

interface VerifyOptions extends ConnectionOptions {
  readonly known?: readonly string[];
}

const DOING = 'verifying the audit';

export function registerVerify(audit: Command, terminal: Terminal): void {
  addConnectionOptions(audit.command('verify'))
    .description('walk the hash chains of the trail (audit.chain: on)')
    .option('--known <head>', 'a head that an earlier verification printed', collect)
    .action((options: VerifyOptions) => verify(terminal, options));
}

async function verify(terminal: Terminal, options: VerifyOptions): Promise<void> {
  const query = new URLSearchParams(
    options.known === undefined ? {} : { known: options.known.join(',') },
  );
  await withAdmin(terminal, options, async (admin) => {
    const reports: ChainReportView[] = [];
    const pieces = admin.stream(DOING, `/audit/verify?${query.toString()}`);
    let isWhole = false;
    for await (const line of readLines(pieces)) {
      const report = JSON.parse(line) as ChainReportView;
      isWhole = report.intact !== null;
      if (options.json === true) printLine(terminal, line);
      else if (report.intact !== null) printLine(terminal, describe(report));
      if (report.intact !== null) reports.push(report);
    }
    if (!isWhole) throw new CommandFault('the server went away half-way', { doing: DOING });
    const faults = reports.filter(({ intact }) => intact === false);
    if (faults.length === 0) return;
    throw new CommandFault('the trail is not as it was written', {
      doing: DOING,
      hint: 'Compare with a backup or with what audit.sink wrote elsewhere.',
    });
  });
}

function describe(report: ChainReportView): string {
  const { chain, rows, intact, broken_id: brokenId, unknown_heads: unknown, head } = report;
  if (brokenId !== null) return `${chain}: ${rows} rows fit, then event ${brokenId} does not`;
  if (unknown.length > 0) return `${chain}: not the chain that ${unknown.join(', ')} was of`;
  return intact === true ? `${chain}: ${rows} rows are intact; head ${head ?? ''}` : chain;
}
