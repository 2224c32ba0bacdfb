/**
 * `sallyport ca`: the certificates that sandboxes must trust (`export`, alone or with this machine's
 * roots; `show`), and replacing them without a client that stops working (`rotate`).
 */
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from '../admin-connection.ts';
import { CommandFault } from '../command-fault.ts';
import { printJson, printLine } from '../output.ts';
import type { Terminal } from '../terminal.ts';
import { registerRotate } from '../ca-rotation.ts';

interface ExportOptions extends ConnectionOptions {
  readonly out?: string;
  readonly bundle?: boolean;
}

export function register(program: Command, terminal: Terminal): void {
  const ca = program.command('ca').description('the certificate authority');
  addConnectionOptions(ca.command('export'))
    .description('print the CA certificate (PEM)')
    .option('--out <file>', 'write it to a file instead')
    .option('--bundle', 'with the roots of this machine, for SSL_CERT_FILE and the like')
    .action((options: ExportOptions) => exportCa(terminal, options));
  registerRotate(ca, terminal);
}

async function exportCa(terminal: Terminal, options: ExportOptions): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const caPem = await admin.getText('fetching the CA certificate', '/ca.pem');
    const pem = options.bundle === true ? await withSystemRoots(caPem) : caPem;
    if (options.out === undefined) {
      if (options.json === true) printJson(terminal, { pem });
      else terminal.stdout.write(pem);
      return;
    }
    try {
      writeFileSync(options.out, pem, { mode: 0o644 });
    } catch (cause) {
      throw new CommandFault(`cannot write ${options.out}`, {
        doing: 'exporting the CA certificate',
        hint: 'Is its directory there, and may you write to it?',
        cause,
      });
    }
    if (options.json === true) printJson(terminal, { file: options.out });
    else printLine(terminal, `wrote ${options.out}`);
  });
}

async function withSystemRoots(caPem: string): Promise<string> {
  const { makeBundle } = await import('../../src/ca/bundle.ts');
  const { systemBundlePem } = await import('../../src/egress/trust.ts');
  return makeBundle(systemBundlePem(), caPem);
}
