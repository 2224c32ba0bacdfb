/** A webhook as a person names it: its id, or its URL where only one webhook has it. */
import type { AdminClient } from './admin-client.ts';
import type { WebhookView } from './admin-shapes.ts';
import { CommandFault } from './command-fault.ts';
import { EXIT_CODES } from './exit-codes.ts';

/** `/webhooks/ID`. CommandFault when no webhook, or more than one, has that URL. */
export async function readWebhookPath(admin: AdminClient, idOrUrl: string): Promise<string> {
  if (!idOrUrl.includes('://')) return `/webhooks/${encodeURIComponent(idOrUrl)}`;
  const doing = `looking for webhook ${idOrUrl}`;
  const all = await admin.get<readonly WebhookView[]>(doing, '/webhooks');
  const [only, ...others] = all.filter(({ url }) => url === idOrUrl);
  if (only !== undefined && others.length === 0) return `/webhooks/${only.id}`;
  const reason = only === undefined ? 'there is none' : `${others.length + 1} have this URL`;
  throw new CommandFault(reason, {
    doing,
    hint: 'Use the id; `sallyport webhook list` shows it.',
    exitCode: EXIT_CODES.notFound,
  });
}
