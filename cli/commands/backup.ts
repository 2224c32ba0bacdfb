/**
 * `sallyport backup FILE`: a consistent copy of the database, also while the server runs. The master key is
 * not in it (docs/guides/backup.md says how to keep and restore both). Run it where the data directory is.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
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
  const doing = `backing up to ${file}`;
  const target = resolve(terminal.cwd, file);
  if (existsSync(target)) {
    throw new CommandFault('the file exists', {
      doing,
      hint: 'A backup never overwrites; name a new file.',
      exitCode: EXIT_CODES.conflict,
    });
  }
  if (settings.store.url === null && !existsSync(join(settings.dataDir, 'sallyport.db'))) {
    throw new CommandFault(`there is no database in ${settings.dataDir}`, {
      doing,
      hint: 'Name the settings of the server with --config or --data-dir.',
      exitCode: EXIT_CODES.notFound,
    });
  }
  await copyStore(terminal, settings, target);
  printLine(terminal, `wrote ${file} (without the master key: keep that apart)`);
}

async function copyStore(
  terminal: Terminal,
  settings: { readonly dataDir: string; readonly store: { readonly url: string | null } },
  target: string,
): Promise<void> {
  const { startStore } = await import('../../src/store/start-store.ts');
  const { createLogger } = await import('../../src/observe/logger.ts');
  const { systemClock } = await import('../../src/kernel/clock.ts');
  const store = await startStore({
    url: settings.store.url,
    dataDir: settings.dataDir,
    clock: systemClock,
    logger: createLogger({ level: 'error', format: 'pretty', destination: terminal.stderr }),
  });
  try {
    await store.backup(target);
  } finally {
    await store.close();
  }
}
