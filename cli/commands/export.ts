/** `sallyport export`: everything of an organization but values, as a document that `apply` takes. */
import { Option, type Command } from 'commander';
import { stringify } from 'yaml';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from '../admin-connection.ts';
import { exportDocument } from '../bulk/export-document.ts';
import { readBulkState } from '../bulk/state.ts';
import { formatText, printJson } from '../output.ts';
import type { Terminal } from '../terminal.ts';

interface ExportOptions extends ConnectionOptions {
  readonly format: 'json' | 'yaml';
}

export function register(program: Command, terminal: Terminal): void {
  addConnectionOptions(program.command('export'))
    .description('write down workspaces, groups, secrets and sandboxes, without values')
    .addOption(new Option('--format <format>').choices(['yaml', 'json']).default('yaml'))
    .action((options: ExportOptions) => exportAll(terminal, options));
}

async function exportAll(terminal: Terminal, options: ExportOptions): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const { document, leftOut } = exportDocument(await readBulkState(admin));
    for (const what of leftOut) {
      terminal.stderr.write(`sallyport: left out: ${formatText(what)}\n`);
    }
    if (options.json === true || options.format === 'json') printJson(terminal, document);
    else terminal.stdout.write(stringify(document));
  });
}
