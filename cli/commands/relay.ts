/**
 * `sallyport relay`: a loopback proxy without authentication in front of the real one, for clients that
 * cannot authenticate to a proxy. The token is read from a file, a variable or standard input.
 */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { CommandFault } from '../command-fault.ts';
import {
  parseEndpoint,
  parseProxyEndpoint,
  type Endpoint,
  type ProxyEndpoint,
} from '../endpoint.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { printLine } from '../output.ts';
import type { Terminal } from '../terminal.ts';
import { readValue } from '../value-source.ts';

interface RelayCommandOptions {
  readonly upstream?: ProxyEndpoint;
  readonly upstreamCa?: string;
  readonly listen?: Endpoint;
  readonly tokenFile?: string;
  readonly tokenEnv?: string;
  readonly json?: boolean;
}

const PROXY: ProxyEndpoint = { host: '127.0.0.1', port: 3128, isTls: false };
const FREE_PORT: Endpoint = { host: '127.0.0.1', port: 0 };

export function register(program: Command, terminal: Terminal): void {
  program
    .command('relay')
    .description('a loopback proxy that adds the sandbox token')
    .option(
      '--upstream <host:port>',
      'the proxy (default: 127.0.0.1:3128), or https://host:port',
      parseProxyEndpoint,
    )
    .option('--upstream-ca <file>', 'PEM of the CA an https:// proxy is certified by')
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
  const { isTls, ...endpoint } = upstream;
  const tls = isTls ? { caPem: await readRoots(options.upstreamCa) } : null;
  const running = await startRelay({ upstream: { ...endpoint, tls }, listen, token });
  if (options.json === true)
    printLine(terminal, JSON.stringify({ event: 'ready', url: running.url }));
  else printLine(terminal, `relay on ${running.url}`);
  await stopped;
  await running.close();
}

/** Those of the system, and the named one. */
async function readRoots(file: string | undefined): Promise<string> {
  const { systemBundlePem } = await import('../../src/egress/trust.ts');
  if (file === undefined) return systemBundlePem();
  try {
    return `${systemBundlePem()}${readFileSync(file, 'utf8')}`;
  } catch (cause) {
    throw new CommandFault(`cannot read ${file}`, { cause, exitCode: EXIT_CODES.usage });
  }
}
