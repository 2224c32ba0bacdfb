/**
 * `sallyport serve`: proxy and admin API in this process until SIGTERM or SIGINT. Then it stops accepting,
 * lets exchanges finish up to the drain time, flushes usage and audit and ends with 0. A second signal stops
 * waiting for exchanges; a third ends the process as if nobody had handled it.
 */
import type { Command } from 'commander';
import type { LoadedSettings } from '../../src/settings/load-settings.ts';
import type { Settings } from '../../src/settings/settings.ts';
import { awaitSignal } from '../awaited-signal.ts';
import type { Sallyport } from '../sallyport.ts';
import { formatWelcome } from '../first-steps.ts';
import { addSettingOptions, readSettings, type SettingOptions } from '../setting-options.ts';
import type { Terminal } from '../terminal.ts';

interface ServeOptions extends SettingOptions {
  readonly readyJson?: boolean;
}

export function register(program: Command, terminal: Terminal): void {
  addSettingOptions(program.command('serve'))
    .description('run the proxy and the admin API')
    .option('--ready-json', 'one line on standard output once both accept: {"event":"ready",…}')
    .action((options: ServeOptions) => serve(terminal, options));
}

async function serve(terminal: Terminal, options: ServeOptions): Promise<void> {
  const settings = withReadableLog(terminal, await readSettings(terminal, options));
  const { startSallyport } = await import('../compose.ts');
  const { environment } = terminal;
  const starting = startSallyport({
    settings,
    environment: {
      bootstrapKey: environment['SALLYPORT_BOOTSTRAP_KEY'] ?? null,
      rootKey: environment['SALLYPORT_ROOT_KEY'] ?? null,
      masterKey: environment['SALLYPORT_MASTER_KEY'] ?? null,
    },
  });
  // Before anything is printed: whoever reads it may send the signal at once.
  const stopped = awaitSignal((count) => {
    if (count === 2) void starting.then((running) => running.close({ hasten: true }));
    else endByForce();
  });
  const sallyport = await starting;
  printReady(terminal, sallyport, options, settings.admin.tls !== null);
  await stopped;
  await sallyport.close();
}

function printReady(
  terminal: Terminal,
  sallyport: Sallyport,
  options: ServeOptions,
  isTls: boolean,
): void {
  const { proxyAddress, proxyTlsAddress, adminAddress, adminKey } = sallyport;
  if (options.readyJson === true) {
    const tls = proxyTlsAddress === null ? {} : { proxy_tls: proxyTlsAddress };
    const ready = { event: 'ready', proxy: proxyAddress, ...tls, admin: adminAddress };
    terminal.stdout.write(`${JSON.stringify(ready)}\n`);
    // A program reads that line and nothing else, and the key is never shown again.
    if (adminKey !== null) terminal.stderr.write(`Admin key, shown this once:  ${adminKey}\n`);
  } else {
    terminal.stdout.write(
      formatWelcome({ proxyAddress, proxyTlsAddress, adminAddress, adminKey, isTls }),
    );
  }
}

/** A person at a terminal reads the log too, unless its format was chosen. */
function withReadableLog(terminal: Terminal, loaded: LoadedSettings): Settings {
  const { settings, given } = loaded;
  const isChosen = given.get('log.format')?.source !== 'default';
  if (isChosen || !terminal.stderr.isTTY) return settings;
  return { ...settings, log: { ...settings.log, format: 'pretty' } };
}

/** With no handler left, the signal does what it does to every process. */
function endByForce(): void {
  process.removeAllListeners('SIGTERM');
  process.kill(process.pid, 'SIGTERM');
}
