/**
 * `sallyport backup FILE`: a consistent copy of the database, also while the server runs. The master key is
 * not in it (docs/guides/backup.md says how to keep and restore both). Run it where the data directory is.
 */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { ControlError } from '../../src/kernel/errors.ts';
import { CommandFault } from '../command-fault.ts';
import { EXIT_CODES } from '../exit-codes.ts';
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
  try {
    await backupStore({ url: settings.store.url, dataDir: settings.dataDir, file: target });
  } catch (cause) {
    throw cause instanceof ControlError ? faultOf(file, cause) : cause;
  }
  printLine(terminal, `wrote ${file} (without the master key: keep that apart)`);
}

function faultOf(file: string, cause: ControlError): CommandFault {
  return new CommandFault(cause.message, {
    doing: `writing the backup ${file}`,
    hint: 'Name a new file in a directory you may write to.',
    exitCode: cause.code === 'conflict' ? EXIT_CODES.conflict : EXIT_CODES.failed,
    cause,
  });
}
