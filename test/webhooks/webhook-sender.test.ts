/** Delivering on a real store with a set clock: signatures, retries, giving up, switching off, restarts. */
import { createHmac } from 'node:crypto';
import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { FIXED } from '../../src/kernel/limits.ts';
import type { Store } from '../../src/store/store.ts';
import { Keyring, masterKeyFrom } from '../../src/vault/keyring.ts';
import { Vault } from '../../src/vault/vault.ts';
import { VaultWebhookSigner } from '../../src/vault/webhook-signer.ts';
import {
  WebhookSender,
  type WebhookAnswer,
  type WebhookPost,
} from '../../src/webhooks/webhook-sender.ts';
import type { Webhook, WebhookNews } from '../../src/webhooks/webhook.ts';
import { insertTenant, type Tenant } from '../contract/samples.ts';
import { silentLogger } from '../store/silent-logger.ts';
import { openStore, temporaryDirectory } from '../store/temporary-store.ts';

const BEGIN_MS = 1_800_000_000_000;
const OK: WebhookAnswer = { status: 204, error: null };

interface Stage {
  readonly store: Store;
  readonly tenant: Tenant;
  readonly webhook: Webhook;
  readonly secret: string;
  readonly posts: WebhookPost[];
  answer: (post: WebhookPost) => WebhookAnswer | Promise<WebhookAnswer>;
  nowMs: number;
  /** A look, and what it began, to its end. */
  look(): Promise<void>;
  tell(count?: number): Promise<WebhookNews[]>;
}

async function start(): Promise<Stage> {
  const store = await openStore(temporaryDirectory());
  const tenant = await insertTenant(store, 'acme');
  const vault = new Vault(new Keyring([masterKeyFrom(randomBytes(32))]), { openedValuesMax: 1 });
  const signer = new VaultWebhookSigner(vault);
  const id = randomUUID();
  const { text, sealed } = signer.mintSecret(id);
  const webhook: Webhook = {
    id,
    organizationId: tenant.organization.id,
    url: 'https://hooks.example.com/in?a=b',
    description: null,
    events: ['secret.rotated'],
    signingSecret: sealed,
    isDisabled: false,
    disabledReason: null,
    failingSinceMs: null,
    createdAtMs: 1,
    updatedAtMs: 1,
    createdBy: 'user:test',
    revision: 1,
  };
  await store.webhooks.insertWebhook(webhook);
  const stage: Stage = {
    store,
    tenant,
    webhook,
    secret: text,
    posts: [],
    answer: () => OK,
    nowMs: BEGIN_MS,
    look: async () => {
      const sender = new WebhookSender({
        store: store.webhooks,
        signer,
        post: async (post) => {
          stage.posts.push(post);
          return stage.answer(post);
        },
        clock: { nowMs: () => stage.nowMs, monotonicMs: () => stage.nowMs },
        logger: silentLogger,
      });
      sender.wake();
      // Until a look finds nothing more.
      for (let seen = -1; seen !== stage.posts.length;) {
        seen = stage.posts.length;
        await new Promise((resolve) => setTimeout(resolve, 60));
      }
      await sender.close();
    },
    tell: async (count = 1) => {
      const news = Array.from({ length: count }, () => newsFor(tenant, stage.nowMs));
      await store.webhooks.enqueueNews(news);
      return news;
    },
  };
  return stage;
}

function newsFor(tenant: Tenant, atMs: number): WebhookNews {
  const id = `msg_${randomUUID()}`;
  const payload = JSON.stringify({ type: 'secret.rotated', data: { secret_id: 'x' } });
  const { id: organizationId } = tenant.organization;
  return { id, organizationId, event: 'secret.rotated', atMs, payload };
}

const statesOf = async ({ store, webhook }: Stage): Promise<string[]> =>
  (await store.webhooks.listDeliveries(webhook.id, 1_000, null)).map(({ state }) => state);

describe('a delivery', () => {
  test('is signed as Standard Webhooks 1.0 has it', async () => {
    const stage = await start();
    const [news] = await stage.tell();
    await stage.look();
    const [post] = stage.posts;
    expect(stage.posts).toHaveLength(1);
    expect(post?.url).toBe(stage.webhook.url);
    expect(post?.headers['webhook-id']).toBe(news?.id);
    expect(post?.headers['webhook-timestamp']).toBe(String(BEGIN_MS / 1_000));
    const key = Buffer.from(stage.secret.replace('whsec_', ''), 'base64');
    expect(key).toHaveLength(32);
    const signed = `${news?.id}.${BEGIN_MS / 1_000}.${news?.payload}`;
    const expected = createHmac('sha256', key).update(signed).digest('base64');
    expect(post?.headers['webhook-signature']).toBe(`v1,${expected}`);
    expect(await statesOf(stage)).toEqual(['delivered']);
  });

  test('is tried again with the same id, later each time, and given up after a day', async () => {
    const stage = await start();
    await stage.tell();
    stage.answer = () => ({ status: 500, error: null });
    const waits: number[] = [];
    for (;;) {
      await stage.look();
      const [delivery] = await stage.store.webhooks.listDeliveries(stage.webhook.id, 1, null);
      if (delivery?.state !== 'pending') break;
      const waitMs = (delivery.nextAttemptAtMs ?? 0) - stage.nowMs;
      waits.push(waitMs);
      // Not before it is time.
      await stage.look();
      stage.nowMs += waitMs;
    }
    expect(stage.posts).toHaveLength(10);
    expect(new Set(stage.posts.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(waits).toEqual(waits.toSorted((one, other) => one - other));
    expect(waits[0]).toBeLessThanOrEqual(6_000);
    expect(await statesOf(stage)).toEqual(['failed']);
  });

  test('survives the process: what was under way is sent again', async () => {
    const stage = await start();
    await stage.tell();
    stage.answer = () => new Promise(() => undefined);
    await stage.look();
    stage.answer = () => OK;
    await stage.look();
    expect(stage.posts.map(({ headers }) => headers['webhook-id'])).toHaveLength(2);
    expect(await statesOf(stage)).toEqual(['delivered']);
  });

  test('I7: no more than a bound wait, no more than a bound are kept', async () => {
    const stage = await start();
    for (let told = 0; told < FIXED.webhookPendingMax + 20; told += 100) await stage.tell(100);
    expect(await statesOf(stage)).toHaveLength(FIXED.webhookPendingMax);
    await stage.look();
    expect(stage.posts).toHaveLength(FIXED.webhookPendingMax);
    await stage.store.webhooks.pruneDeliveries(50);
    expect(await statesOf(stage)).toHaveLength(50);
  });
});

describe('a webhook that fails', () => {
  const read = ({ store, webhook }: Stage) =>
    store.webhooks.readWebhook(webhook.organizationId, webhook.id);

  test('is switched off after days without one success, and not before', async () => {
    const stage = await start();
    stage.answer = () => ({ status: null, error: 'refused' });
    await stage.tell();
    await stage.look();
    expect(await read(stage)).toMatchObject({ isDisabled: false, failingSinceMs: BEGIN_MS });
    stage.nowMs += FIXED.webhookFailingMs - 1;
    await stage.tell();
    stage.answer = () => OK;
    await stage.look();
    expect(await read(stage)).toMatchObject({ isDisabled: false, failingSinceMs: null });
    stage.answer = () => ({ status: 503, error: null });
    await stage.tell();
    await stage.look();
    stage.nowMs += FIXED.webhookFailingMs;
    await stage.tell();
    await stage.look();
    const disabled = await read(stage);
    expect(disabled).toMatchObject({ isDisabled: true });
    expect(disabled?.disabledReason).toContain('days');
    const { length } = stage.posts;
    stage.nowMs += FIXED.webhookFailingMs;
    await stage.tell();
    await stage.look();
    expect(stage.posts).toHaveLength(length);
  });

  test('410 Gone switches it off at once', async () => {
    const stage = await start();
    stage.answer = () => ({ status: 410, error: null });
    await stage.tell();
    await stage.look();
    expect(await read(stage)).toMatchObject({ isDisabled: true });
    expect(await stage.store.webhooks.listSubscriptions()).toEqual([]);
  });
});
