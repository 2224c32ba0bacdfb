/** `sallyport health`: asks `/healthz` of a running server; for container health checks. Needs no key. */
import type { Command } from 'commander';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from '../admin-connection.ts';
import { printJson, printLine } from '../output.ts';
import type { Terminal } from '../terminal.ts';

export function register(program: Command, terminal: Terminal): void {
  addConnectionOptions(program.command('health'))
    .description('ask a running server whether it is well; exit code 4 when it does not answer')
    .action((options: ConnectionOptions) => checkHealth(terminal, options));
}

async function checkHealth(terminal: Terminal, options: ConnectionOptions): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    await admin.getText('asking for health', '/healthz');
    if (options.json === true) printJson(terminal, { healthy: true });
    else printLine(terminal, 'healthy');
  });
}
