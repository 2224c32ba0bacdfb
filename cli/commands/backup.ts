/**
 * `sallyport backup FILE`: a consistent copy of the database, also while the server runs. The master key is
 * not in it (docs/guides/backup.md says how to keep and restore both). Run it where the data directory is.
 */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { printLine } from '../output.ts';
import { addSettingOptions, readSettings, type SettingOptions } from '../setting-options.ts';
import type { Terminal } from '../terminal.ts';

export function register(program: Command, terminal: Terminal): void {
  addSettingOptions(program.command('backup <file>'))
    .description('copy the database to a new file; the server may be running')
    .action((file: string, options: SettingOptions) => backup(terminal, file, options));
}

async function backup(terminal: Terminal, file: string, options: SettingOptions): Promise<void> {
  const { settings } = await readSettings(terminal, options);
  const target = resolve(terminal.cwd, file);
  const { backupStore } = await import('../../src/store/backup-store.ts');
  await backupStore({ url: settings.store.url, dataDir: settings.dataDir, file: target });
  printLine(terminal, `wrote ${file} (without the master key: keep that apart)`);
}
