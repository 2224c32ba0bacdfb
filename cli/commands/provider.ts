/** `sallyport provider list` and `show`: the catalogue of shortcuts for `secret create --provider`. */
import type { Command } from 'commander';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from '../admin-connection.ts';
import type { ProviderView } from '../admin-shapes.ts';
import { CommandFault } from '../command-fault.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { printFields, printJson, printTable, type Cell } from '../output.ts';
import type { Terminal } from '../terminal.ts';

export function register(program: Command, terminal: Terminal): void {
  const provider = program.command('provider').description('the catalogue of providers');
  addConnectionOptions(provider.command('list'))
    .description('list the providers a secret can name')
    .action((options: ConnectionOptions) => listProviders(terminal, options));
  addConnectionOptions(provider.command('show <name>'))
    .description('show where its key goes and what --param it takes')
    .action((name: string, options: ConnectionOptions) => showProvider(terminal, name, options));
}

async function listProviders(terminal: Terminal, options: ConnectionOptions): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const rows = await admin.get<readonly ProviderView[]>('listing providers', '/providers');
    if (options.json === true) return printJson(terminal, rows);
    printTable(
      terminal,
      ['NAME', 'AUTH', 'TOKEN', 'HOSTS'],
      rows.map((row) => [row.name, row.auth_type, row.token_shape, row.hosts.join(' ')]),
      'no providers',
    );
  });
}

async function showProvider(
  terminal: Terminal,
  name: string,
  options: ConnectionOptions,
): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const doing = `looking for provider ${name}`;
    const rows = await admin.get<readonly ProviderView[]>(doing, '/providers');
    const found = rows.find((row) => row.name === name);
    if (found === undefined) {
      throw new CommandFault('there is none', {
        doing,
        hint: '`sallyport provider list` shows all; others: --bearer and the like, with --host.',
        exitCode: EXIT_CODES.notFound,
      });
    }
    if (options.json === true) return printJson(terminal, found);
    printFields(terminal, describeProvider(found));
  });
}

function describeProvider(row: ProviderView): (readonly [string, Cell])[] {
  const params = Object.entries(row.provider_params).map(
    ([name, { description, required }]): readonly [string, Cell] => [
      `--param ${name}=…`,
      required ? description : `${description} (optional)`,
    ],
  );
  return [
    ['name', row.name],
    ['for', row.display],
    ['hosts', row.hosts.join(' ')],
    ['auth', row.auth_kind],
    ['auth config', JSON.stringify(row.auth_config)],
    ...params,
    ['variables', row.env.join(' ')],
    ['note', row.note],
    ['docs', row.docs],
  ];
}
