/** Health, readiness, the CA certificate and metrics: about the instance, not one organization. */
import { z } from '@hono/zod-openapi';
import type { AdminDeps } from '../deps.ts';
import { checkInstanceAccess } from '../instance-access.ts';
import { respondJson, respondText } from '../respond.ts';
import { defineRoute, type Route } from '../route.ts';

const tag = 'Instance';
const statusSchema = z.object({ status: z.enum(['ok', 'unavailable']) }).openapi('Status');

export function defineInstanceRoutes(deps: AdminDeps): Route[] {
  return [
    defineRoute({
      id: 'readHealth',
      method: 'get',
      path: '/healthz',
      summary: 'The process answers',
      tag,
      access: 'open',
      answer: { status: 200, description: 'It does.', schema: statusSchema },
      handle: () => respondJson(200, { status: 'ok' }),
    }),
    defineRoute({
      id: 'readReadiness',
      method: 'get',
      path: '/readyz',
      summary: 'The store answers; 503 while it does not',
      tag,
      access: 'open',
      answer: { status: 200, description: 'It does.', schema: statusSchema },
      otherAnswers: [{ status: 503, description: 'It does not.', schema: statusSchema }],
      handle: () => respondReadiness(deps),
    }),
    defineRoute({
      id: 'readCaCertificate',
      method: 'get',
      path: '/ca.pem',
      summary: 'The certificate that sandboxes trust; both while it is rotated',
      tag,
      access: 'open',
      answer: { status: 200, description: 'PEM.', contentType: 'application/x-pem-file' },
      handle: () => respondText(200, deps.ca().caPem, 'application/x-pem-file'),
    }),
    defineRoute({
      id: 'readMetrics',
      method: 'get',
      path: '/metrics',
      summary: 'Metrics for Prometheus',
      tag,
      answer: { status: 200, description: 'Text.', contentType: 'text/plain' },
      handle: async ({ actor }) => {
        await checkInstanceAccess(deps.organizations, actor);
        return respondText(200, await deps.metrics.text(), deps.metrics.contentType);
      },
    }),
  ];
}

async function respondReadiness(deps: AdminDeps): Promise<Response> {
  try {
    await deps.ready();
    return respondJson(200, { status: 'ok' });
  } catch (cause) {
    deps.logger.warn({ err: cause }, 'not ready');
    return respondJson(503, { status: 'unavailable' });
  }
}
