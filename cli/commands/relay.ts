/**
 * `sallyport relay`: a loopback proxy without authentication in front of the real one, for clients that
 * cannot authenticate to a proxy. The token is read from a file, a variable or standard input.
 */
import type { Command } from 'commander';
import { usageFault } from '../command-fault.ts';
import { printJson, printLine } from '../output.ts';
import type { Terminal } from '../terminal.ts';
import { readValue } from '../value-source.ts';

interface RelayCommandOptions {
  readonly upstream: string;
  readonly listen: string;
  readonly tokenFile?: string;
  readonly tokenEnv?: string;
  readonly json?: boolean;
}

export function register(program: Command, terminal: Terminal): void {
  program
    .command('relay')
    .description('a loopback proxy that adds the sandbox token')
    .option('--upstream <host:port>', 'the proxy', '127.0.0.1:3128')
    .option('--listen <host:port>', 'where to listen', '127.0.0.1:0')
    .option('--token-file <file>', 'read the token from a file')
    .option('--token-env <name>', 'read the token from a variable')
    .option('--json', 'print {"event":"ready","url":…} when it accepts')
    .action((options: RelayCommandOptions) => relay(terminal, options));
}

async function relay(terminal: Terminal, options: RelayCommandOptions): Promise<void> {
  const upstream = parseEndpoint(options.upstream);
  const listen = parseEndpoint(options.listen);
  const { tokenFile, tokenEnv } = options;
  const token = await readValue(
    terminal,
    {
      ...(tokenFile === undefined ? {} : { valueFile: tokenFile }),
      ...(tokenEnv === undefined ? {} : { valueEnv: tokenEnv }),
    },
    'sandbox token: ',
  );
  const { startRelay } = await import('../../proxy/relay.ts');
  const running = await startRelay({ upstream, listen, token });
  if (options.json === true) printJson(terminal, { event: 'ready', url: running.url });
  else printLine(terminal, `relay for ${options.upstream} on ${running.url}`);
  const { awaitSignal } = await import('../awaited-signal.ts');
  await awaitSignal();
  await running.close();
}

function parseEndpoint(text: string): { host: string; port: number } {
  const match = /^(?:\[(?<v6>[0-9a-f:.]+)\]|(?<name>[^:[\]/\s]+)):(?<port>\d{1,5})$/i.exec(text);
  const port = Number(match?.groups?.['port']);
  if (match === null || port > 65_535) {
    throw usageFault(`"${text}" is not HOST:PORT`, 'As in 127.0.0.1:3128 or [::1]:3128.');
  }
  return { host: match.groups?.['v6'] ?? match.groups?.['name'] ?? '', port };
}
