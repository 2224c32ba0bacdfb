/** What admins did: what every database must do. */
import { describe, expect, test } from 'vitest';
import type { ActivityFilter } from '../../src/activity/activity-store.ts';
import type { ActivityEvent } from '../../src/activity/activity.ts';
import type { MakeStore } from './store-contracts.ts';

function sampleDeed(changes: Partial<ActivityEvent> = {}): ActivityEvent {
  return {
    tsMs: 1_000,
    organizationId: 'acme',
    apiKeyId: 'key-1',
    subject: 'user:someone',
    action: 'secret.update',
    targetId: 'secret-1',
    targetName: 'github',
    before: { hosts: ['a.example.com'], description: null },
    after: { hosts: ['b.example.com'], description: 'ü' },
    widened: ['hosts'],
    ...changes,
  };
}

export function describeActivityContract(makeStore: MakeStore): void {
  describe('activity', () => {
    test('events come back as they went in, newest first, in their organization only', async () => {
      const { activity } = await makeStore();
      const events = [
        sampleDeed(),
        sampleDeed({ action: 'secret.delete', after: null, widened: [] }),
        sampleDeed({ action: 'secret.create', before: null, after: {}, widened: [] }),
      ];
      await activity.insertActivity(events);
      await activity.insertActivity([sampleDeed({ organizationId: 'other' })]);
      const rows = await activity.listActivity('acme', { limit: 10 });
      expect(rows.map((row) => row.event)).toEqual(events.toReversed());
      expect(await activity.listActivity('nobody', { limit: 10 })).toEqual([]);
    });

    test('pages are stable while events are added', async () => {
      const { activity } = await makeStore();
      const named = (targetName: string) => sampleDeed({ targetName });
      await activity.insertActivity(['1', '2', '3', '4', '5'].map(named));
      const seen: string[] = [];
      let beforeId: number | undefined;
      for (;;) {
        const rows = await activity.listActivity('acme', {
          limit: 2,
          ...(beforeId === undefined ? {} : { beforeId }),
        });
        const last = rows.at(-1);
        if (last === undefined) break;
        seen.push(...rows.map((row) => row.event.targetName));
        beforeId = last.id;
        await activity.insertActivity([named('later')]);
      }
      expect(seen).toEqual(['5', '4', '3', '2', '1']);
    });

    test('filters by time, action, target and key', async () => {
      const { activity } = await makeStore();
      await activity.insertActivity([
        sampleDeed({ tsMs: 1, action: 'secret.create' }),
        sampleDeed({ tsMs: 2, targetId: 'secret-2' }),
        sampleDeed({ tsMs: 3, apiKeyId: 'key-2' }),
      ]);
      const times = async (filter: Omit<ActivityFilter, 'limit'>) => {
        const rows = await activity.listActivity('acme', { limit: 10, ...filter });
        return rows.map((row) => row.event.tsMs);
      };
      expect(await times({ sinceMs: 2 })).toEqual([3, 2]);
      expect(await times({ untilMs: 2 })).toEqual([1]);
      expect(await times({ action: 'secret.update' })).toEqual([3, 2]);
      expect(await times({ targetId: 'secret-2' })).toEqual([2]);
      expect(await times({ apiKeyId: 'key-2' })).toEqual([3]);
    });
  });
}
