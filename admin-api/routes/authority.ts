/** `/ca`: the certificate authority, and its rotation step by step. Concerns the instance. */
import type { RotationStep } from '../../src/ca/authority-state.ts';
import { checkRole } from '../../src/organizations/roles.ts';
import { authoritySchema, describeAuthority, rotateSchema } from '../contract/authority.ts';
import type { AdminDeps } from '../deps.ts';
import { checkInstanceChange } from '../instance-access.ts';
import { respondJson } from '../respond.ts';
import { defineRoute, type Route } from '../route.ts';

const tag = 'Instance';
const answer = { status: 200, description: 'As it is now.', schema: authoritySchema };

export function defineAuthorityRoutes(deps: AdminDeps): Route[] {
  const { caRotation, organizations } = deps;
  const step = (path: string, summary: string, taken: RotationStep): Route =>
    defineRoute({
      id: `${taken}Ca`,
      method: 'post',
      path,
      summary,
      tag,
      answer,
      refuses: ['conflict'],
      handle: async ({ actor }) => {
        await checkInstanceChange(organizations, actor);
        return respondJson(200, describeAuthority(await caRotation.take(actor, taken)));
      },
    });
  return [
    defineRoute({
      id: 'readCa',
      method: 'get',
      path: '/ca',
      summary: 'The certificate authority: which roots sandboxes are given, which one signs',
      tag,
      answer,
      handle: ({ actor }) => {
        checkRole(actor, 'read');
        return respondJson(200, describeAuthority(caRotation.describe()));
      },
    }),
    defineRoute({
      id: 'rotateCa',
      method: 'post',
      path: '/ca/rotate',
      summary: 'Begin a rotation: a new CA is handed out beside the old one, which still signs',
      tag,
      body: rotateSchema,
      isBodyRequired: false,
      answer,
      refuses: ['conflict'],
      handle: async ({ actor, body }) => {
        await checkInstanceChange(organizations, actor);
        const seconds = body?.switch_after_seconds;
        const overlapMs = seconds === undefined ? undefined : seconds * 1_000;
        return respondJson(
          200,
          describeAuthority(await caRotation.take(actor, 'begin', overlapMs)),
        );
      },
    }),
    step('/ca/switch', 'From now on the new CA signs; both are still handed out', 'switch'),
    step('/ca/finish', 'The old CA is not handed out any more, and its key is gone', 'finish'),
    step('/ca/cancel', 'Drop the new CA: the old one signs, alone', 'cancel'),
  ];
}
