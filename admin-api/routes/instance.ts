/** Health, readiness, the CA certificate and metrics: about the instance, not one organization. */
import { z } from '@hono/zod-openapi';
import { ControlError } from '../../src/kernel/errors.ts';
import type { Actor } from '../../src/organizations/actor.ts';
import { DEFAULT_NAME } from '../../src/organizations/bootstrap.ts';
import { checkRole } from '../../src/organizations/roles.ts';
import type { AdminDeps } from '../deps.ts';
import { respondJson, respondText } from '../respond.ts';
import { defineRoute, type Route } from '../route.ts';

const tag = 'Instance';
const statusSchema = z.object({ status: z.string() });

export function defineInstanceRoutes(deps: AdminDeps): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/healthz',
      summary: 'The process answers',
      tag,
      access: 'open',
      answer: { status: 200, description: 'It does.', schema: statusSchema },
      handle: () => respondJson(200, { status: 'ok' }),
    }),
    defineRoute({
      method: 'get',
      path: '/readyz',
      summary: 'The store answers; 503 while it does not',
      tag,
      access: 'open',
      answer: { status: 200, description: 'It does.', schema: statusSchema },
      handle: () => respondReadiness(deps),
    }),
    defineRoute({
      method: 'get',
      path: '/ca.pem',
      summary: 'The certificate that sandboxes trust',
      tag,
      access: 'open',
      answer: { status: 200, description: 'PEM.', contentType: 'application/x-pem-file' },
      handle: () => respondText(200, deps.ca().caPem, 'application/x-pem-file'),
    }),
    defineRoute({
      method: 'get',
      path: '/metrics',
      summary: 'Metrics for Prometheus',
      tag,
      answer: { status: 200, description: 'Text.', contentType: 'text/plain' },
      handle: async ({ actor }) => {
        await checkInstanceReader(deps, actor);
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

/** A root key, or an admin of the organization that came with the instance. */
async function checkInstanceReader(deps: AdminDeps, actor: Actor): Promise<void> {
  if (actor.role === 'admin') {
    const first = await deps.organizations.readOrganization(DEFAULT_NAME);
    if (first?.id === actor.organizationId) return;
    throw new ControlError('forbidden');
  }
  checkRole(actor, 'instance');
}
