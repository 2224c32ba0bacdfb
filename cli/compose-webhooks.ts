/** Webhooks put together: what is news, who is told, and the way out, which is that of the data plane. */
import type { ActivityJournal } from '../src/activity/activity-journal.ts';
import type { PostAnswer, PostRequest } from '../src/egress/post-outside.ts';
import type { Settings } from '../src/settings/settings.ts';
import { VaultWebhookSigner } from '../src/vault/webhook-signer.ts';
import { NewsDesk } from '../src/webhooks/news-desk.ts';
import { NewsSources } from '../src/webhooks/news-sources.ts';
import { WebhookSender } from '../src/webhooks/webhook-sender.ts';
import { WebhookService } from '../src/webhooks/webhook-service.ts';
import type { Core } from './compose-core.ts';

export interface WebhookParts {
  readonly settings: Pick<Settings, 'webhooks'>;
  readonly core: Pick<Core, 'store' | 'vault' | 'trail' | 'usage' | 'clock' | 'logger'>;
  readonly activity: ActivityJournal;
  readonly post: (request: PostRequest) => Promise<PostAnswer>;
}

export interface ComposedWebhooks {
  readonly service: WebhookService;
  /** Begins to deliver. */
  start(): void;
  /** Ends delivering: before what leads outside is closed. */
  stop(): Promise<void>;
  /** Stores the last news: after the data plane has ended. */
  close(): Promise<void>;
}

export async function composeWebhooks(parts: WebhookParts): Promise<ComposedWebhooks> {
  const { settings, activity, post } = parts;
  const { store, vault, trail, usage, clock, logger } = parts.core;
  const { webhooks } = store;
  const signer = new VaultWebhookSigner(vault);
  const sender = new WebhookSender({ store: webhooks, signer, post, clock, logger });
  const desk = new NewsDesk({
    store: webhooks,
    nameOfSecret: async (organizationId, secretId) =>
      (await store.secrets.readSecretById(organizationId, secretId))?.secret.name ?? null,
    clock,
    logger,
    onEnqueued: () => sender.wake(),
  });
  const sources = new NewsSources({ desk, store: webhooks, logger });
  await desk.start();
  const unsubscribe = [
    trail.subscribe((event) => sources.noteEvent(event)),
    usage.onAuthFailure((failure) => sources.noteAuthFailure(failure)),
    activity.subscribe((event) => sources.noteActivity(event)),
  ];
  const service = new WebhookService({
    store: webhooks,
    desk,
    sender,
    mintSecret: (id) => signer.mintSecret(id),
    activity,
    clock,
    allowHttp: settings.webhooks.allowHttp,
  });
  return {
    service,
    start: () => sender.start(),
    stop: () => sender.close(),
    close: async () => {
      for (const end of unsubscribe) end();
      await desk.close();
    },
  };
}
