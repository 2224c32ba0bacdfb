import { expect, test } from 'vitest';
import { ActivityJournal } from '../../src/activity/activity-journal.ts';
import type { Deed } from '../../src/activity/activity.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { Logger } from '../../src/kernel/logger.ts';
import type { Actor } from '../../src/organizations/actor.ts';
import { openStore, temporaryDirectory } from '../store/temporary-store.ts';

const ACTOR: Actor = {
  organizationId: 'acme',
  apiKeyId: 'key-1',
  role: 'admin',
  subject: 'user:someone',
  workspaceIds: null,
  secretIds: null,
};
const DEED: Deed = {
  action: 'workspace.create',
  targetId: 'w',
  targetName: 'w',
  before: null,
  after: { name: 'w' },
};

test('an event that the store does not take is in the log, and only what must be first fails', async () => {
  const logged: Record<string, unknown>[] = [];
  const log = (fields: Record<string, unknown>): void => {
    logged.push(fields);
  };
  const logger: Logger = { debug: log, info: log, warn: log, error: log, child: () => logger };
  const store = await openStore(temporaryDirectory());
  const journal = new ActivityJournal({ store: store.activity, clock: systemClock, logger });
  await journal.recordDone(ACTOR, DEED);
  expect(logged).toEqual([]);
  expect(await journal.list(ACTOR, { limit: 5 })).toHaveLength(1);
  await store.close();
  await journal.recordDone(ACTOR, DEED);
  expect(logged).toMatchObject([{ activity: { ...DEED, subject: 'user:someone' } }]);
  await expect(journal.recordFirst(ACTOR, DEED)).rejects.toThrow('store');
});
