/** `/webhooks`: where to tell what happens, what was told, and a test. Role admin. */
import { z } from '@hono/zod-openapi';
import {
  createdWebhookSchema,
  deliveriesQuery,
  deliverySchema,
  describeDelivery,
  describeTest,
  describeWebhook,
  webhookCreateSchema,
  webhookPatchSchema,
  webhookSchema,
  webhookTestSchema,
} from '../contract/webhook.ts';
import type { AdminDeps } from '../deps.ts';
import { respondJson, respondNothing } from '../respond.ts';
import { defineRoute, type Route } from '../route.ts';

const tag = 'Webhooks';
const DELIVERIES = 100;

export function defineWebhookRoutes(deps: AdminDeps): Route[] {
  return [...defineCollectionRoutes(deps), ...defineItemRoutes(deps), ...defineUseRoutes(deps)];
}

function defineCollectionRoutes({ webhooks }: AdminDeps): Route[] {
  return [
    defineRoute({
      id: 'createWebhook',
      method: 'post',
      path: '/webhooks',
      summary: 'Be told of events: signed as Standard Webhooks 1.0 has it, retried for a day',
      tag,
      body: webhookCreateSchema,
      answer: {
        status: 201,
        description: 'The webhook with its signing secret.',
        schema: createdWebhookSchema,
      },
      refuses: ['conflict'],
      handle: async ({ actor, body }) => {
        const { webhook, secret } = await webhooks.create(actor, body);
        return respondJson(201, { ...describeWebhook(webhook), signing_secret: secret });
      },
    }),
    defineRoute({
      id: 'listWebhooks',
      method: 'get',
      path: '/webhooks',
      summary: 'List webhooks, oldest first',
      tag,
      answer: { status: 200, description: 'Webhooks.', schema: z.array(webhookSchema) },
      handle: async ({ actor }) =>
        respondJson(200, (await webhooks.list(actor)).map(describeWebhook)),
    }),
  ];
}

function defineItemRoutes({ webhooks }: AdminDeps): Route[] {
  const path = '/webhooks/{id}';
  const answer = { status: 200, description: 'The webhook.', schema: webhookSchema };
  return [
    defineRoute({
      id: 'readWebhook',
      method: 'get',
      path,
      summary: 'Read a webhook',
      tag,
      answer,
      handle: async ({ actor, params }) =>
        respondJson(200, describeWebhook(await webhooks.read(actor, params['id'] ?? ''))),
    }),
    defineRoute({
      id: 'updateWebhook',
      method: 'patch',
      path,
      summary: 'Change a webhook, or switch it off and on',
      tag,
      body: webhookPatchSchema,
      answer,
      refuses: ['conflict'],
      handle: async ({ actor, params, body }) => {
        const { url, events, description, disabled } = body;
        const change = { url, events, description, isDisabled: disabled };
        const webhook = await webhooks.update(actor, params['id'] ?? '', change);
        return respondJson(200, describeWebhook(webhook));
      },
    }),
    defineRoute({
      id: 'deleteWebhook',
      method: 'delete',
      path,
      summary: 'Delete a webhook and what it was not told yet',
      tag,
      answer: { status: 204, description: 'Gone.' },
      handle: async ({ actor, params }) => {
        await webhooks.delete(actor, params['id'] ?? '');
        return respondNothing();
      },
    }),
  ];
}

function defineUseRoutes({ webhooks }: AdminDeps): Route[] {
  return [
    defineRoute({
      id: 'listWebhookDeliveries',
      method: 'get',
      path: '/webhooks/{id}/deliveries',
      summary: 'What a webhook was told, or is to be told, newest first',
      tag,
      query: deliveriesQuery,
      answer: { status: 200, description: 'Deliveries.', schema: z.array(deliverySchema) },
      handle: async ({ actor, params, query }) => {
        const { limit = DELIVERIES, before = null } = query;
        const rows = await webhooks.listDeliveries(actor, params['id'] ?? '', limit, before);
        return respondJson(200, rows.map(describeDelivery));
      },
    }),
    defineRoute({
      id: 'testWebhook',
      method: 'post',
      path: '/webhooks/{id}/test',
      summary: 'Send a message of type webhook.test now, once',
      tag,
      answer: { status: 200, description: 'What became of it.', schema: webhookTestSchema },
      handle: async ({ actor, params }) =>
        respondJson(200, describeTest(await webhooks.test(actor, params['id'] ?? ''))),
    }),
  ];
}
