/** `sallyport provider list`: the catalogue of shortcuts for `secret create --provider`. */
import type { Command } from 'commander';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from '../admin-connection.ts';
import type { ProviderView } from '../admin-shapes.ts';
import { printJson, printTable } from '../output.ts';
import type { Terminal } from '../terminal.ts';

export function register(program: Command, terminal: Terminal): void {
  const provider = program.command('provider').description('the catalogue of providers');
  addConnectionOptions(provider.command('list'))
    .description('list the providers a secret can name')
    .action((options: ConnectionOptions) => listProviders(terminal, options));
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
