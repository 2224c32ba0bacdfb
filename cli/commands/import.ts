/** `sallyport import FILE`: secrets from `.env` files, JSON and the three systems' shapes. Shows the plan; `--yes` does it. */
import { readFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { loadCatalogue } from '../../src/providers/catalogue.ts';
import type { Hidden } from '../../src/kernel/hidden.ts';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from '../admin-connection.ts';
import { addAuthOptions, readAuthFields, type AuthOptions } from '../auth-options.ts';
import { readBulkText } from '../bulk/document.ts';
import { planImport } from '../bulk/import-plan.ts';
import { IMPORT_FORMATS, parseImport, type ImportFormat } from '../bulk/import-rows.ts';
import { finishPlan } from '../bulk/plan.ts';
import { readBulkState, readProviders } from '../bulk/state.ts';
import { readValues } from '../bulk/value-book.ts';
import { usageFault } from '../command-fault.ts';
import { collect } from '../option-parsers.ts';
import type { Terminal } from '../terminal.ts';

interface ImportOptions extends ConnectionOptions, AuthOptions {
  readonly format?: ImportFormat;
  readonly yes?: boolean;
  readonly overwrite?: boolean;
  readonly guess: boolean;
  readonly onlyPlaced?: boolean;
  readonly only?: readonly string[];
  readonly values?: string;
}

export function register(program: Command, terminal: Terminal): void {
  addConnectionOptions(addAuthOptions(program.command('import <file>')))
    .description('register the secrets of a file; - is standard input')
    .addOption(
      new Option('--format <format>', 'of the file (default: by what is in it)').choices([
        ...IMPORT_FORMATS,
      ]),
    )
    .option('--yes', 'do it; without, the plan is only shown')
    .option('--overwrite', 'give secrets that exist the value of the file, as a new version')
    .option('--no-guess', 'do not find providers by the names of variables')
    .option('--only-placed', 'leave out what no provider or option places')
    .option('--only <name>', 'only this one; repeat for more', collect)
    .option('--values <file>', 'KEY=value lines with the values that the file does not have')
    .action((file: string, options: ImportOptions) => importFile(terminal, file, options));
}

async function importFile(terminal: Terminal, file: string, options: ImportOptions): Promise<void> {
  const all = parseImport(await readBulkText(terminal, file), options.format);
  const rows = all.filter(({ name }) => options.only?.includes(name) ?? true);
  if (rows.length === 0) throw usageFault(`${file} holds no secret that was asked for`);
  // Without a provider the parameters are for those that are found by name.
  const { provider_params: params, ...fields } = readAuthFields(options);
  const placement = options.provider === undefined ? fields : readAuthFields(options);
  await withAdmin(terminal, options, async (admin) => {
    const steps = planImport({
      rows,
      state: await readBulkState(admin),
      catalogue: loadCatalogue(),
      providers: await readProviders(admin),
      placement,
      params: params === undefined ? {} : (options.param ?? {}),
      guesses: options.guess,
      onlyPlaced: options.onlyPlaced === true,
      overwrites: options.overwrite === true,
      values: readMissingValues(options.values),
    });
    await finishPlan(terminal, admin, steps, { ...options, continues: true });
  });
}

function readMissingValues(file: string | undefined): Map<string, Hidden> {
  if (file === undefined) return new Map();
  try {
    return readValues(readFileSync(file, 'utf8'));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'it cannot be read';
    throw usageFault(`cannot read the file with the values (${code})`);
  }
}
