/**
 * The options every command that talks to the admin API shares: where it is and which key to use. The key
 * comes from `SALLYPORT_API_KEY` or a file, never from the command line, where `ps` would show it.
 */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { Hidden } from '../src/kernel/hidden.ts';
import { AdminClient } from './admin-client.ts';
import { CommandFault } from './command-fault.ts';
import { EXIT_CODES } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

const DEFAULT_URL = 'http://127.0.0.1:3129';

export interface ConnectionOptions {
  readonly url?: string;
  readonly apiKeyFile?: string;
  readonly json?: boolean;
}

/** Adds `--url`, `--api-key-file` and `--json` to a command. */
export function addConnectionOptions(command: Command): Command {
  return command
    .option('--url <url>', `admin API (default: SALLYPORT_URL or ${DEFAULT_URL})`)
    .option('--api-key-file <file>', 'file with the admin key (default: SALLYPORT_API_KEY)')
    .option('--json', 'print JSON for programs');
}

/** Runs `work` with a client that is closed afterwards. CommandFault when there is no usable address or key. */
export async function withAdmin<T>(
  terminal: Terminal,
  options: ConnectionOptions,
  work: (admin: AdminClient) => Promise<T>,
): Promise<T> {
  const admin = makeAdmin(terminal, options);
  try {
    return await work(admin);
  } finally {
    await admin.close();
  }
}

function makeAdmin(terminal: Terminal, options: ConnectionOptions): AdminClient {
  const url = options.url ?? terminal.environment['SALLYPORT_URL'] ?? DEFAULT_URL;
  if (!/^https?:\/\/[^/]/.test(url) || !URL.canParse(url)) {
    throw new CommandFault(`"${url}" is not the address of an admin API`, {
      hint: `It looks like ${DEFAULT_URL}.`,
      exitCode: EXIT_CODES.usage,
    });
  }
  return new AdminClient({ url, apiKey: readApiKey(terminal, options) });
}

function readApiKey(terminal: Terminal, options: ConnectionOptions): Hidden | undefined {
  if (options.apiKeyFile === undefined) {
    const key = terminal.environment['SALLYPORT_API_KEY'];
    return key === undefined || key === '' ? undefined : new Hidden(key.trim());
  }
  try {
    return new Hidden(readFileSync(options.apiKeyFile, 'utf8').trim());
  } catch (cause) {
    throw new CommandFault(`cannot read the key file ${options.apiKeyFile}`, {
      cause,
      hint: 'It holds the admin key alone on its first line.',
      exitCode: EXIT_CODES.usage,
    });
  }
}
