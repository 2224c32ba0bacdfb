/** `sallyport apply FILE`: makes an organization what a document says. Shows the plan; `--yes` does it. */
import type { Command } from 'commander';
import { text } from 'node:stream/consumers';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from '../admin-connection.ts';
import { planApply } from '../bulk/apply-plan.ts';
import { parseBulkDocument, parseBulkText, readBulkText } from '../bulk/document.ts';
import { finishPlan } from '../bulk/plan.ts';
import { readBulkState } from '../bulk/state.ts';
import { ValueBook } from '../bulk/value-book.ts';
import { usageFault } from '../command-fault.ts';
import type { Terminal } from '../terminal.ts';

interface ApplyOptions extends ConnectionOptions {
  readonly yes?: boolean;
  readonly prune?: boolean;
  readonly rotate?: boolean;
  readonly valuesStdin?: boolean;
}

export function register(program: Command, terminal: Terminal): void {
  addConnectionOptions(program.command('apply <file>'))
    .description(
      'make secrets, groups, sandboxes and workspaces what a document says; - is standard input',
    )
    .option('--yes', 'do it; without, the plan is only shown')
    .option('--prune', 'delete what the sections of the document do not name')
    .option('--rotate', 'give secrets that are there their value again, as a new version')
    .option('--values-stdin', 'read the values of value_from: {stdin: KEY} from standard input')
    .action((file: string, options: ApplyOptions) => applyDocument(terminal, file, options));
}

async function applyDocument(
  terminal: Terminal,
  file: string,
  options: ApplyOptions,
): Promise<void> {
  const takesValues = options.valuesStdin === true;
  if (takesValues && file === '-') throw usageFault('standard input cannot be document and values');
  const written = parseBulkText(await readBulkText(terminal, file), file);
  const document = parseBulkDocument(written, file);
  const values = new ValueBook(
    terminal.environment,
    takesValues ? await text(terminal.stdin) : undefined,
  );
  await withAdmin(terminal, options, async (admin) => {
    const steps = planApply({
      document,
      written,
      state: await readBulkState(admin),
      readValue: (source) => values.read(source),
      rotates: options.rotate === true,
      prunes: options.prune === true,
      file,
    });
    await finishPlan(terminal, admin, steps, { ...options, continues: false });
  });
}
