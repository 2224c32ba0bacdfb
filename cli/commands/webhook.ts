/**
 * `sallyport webhook …`: where to tell what happens, and what was told. A webhook is named by its id, or by
 * its URL where only one has it. The signing secret is printed by `create`, once.
 */
import { Option, type Command } from 'commander';
import { WEBHOOK_EVENTS } from '../../src/webhooks/webhook.ts';
import type { AdminClient } from '../admin-client.ts';
import { addConnectionOptions, withAdmin, type ConnectionOptions } from '../admin-connection.ts';
import type { CreatedWebhook, WebhookView } from '../admin-shapes.ts';
import { usageFault } from '../command-fault.ts';
import { collect } from '../option-parsers.ts';
import { printFields, printJson, printLine, printTable, type Cell } from '../output.ts';
import type { Terminal } from '../terminal.ts';
import { registerDeliveries } from '../webhook-deliveries.ts';
import { readWebhookPath } from '../webhook-reference.ts';

interface WriteOptions extends ConnectionOptions {
  readonly event?: readonly string[];
  readonly description?: string;
}

interface UpdateOptions extends WriteOptions {
  readonly to?: string;
  readonly enable?: boolean;
  readonly disable?: boolean;
}

export function register(program: Command, terminal: Terminal): void {
  const webhook = program.command('webhook').description('be told what happens');
  registerWriting(webhook, terminal);
  addConnectionOptions(webhook.command('list'))
    .description('list webhooks, oldest first')
    .action((options: ConnectionOptions) => listWebhooks(terminal, options));
  addConnectionOptions(webhook.command('show <webhook>'))
    .description('show one; never its signing secret')
    .action((name: string, options: ConnectionOptions) => showWebhook(terminal, name, options));
  addConnectionOptions(webhook.command('delete <webhook>'))
    .description('delete it, and what it was not told yet')
    .action((name: string, options: ConnectionOptions) => deleteWebhook(terminal, name, options));
  registerDeliveries(webhook, terminal);
}

function registerWriting(webhook: Command, terminal: Terminal): void {
  addConnectionOptions(webhook.command('create <url>'))
    .description('make one, and print its signing secret this once')
    .addOption(eventOption('an event to be told of, several times (default: all)'))
    .option('--description <text>', 'what it is for')
    .action((url: string, options: WriteOptions) => createWebhook(terminal, url, options));
  addConnectionOptions(webhook.command('update <webhook>'))
    .description('change it, or switch it off and on')
    .option('--to <url>', 'another URL; the signing secret stays')
    .addOption(eventOption('these events from now on, several times'))
    .option('--description <text>', 'what it is for; empty clears it')
    .option('--disable', 'tell it nothing')
    .option('--enable', 'tell it again, also after it was switched off for failing')
    .action((name: string, options: UpdateOptions) => updateWebhook(terminal, name, options));
}

function eventOption(description: string): Option {
  return new Option('--event <event>', `${description}: ${WEBHOOK_EVENTS.join(', ')}`).argParser(
    collect,
  );
}

async function createWebhook(
  terminal: Terminal,
  url: string,
  options: WriteOptions,
): Promise<void> {
  const { event = WEBHOOK_EVENTS, description } = options;
  await withAdmin(terminal, options, async (admin) => {
    const body = { url, events: event, description };
    const made = await admin.post<CreatedWebhook>('creating a webhook', '/webhooks', body);
    if (options.json === true) return printJson(terminal, made);
    printLine(terminal, `created webhook ${made.id} for ${made.events.join(', ')}`);
    printLine(terminal, `signing secret: ${made.signing_secret}  (shown once)`);
    printLine(terminal, `try it: sallyport webhook test ${made.id}`);
  });
}

async function updateWebhook(
  terminal: Terminal,
  name: string,
  options: UpdateOptions,
): Promise<void> {
  const change = readChange(options);
  if (Object.keys(change).length === 0) throw usageFault('nothing to change was named');
  await withAdmin(terminal, options, async (admin) => {
    const path = await readWebhookPath(admin, name);
    const updated = await admin.patch<WebhookView>(`updating webhook ${name}`, path, change);
    if (options.json === true) printJson(terminal, updated);
    else printLine(terminal, `updated webhook ${updated.id}`);
  });
}

function readChange(options: UpdateOptions): Record<string, unknown> {
  const { to, event, description, enable, disable } = options;
  if (enable === true && disable === true) throw usageFault('--enable or --disable, not both');
  return {
    ...(to === undefined ? {} : { url: to }),
    ...(event === undefined ? {} : { events: event }),
    ...(description === undefined ? {} : { description: description === '' ? null : description }),
    ...(enable === true || disable === true ? { disabled: disable === true } : {}),
  };
}

async function listWebhooks(terminal: Terminal, options: ConnectionOptions): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const rows = await admin.get<readonly WebhookView[]>('listing webhooks', '/webhooks');
    if (options.json === true) return printJson(terminal, rows);
    printTable(
      terminal,
      ['ID', 'STATE', 'URL', 'EVENTS'],
      rows.map((row) => [row.id, stateOf(row), row.url, row.events.join(' ')]),
      'no webhooks yet; `sallyport webhook create` makes one',
    );
  });
}

function stateOf(row: WebhookView): string {
  if (row.disabled) return 'off';
  return row.failing_since === null ? 'on' : 'failing';
}

async function showWebhook(
  terminal: Terminal,
  name: string,
  options: ConnectionOptions,
): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    const found = await readWebhook(admin, name);
    if (options.json === true) printJson(terminal, found);
    else printFields(terminal, describeWebhook(found));
  });
}

async function readWebhook(admin: AdminClient, name: string): Promise<WebhookView> {
  const path = await readWebhookPath(admin, name);
  return admin.get<WebhookView>(`reading webhook ${name}`, path);
}

function describeWebhook(row: WebhookView): (readonly [string, Cell])[] {
  return [
    ['id', row.id],
    ['url', row.url],
    ['events', row.events.join(' ')],
    ['description', row.description],
    ['state', stateOf(row)],
    ['switched off because', row.disabled_reason],
    ['failing since', row.failing_since],
    ['created', `${row.created_at} by ${row.created_by}`],
    ['updated', row.updated_at],
  ];
}

async function deleteWebhook(
  terminal: Terminal,
  name: string,
  options: ConnectionOptions,
): Promise<void> {
  await withAdmin(terminal, options, async (admin) => {
    await admin.delete(`deleting webhook ${name}`, await readWebhookPath(admin, name));
    if (options.json === true) printJson(terminal, { deleted: name });
    else printLine(terminal, `deleted webhook ${name}`);
  });
}
