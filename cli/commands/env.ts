/**
 * `sallyport env SANDBOX`: the variables of a sandbox as they are now. `TOKEN` stands where the token goes,
 * unless a file with the token is given; the CA files are written where `--ca-dir` says.
 */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from '../admin-connection.ts';
import { readSandboxId } from '../sandbox-reference.ts';
import type { Terminal } from '../terminal.ts';
import { readValue } from '../value-source.ts';

interface EnvOptions extends ConnectionOptions {
  readonly format: string;
  readonly caDir?: string;
  readonly tokenFile?: string;
}

export function register(program: Command, terminal: Terminal): void {
  addConnectionOptions(program.command('env <sandbox>'))
    .description('print the environment of a sandbox')
    .option('--format <name>', 'shell, dotenv or json', 'shell')
    .option('--ca-dir <directory>', 'write the CA files there and point the variables at them')
    .option('--token-file <file>', 'file with the sandbox token, to put in')
    .action((name: string, options: EnvOptions) => printEnv(terminal, name, options));
}

async function printEnv(terminal: Terminal, name: string, options: EnvOptions): Promise<void> {
  const { tokenFile } = options;
  const token =
    tokenFile === undefined ? undefined : await readValue(terminal, { valueFile: tokenFile }, '');
  await withAdmin(terminal, options, async (admin) => {
    const id = await readSandboxId(admin, name);
    const query = new URLSearchParams({ format: options.json === true ? 'json' : options.format });
    if (options.caDir !== undefined) {
      const { writeSandboxFiles } = await import('../sandbox-files.ts');
      const directory = resolve(terminal.cwd, options.caDir);
      await writeSandboxFiles(admin, directory);
      query.set('ca_dir', directory);
    }
    const doing = `reading the environment of sandbox ${name}`;
    const text = await admin.getText(doing, `/sandboxes/${id}/env?${query.toString()}`);
    const filled = token === undefined ? text : text.replaceAll(':TOKEN@', `:${token.reveal()}@`);
    terminal.stdout.write(filled.endsWith('\n') ? filled : `${filled}\n`);
  });
}
