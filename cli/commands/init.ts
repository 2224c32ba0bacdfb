/**
 * `sallyport init`: a commented settings file, the data directory and the master key, so that a first start
 * finds what an operator has looked at. Overwrites nothing.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { CommandFault } from '../command-fault.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { printLine } from '../output.ts';
import { formatStarterSettings } from '../starter-settings.ts';
import type { Terminal } from '../terminal.ts';

interface InitOptions {
  readonly config: string;
  readonly dataDir: string;
}

export function register(program: Command, terminal: Terminal): void {
  program
    .command('init')
    .description('write a settings file, make the data directory and the master key')
    .option('--config <file>', 'settings file to write', 'sallyport.yaml')
    .option('--data-dir <directory>', 'data directory to make', './data')
    .action((options: InitOptions) => init(terminal, options));
}

async function init(terminal: Terminal, options: InitOptions): Promise<void> {
  const file = resolve(terminal.cwd, options.config);
  if (existsSync(file)) {
    throw new CommandFault('the file exists', {
      doing: `writing ${options.config}`,
      hint: 'Name another with --config; nothing was changed.',
      exitCode: EXIT_CODES.conflict,
    });
  }
  const dataDir = resolve(terminal.cwd, options.dataDir);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const { readMasterKeys } = await import('../../src/vault/master-key.ts');
  const masterKey = terminal.environment['SALLYPORT_MASTER_KEY'] ?? null;
  // A database without its key must not get a new one: it would open nothing.
  const mayMint = !existsSync(join(dataDir, 'sallyport.db'));
  readMasterKeys({ masterKey, keyFile: null, dataDir }, { mayMint });
  writeFileSync(file, formatStarterSettings(options.dataDir), { flag: 'wx', mode: 0o644 });
  printLine(terminal, `wrote ${options.config}; data and master key are in ${options.dataDir}`);
  printLine(terminal, `next: sallyport serve --config ${options.config}`);
}
