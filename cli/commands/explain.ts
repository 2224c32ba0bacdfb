/**
 * `sallyport explain URL --sandbox S`: what the proxy would do with this request and why, secret by secret.
 * Asks the code that decides; nothing is sent anywhere. Exit code 9 when it would refuse.
 */
import type { Command } from 'commander';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from '../admin-connection.ts';
import { usageFault } from '../command-fault.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { printExplanation, isRefused, type ExplanationView } from '../explanation.ts';
import { collect } from '../option-parsers.ts';
import { printJson } from '../output.ts';
import { readSandboxId } from '../sandbox-reference.ts';
import type { Terminal } from '../terminal.ts';

interface ExplainOptions extends ConnectionOptions {
  readonly sandbox: string;
  readonly method: string;
  readonly header?: readonly string[];
  readonly resolve?: boolean;
}

export function register(program: Command, terminal: Terminal): void {
  addConnectionOptions(program.command('explain <url>'))
    .description('say what the proxy would do with a request, and why')
    .requiredOption('--sandbox <sandbox>', 'who would send it')
    .option('--method <name>', 'request method', 'GET')
    .option('--header <line>', "a header it would carry: 'Name: text'", collect)
    .option('--resolve', 'also look the name up and judge its addresses')
    .action((url: string, options: ExplainOptions) => explain(terminal, url, options));
}

async function explain(terminal: Terminal, url: string, options: ExplainOptions): Promise<void> {
  if (!/^https?:\/\//i.test(url)) throw usageFault(`"${url}" is not an http or https URL`);
  const headers = groupHeaders(options.header ?? []);
  await withAdmin(terminal, options, async (admin) => {
    const explanation = await admin.post<ExplanationView>(`explaining ${url}`, '/explain', {
      sandbox: await readSandboxId(admin, options.sandbox),
      method: options.method,
      url,
      headers,
      resolve: options.resolve === true,
    });
    if (options.json === true) printJson(terminal, explanation);
    else printExplanation(terminal, explanation);
    if (isRefused(explanation)) terminal.setExitCode(EXIT_CODES.refused);
  });
}

/** Every copy of a header counts for the decision, so none is lost here. */
function groupHeaders(lines: readonly string[]): Record<string, string[]> {
  const headers: Record<string, string[]> = {};
  for (const [name, text] of lines.map(parseHeaderLine)) (headers[name] ??= []).push(text);
  return headers;
}

function parseHeaderLine(line: string): readonly [string, string] {
  const at = line.indexOf(':');
  if (at < 1) throw usageFault('--header is no header line', "Write 'Name: text'.");
  return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
}
