/** `/vault`: which master keys there are and what is sealed with each; sealing everything with the first. */
import { z } from '@hono/zod-openapi';
import {
  describeKeyUse,
  describeProgress,
  keyUseSchema,
  rewrapProgressSchema,
  rewrapSchema,
  type RotationProgress,
} from '../contract/vault.ts';
import type { AdminDeps } from '../deps.ts';
import { checkInstanceChange } from '../instance-access.ts';
import { respondJson } from '../respond.ts';
import { respondStream } from '../respond-stream.ts';
import { defineRoute, type Route } from '../route.ts';

const tag = 'Instance';

export function defineVaultRoutes({ organizations, masterKeys, activity }: AdminDeps): Route[] {
  return [
    defineRoute({
      id: 'listMasterKeys',
      method: 'get',
      path: '/vault/keys',
      summary:
        'The master keys and how much is sealed with each; root, or admin of the first organization',
      tag,
      answer: { status: 200, description: 'Keys, active first.', schema: z.array(keyUseSchema) },
      handle: async ({ actor }) => {
        await checkInstanceChange(organizations, actor);
        return respondJson(200, (await masterKeys.listKeys()).map(describeKeyUse));
      },
    }),
    defineRoute({
      id: 'rewrapVault',
      method: 'post',
      path: '/vault/rewrap',
      summary: 'Seal everything with the first master key of the key file, progress as NDJSON',
      tag,
      body: rewrapSchema,
      isBodyRequired: false,
      answer: {
        status: 200,
        description: 'A line a batch.',
        schema: rewrapProgressSchema,
        contentType: 'application/x-ndjson',
      },
      refuses: ['conflict'],
      handle: async ({ actor, body }) => {
        await checkInstanceChange(organizations, actor);
        const mint = body.new_key === true;
        const progress = masterKeys.rotate({ mint });
        // Begins before it is recorded: what is refused was not done.
        const first = await progress.next();
        if (first.done !== true) {
          const keyId = first.value.keyId;
          await activity.recordDone(actor, {
            action: 'vault.rewrap',
            targetId: keyId,
            targetName: 'master key',
            before: null,
            after: { new_key: mint },
          });
        }
        return respondStream(formatLines(first, progress), 'application/x-ndjson; charset=utf-8');
      },
    }),
  ];
}

/** Ends with the client: half of it is no harm, and asking again goes on. */
async function* formatLines(
  first: IteratorResult<RotationProgress, unknown>,
  progress: AsyncGenerator<RotationProgress>,
): AsyncGenerator<string> {
  let current = first;
  try {
    while (current.done !== true) {
      yield `${JSON.stringify(describeProgress(current.value))}\n`;
      current = await progress.next();
    }
  } finally {
    await progress.return(undefined);
  }
}
