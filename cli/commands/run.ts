/**
 * `sallyport run -- CMD`: a sandbox that lives as long as the command. The command sees placeholders and a
 * loopback relay; the token stays in this process. Its exit code and signals are passed through, and the
 * sandbox is revoked when it ends, whatever happened.
 */
import type { Command } from 'commander';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from '../admin-connection.ts';
import type { AdminClient } from '../admin-client.ts';
import type { SignalPass } from '../command-execution.ts';
import { usageFault } from '../command-fault.ts';
import { parseProxyEndpoint, type ProxyEndpoint } from '../endpoint.ts';
import { collect, parseWholeNumber } from '../option-parsers.ts';
import { collectSecrets } from '../secret-reference.ts';
import type { Terminal } from '../terminal.ts';

interface RunOptions extends ConnectionOptions {
  readonly secret?: Readonly<Record<string, string>>;
  readonly all?: boolean;
  readonly injectAll?: boolean;
  readonly allowOut?: readonly string[];
  readonly denyOut?: readonly string[];
  readonly name?: string;
  readonly ttl?: number;
  readonly proxy?: ProxyEndpoint;
}

export function register(program: Command, terminal: Terminal): void {
  const run = program
    .command('run')
    .description('run a command that can use secrets without holding them')
    .argument('<command>', 'what to run')
    .argument('[arguments...]')
    .option('--secret <name[=env]>', 'bind this secret to a variable', collectSecrets)
    .option('--all', 'bind every usable secret')
    .option('--inject-all', 'inject every secret by its host, without variables')
    .option('--allow-out <entry>', 'only these hosts, addresses or ranges', collect)
    .option('--deny-out <entry>', 'not these', collect)
    .option('--name <text>', 'name of the sandbox')
    .option('--ttl <seconds>', 'end of its rights, even if the command runs on', parseWholeNumber)
    .option(
      '--proxy <host:port>',
      'the proxy (default: what the admin API says)',
      parseProxyEndpoint,
    )
    .passThroughOptions();
  addConnectionOptions(run).action((command: string, args: string[], options: RunOptions) =>
    runCommand(terminal, [command, ...args], options),
  );
}

async function runCommand(
  terminal: Terminal,
  command: readonly string[],
  options: RunOptions,
): Promise<void> {
  const isNamed = options.secret !== undefined || options.all === true;
  if (isNamed === (options.injectAll === true)) {
    throw usageFault(
      isNamed ? '--inject-all has no variables to bind' : 'no secret was named',
      'Give --secret NAME (repeat for more) or --all, or --inject-all alone.',
    );
  }
  const { SignalPass } = await import('../command-execution.ts');
  const signals = new SignalPass();
  try {
    await withAdmin(terminal, options, (admin) =>
      runIn(terminal, admin, signals, command, options),
    );
  } finally {
    signals.end();
  }
}

async function runIn(
  terminal: Terminal,
  admin: AdminClient,
  signals: SignalPass,
  command: readonly string[],
  options: RunOptions,
): Promise<void> {
  const { readUsableSecrets, startRun } = await import('../sandbox-run.ts');
  const all = options.all === true ? await readUsableSecrets(admin) : {};
  const run = await startRun(terminal, admin, {
    name: options.name ?? `run ${command[0] ?? ''}`,
    secrets: { ...all, ...options.secret },
    injectAll: options.injectAll === true,
    network: { allow_out: options.allowOut ?? [], deny_out: options.denyOut ?? [] },
    ttlSeconds: options.ttl,
    proxy: options.proxy,
  });
  try {
    terminal.setExitCode(await run.execute(command, signals));
  } finally {
    await run.end();
  }
}
