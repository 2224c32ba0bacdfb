/**
 * `sallyport relay`: a loopback proxy without authentication in front of the real one, for clients that
 * cannot authenticate to a proxy. The token is read from a file, a variable or standard input.
 */
import type { Command } from 'commander';
import { parseEndpoint, type Endpoint } from '../endpoint.ts';
import { printLine } from '../output.ts';
import type { Terminal } from '../terminal.ts';
import { readValue } from '../value-source.ts';

interface RelayCommandOptions {
  readonly upstream?: Endpoint;
  readonly listen?: Endpoint;
  readonly tokenFile?: string;
  readonly tokenEnv?: string;
  readonly json?: boolean;
}

const PROXY: Endpoint = { host: '127.0.0.1', port: 3128 };
const FREE_PORT: Endpoint = { host: '127.0.0.1', port: 0 };

export function register(program: Command, terminal: Terminal): void {
  program
    .command('relay')
    .description('a loopback proxy that adds the sandbox token')
    .option('--upstream <host:port>', 'the proxy (default: 127.0.0.1:3128)', parseEndpoint)
    .option('--listen <host:port>', 'where to listen (default: a free port)', parseEndpoint)
    .option('--token-file <file>', 'read the token from a file')
    .option('--token-env <name>', 'read the token from a variable')
    .option('--json', 'print {"event":"ready","url":…} when it accepts')
    .action((options: RelayCommandOptions) => relay(terminal, options));
}

async function relay(terminal: Terminal, options: RelayCommandOptions): Promise<void> {
  const { upstream = PROXY, listen = FREE_PORT, tokenFile, tokenEnv } = options;
  const token = await readValue(
    terminal,
    {
      ...(tokenFile === undefined ? {} : { valueFile: tokenFile }),
      ...(tokenEnv === undefined ? {} : { valueEnv: tokenEnv }),
    },
    'sandbox token: ',
  );
  const { awaitSignal } = await import('../awaited-signal.ts');
  const stopped = awaitSignal();
  const { startRelay } = await import('../../proxy/relay.ts');
  const running = await startRelay({ upstream, listen, token });
  if (options.json === true)
    printLine(terminal, JSON.stringify({ event: 'ready', url: running.url }));
  else printLine(terminal, `relay on ${running.url}`);
  await stopped;
  await running.close();
}
