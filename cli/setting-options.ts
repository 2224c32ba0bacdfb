/** The options of commands that need settings: the file, the usual ones by name, any other by `--set`. */
import type { Command } from 'commander';
import type { LoadedSettings } from '../src/settings/load-settings.ts';
import { collectPairs } from './option-parsers.ts';
import type { Terminal } from './terminal.ts';

export interface SettingOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly proxyListen?: string;
  readonly adminListen?: string;
  readonly logLevel?: string;
  readonly logFormat?: string;
  readonly set?: Readonly<Record<string, string>>;
}

/** Adds them to a command. */
export function addSettingOptions(command: Command): Command {
  return command
    .option('--config <file>', 'settings file, YAML or JSON')
    .option('--data-dir <directory>', 'data_dir')
    .option('--proxy-listen <host:port>', 'proxy.listen')
    .option('--admin-listen <host:port>', 'admin.listen')
    .option('--log-level <level>', 'log.level')
    .option('--log-format <format>', 'log.format')
    .option('--set <path=value>', 'any other setting, as in egress.default=deny', collectPairs);
}

/** The settings in force. StartError that names every fault. */
export async function readSettings(
  terminal: Terminal,
  options: SettingOptions,
): Promise<LoadedSettings> {
  const { loadSettings } = await import('../src/settings/load-settings.ts');
  return loadSettings({
    file: options.config ?? null,
    env: terminal.environment,
    cwd: terminal.cwd,
    flags: {
      data_dir: options.dataDir,
      'proxy.listen': options.proxyListen,
      'admin.listen': options.adminListen,
      'log.level': options.logLevel,
      'log.format': options.logFormat,
      ...options.set,
    },
  });
}
