/** `sallyport webhook test` and `webhook deliveries`: whether it can be told, and what became of what it was told. */
import type { Command } from 'commander';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from './admin-connection.ts';
import type { DeliveryView, WebhookTestView } from './admin-shapes.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { parseWholeNumber } from './option-parsers.ts';
import { printJson, printLine, printTable } from './output.ts';
import type { Terminal } from './terminal.ts';
import { readWebhookPath } from './webhook-reference.ts';

interface DeliveriesOptions extends ConnectionOptions {
  readonly limit: number;
  readonly before?: number;
}

const LIMIT_DEFAULT = 20;

export function registerDeliveries(webhook: Command, terminal: Terminal): void {
  addConnectionOptions(webhook.command('test <webhook>'))
    .description('send a message of type webhook.test now, once')
    .action((name: string, options: ConnectionOptions) => testWebhook(terminal, name, options));
  addConnectionOptions(webhook.command('deliveries <webhook>'))
    .description('what it was told, or is to be told, newest first')
    .option('--limit <n>', 'how many, up to 500', parseWholeNumber, LIMIT_DEFAULT)
    .option('--before <seq>', 'those before this one', parseWholeNumber)
    .action((name: string, options: DeliveriesOptions) => listDeliveries(terminal, name, options));
}

async function testWebhook(
  terminal: Terminal,
  name: string,
  options: ConnectionOptions,
): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const path = `${await readWebhookPath(admin, name)}/test`;
    const answer = await admin.post<WebhookTestView>(`testing webhook ${name}`, path, undefined);
    if (!answer.delivered) terminal.setExitCode(EXIT_CODES.failed);
    if (options.json === true) return printJson(terminal, answer);
    const { delivered, status, error, latency_ms } = answer;
    const what = status === null ? (error ?? 'no answer') : `answered ${status}`;
    printLine(terminal, `${delivered ? 'delivered' : 'NOT delivered'}: ${what} (${latency_ms} ms)`);
  });
}

async function listDeliveries(
  terminal: Terminal,
  name: string,
  options: DeliveriesOptions,
): Promise<void> {
  const { limit, before } = options;
  await withAdmin(terminal, options, async (admin) => {
    const query = `limit=${limit}${before === undefined ? '' : `&before=${before}`}`;
    const path = `${await readWebhookPath(admin, name)}/deliveries?${query}`;
    const rows = await admin.get<readonly DeliveryView[]>(`reading deliveries of ${name}`, path);
    if (options.json === true) return printJson(terminal, rows);
    printTable(
      terminal,
      ['SEQ', 'TIME', 'EVENT', 'STATE', 'TRIES', 'LAST', 'NEXT TRY'],
      rows.map((row) => [
        row.seq,
        row.created_at,
        row.event,
        row.state,
        row.attempts,
        row.last_status ?? row.last_error,
        row.next_attempt_at,
      ]),
      'nothing to tell it yet',
    );
  });
}
