/** `POST /secrets/{name}/test`: one real request with a secret, to see whether an origin takes it. */
import { fieldError } from '../../src/kernel/field-error.ts';
import { readTestUrl } from '../../src/secrets/secret-tester.ts';
import { requestHeadOf } from '../contract/explain.ts';
import {
  describeProbe,
  secretTestSchema,
  secretTestResultSchema,
} from '../contract/secret-test.ts';
import type { AdminDeps } from '../deps.ts';
import { respondJson } from '../respond.ts';
import { defineRoute, type Route } from '../route.ts';

export function defineSecretTestRoutes({ secrets, sandboxes, secretTester }: AdminDeps): Route[] {
  return [
    defineRoute({
      id: 'testSecret',
      method: 'post',
      path: '/secrets/{name}/test',
      summary: 'Send one real request with a secret and say whether the origin took it',
      tag: 'Secrets',
      body: secretTestSchema,
      isBodyRequired: false,
      answer: { status: 200, description: 'What came of it.', schema: secretTestResultSchema },
      handle: async ({ actor, params, body }) => {
        const { secret } = await secrets.read(actor, params['name'] ?? '');
        const url = body?.url ?? readTestUrl(secret);
        if (url === undefined) {
          throw fieldError('url', 'must be given: no host and path of this secret are exact');
        }
        const head = requestHeadOf({ method: body?.method ?? 'GET', url, headers: undefined });
        const named = body?.sandbox;
        const row = named === undefined ? null : await sandboxes.read(actor, named);
        const answer = await secretTester.test(actor, secret, head, row?.sandbox.id ?? null);
        return respondJson(200, describeProbe(url, head.method, answer));
      },
    }),
  ];
}
