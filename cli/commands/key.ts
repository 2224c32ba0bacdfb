/**
 * `sallyport key …`: the master key that seals every value. Which keys there are and what needs them;
 * sealing everything with the first one, or with a new one. A master key itself is never shown. And
 * `create-root`: an API key that acts on every organization.
 */
import type { Command } from 'commander';
import type { AdminClient } from '../admin-client.ts';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from '../admin-connection.ts';
import type { KeyUseView, RewrapProgress } from '../admin-shapes.ts';
import { CommandFault } from '../command-fault.ts';
import { printJson, printLine, printTable } from '../output.ts';
import { addSettingOptions, readSettings, type SettingOptions } from '../setting-options.ts';
import { readLines } from '../text-lines.ts';
import type { Terminal } from '../terminal.ts';

interface RotateOptions extends ConnectionOptions {
  readonly new?: boolean;
}

const DOING = 'sealing with the master key';

export function register(program: Command, terminal: Terminal): void {
  const key = program.command('key').description('the master key, and root keys');
  addConnectionOptions(key.command('status'))
    .description('which keys there are, and how much is sealed with each')
    .action((options: ConnectionOptions) => showKeys(terminal, options));
  addSettingOptions(key.command('create-root'))
    .description('make a root key in the database of a server that is not running; shown once')
    .action((options: SettingOptions) => createRoot(terminal, options));
  addConnectionOptions(key.command('rotate'))
    .description(
      'seal everything with the first key of the key file; may be run again after a crash',
    )
    .option('--new', 'make a new key and put it first into the key file')
    .action((options: RotateOptions) => rotate(terminal, options));
}

/** Whoever may write to the data directory may do this: it is what root means. */
async function createRoot(terminal: Terminal, options: SettingOptions): Promise<void> {
  const { settings } = await readSettings(terminal, options);
  const { startStore } = await import('../../src/store/start-store.ts');
  const { createRootKey } = await import('../../src/organizations/root-key.ts');
  const { createLogger } = await import('../../src/observe/logger.ts');
  const { systemClock: clock } = await import('../../src/kernel/clock.ts');
  const { store: database, dataDir } = settings;
  const logger = createLogger(settings.log);
  const store = await startStore({ url: database.url, dataDir, logger, clock });
  try {
    const rootKey = await createRootKey({ organizations: store.organizations, clock });
    printLine(terminal, `${rootKey}  (shown once)`);
  } finally {
    await store.close();
  }
}

async function showKeys(terminal: Terminal, options: ConnectionOptions): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const keys = await readKeys(admin);
    if (options.json === true) return printJson(terminal, keys);
    printTable(
      terminal,
      ['KEY', 'SEALS', 'HELD', 'ENVELOPES', ''],
      keys.map((key) => [
        key.key_id,
        key.active ? 'new' : '',
        key.held,
        key.envelopes,
        advise(key),
      ]),
      'no keys',
    );
  });
}

function advise({ active, held, envelopes }: KeyUseView): string {
  if (active) return '';
  if (envelopes === 0) return 'can be taken out of the key file';
  return held ? 'needed; `key rotate` ends that' : 'MISSING: what is sealed with it does not open';
}

async function rotate(terminal: Terminal, options: RotateOptions): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    let last: RewrapProgress | undefined;
    for await (const progress of readProgress(admin, options.new === true)) {
      last = progress;
      if (options.json === true) printLine(terminal, JSON.stringify(progress));
      else if (!progress.complete) {
        printLine(terminal, `${progress.done} of ${progress.total} sealed with ${progress.key_id}`);
      }
    }
    if (last?.complete !== true) {
      throw new CommandFault('the server went away half-way', {
        doing: DOING,
        hint: 'Nothing is lost. Run `sallyport key rotate` again, without --new: it goes on where it was.',
      });
    }
    if (last.failed > 0) {
      throw new CommandFault(`${last.failed} envelopes do not open with any key`, {
        doing: DOING,
        hint: 'Put the key they were sealed with back into the key file; `sallyport key status` names it.',
      });
    }
    if (options.json === true) return;
    printLine(terminal, `everything is sealed with ${last.key_id}`);
    for (const key of await readKeys(admin)) {
      if (!key.active && key.held) printLine(terminal, `${key.key_id} ${advise(key)}`);
    }
  });
}

function readKeys(admin: AdminClient): Promise<readonly KeyUseView[]> {
  return admin.get<readonly KeyUseView[]>('reading the master keys', '/vault/keys');
}

async function* readProgress(admin: AdminClient, isNew: boolean): AsyncGenerator<RewrapProgress> {
  const pieces = admin.stream(DOING, '/vault/rewrap', { new_key: isNew });
  for await (const line of readLines(pieces)) yield JSON.parse(line) as RewrapProgress;
}
