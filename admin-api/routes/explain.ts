/** `/explain`: what the proxy would do with a request, and why. Stores and logs nothing of it. */
import { checkRole } from '../../src/organizations/roles.ts';
import {
  describeExplanation,
  explainSchema,
  explanationSchema,
  requestHeadOf,
} from '../contract/explain.ts';
import type { AdminDeps } from '../deps.ts';
import { respondJson } from '../respond.ts';
import { defineRoute, type Route } from '../route.ts';

export function defineExplainRoutes({ sandboxes, explain }: AdminDeps): Route[] {
  return [
    defineRoute({
      id: 'explain',
      method: 'post',
      path: '/explain',
      summary: 'The decision the proxy would take for a request, with every reason',
      tag: 'Explain',
      body: explainSchema,
      answer: { status: 200, description: 'The decision.', schema: explanationSchema },
      refuses: ['not_found'],
      handle: async ({ actor, body }) => {
        const head = requestHeadOf(body);
        const resolve = body.resolve ?? false;
        // A name look-up leaves the house, so reading alone does not permit it.
        if (resolve) checkRole(actor, 'operate');
        const { sandbox } = await sandboxes.read(actor, body.sandbox);
        const found = await explain({ sandboxId: sandbox.id, head, resolve });
        return respondJson(200, describeExplanation(found));
      },
    }),
  ];
}
