/** `sallyport config check|show`: whether the settings are right, and what they are and where from. */
import type { Command } from 'commander';
import { printJson, printLine, printTable } from '../output.ts';
import { addSettingOptions, readSettings, type SettingOptions } from '../setting-options.ts';
import type { Terminal } from '../terminal.ts';

interface ShowOptions extends SettingOptions {
  readonly json?: boolean;
}

export function register(program: Command, terminal: Terminal): void {
  const config = program.command('config').description('settings');
  addSettingOptions(config.command('check'))
    .description('check file, environment and flags; exit code 3 when something is wrong')
    .action((options: SettingOptions) => checkConfig(terminal, options));
  addSettingOptions(config.command('show'))
    .description('every setting in force, where it came from, secrets hidden')
    .option('--json', 'print JSON for programs')
    .action((options: ShowOptions) => showConfig(terminal, options));
}

async function checkConfig(terminal: Terminal, options: SettingOptions): Promise<void> {
  const loaded = await readSettings(terminal, options);
  const { databaseFile } = await import('../../src/store/database-file.ts');
  // Only its reader knows which databases there are.
  databaseFile(loaded.settings.store.url, loaded.settings.dataDir);
  printLine(terminal, `settings are right (${loaded.file ?? 'no file'})`);
}

async function showConfig(terminal: Terminal, options: ShowOptions): Promise<void> {
  const loaded = await readSettings(terminal, options);
  const { describeSettings } = await import('../../src/settings/describe-settings.ts');
  const rows = describeSettings(loaded);
  if (options.json === true) return printJson(terminal, rows);
  printTable(
    terminal,
    ['SETTING', 'VALUE', 'FROM'],
    rows.map((row) => [row.path, JSON.stringify(row.value), row.source]),
    'no settings',
  );
}
