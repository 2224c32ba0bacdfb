/**
 * The hash chain on a real database: what is changed, taken out, put in or computed anew behind our back is
 * found, and named; what retention takes is no fault.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import SqliteFile from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { CHAIN_BEGIN, chainHash } from '../../src/audit/chain.ts';
import { ChainVerifier, type ChainHead, type ChainReport } from '../../src/audit/chain-verifier.ts';
import type { AuditEvent } from '../../src/audit/event.ts';
import type { Actor } from '../../src/organizations/actor.ts';
import type { Store } from '../../src/store/store.ts';
import { sampleConnection, sampleExchange } from '../contract/samples.ts';
import { openStore, temporaryDirectory } from '../store/temporary-store.ts';

const ids = { organizationId: 'org-1', sandboxId: 'box' };
const actor: Actor = {
  organizationId: 'org-1',
  apiKeyId: 'key',
  role: 'admin',
  subject: 'user:test',
  workspaceIds: null,
  secretIds: null,
};

/** Every third event used a secret; the path is not ASCII. */
function eventsOf(count: number, fromMs = 1_000): AuditEvent[] {
  return Array.from({ length: count }, (_, index) =>
    index % 3 === 0
      ? sampleExchange(ids, {
          tsMs: fromMs + index,
          path: `/é"\\${index}`,
          secrets: [{ secretId: 'secret', version: 1 }],
        })
      : sampleConnection(ids, { tsMs: fromMs + index }),
  );
}

class Stage {
  readonly directory = temporaryDirectory();
  store!: Store;
  #sequence = 0;

  async open(): Promise<this> {
    this.store = await openStore(this.directory);
    return this;
  }

  async append(events: readonly AuditEvent[], isChained = true): Promise<void> {
    for (let begin = 0; begin < events.length; begin += 7) {
      this.#sequence += 1;
      const batch = { writer: 'w', sequence: this.#sequence, isChained };
      await this.store.audit.appendEvents(events.slice(begin, begin + 7), batch);
    }
  }

  /** Behind the product's back. */
  async tamper(work: (file: SqliteFile.Database) => void): Promise<void> {
    await this.store.close();
    const file = new SqliteFile(join(this.directory, 'sallyport.db'));
    work(file);
    file.close();
    await this.open();
  }

  async verify(known: readonly ChainHead[] = []): Promise<ChainReport[]> {
    const reports: ChainReport[] = [];
    for await (const report of new ChainVerifier(this.store.audit).verify(actor, known)) {
      if (report.isIntact !== null) reports.push(report);
    }
    return reports;
  }
}

const start = (): Promise<Stage> => new Stage().open();

describe('an untouched trail', () => {
  test('is intact, in two chains, over batches and restarts', async () => {
    const stage = await start();
    await stage.append(eventsOf(20));
    await stage.tamper(() => undefined);
    await stage.append(eventsOf(10));
    expect(await stage.verify()).toMatchObject([
      { chain: 'uses', rows: 11, isIntact: true, lastId: 30 },
      { chain: 'plain', rows: 19, isIntact: true, lastId: 29 },
    ]);
  });

  test('hashes are SHA-256 of the one before and the row as JSON', () => {
    const expected = createHash('sha256').update(Buffer.alloc(32)).update('[1,"é",null]');
    expect(chainHash(CHAIN_BEGIN, [1, 'é', null])).toEqual(expected.digest());
  });

  test('what retention took is no fault, whatever its order in time', async () => {
    const stage = await start();
    const events = eventsOf(40);
    // A tunnel that began long ago is stored last.
    await stage.append([...events, ...eventsOf(3, 1)]);
    const retention = { olderThanMs: 1_020, importantRowsMax: 1_000, plainRowsMax: 20 };
    let pruned = 0;
    for (;;) {
      const count = await stage.store.audit.pruneEvents(retention);
      if (count === 0) break;
      pruned += count;
    }
    expect(pruned).toBeGreaterThan(15);
    const reports = await stage.verify();
    expect(reports.map(({ isIntact }) => isIntact)).toEqual([true, true]);
    expect(reports.every(({ afterId }) => afterId > 0)).toBe(true);
    await stage.append(eventsOf(5));
    expect((await stage.verify()).every(({ isIntact }) => isIntact)).toBe(true);
  });

  test('rows of before the chain are pruned first and are not verified', async () => {
    const stage = await start();
    await stage.append(eventsOf(9), false);
    expect(await stage.verify()).toEqual([]);
    await stage.append(eventsOf(9, 5_000));
    expect(await stage.verify()).toMatchObject([{ rows: 3 }, { rows: 6 }]);
    const retention = { olderThanMs: 5_000, importantRowsMax: 100, plainRowsMax: 100 };
    expect(await stage.store.audit.pruneEvents(retention)).toBe(9);
    expect(await stage.store.audit.pruneEvents(retention)).toBe(0);
    expect(await stage.verify()).toMatchObject([
      { rows: 3, isIntact: true },
      { rows: 6, isIntact: true },
    ]);
    // Switched off and on: it begins anew.
    await stage.append(eventsOf(3), false);
    expect(await stage.verify()).toEqual([]);
    await stage.append(eventsOf(3));
    expect(await stage.verify()).toMatchObject([{ rows: 1 }, { rows: 2 }]);
  });

  test('rows that go while it is walked are no fault', async () => {
    const stage = await start();
    await stage.append(eventsOf(4_500));
    const { audit } = stage.store;
    const slow = {
      listChains: (organizationId: string) => audit.listChains(organizationId),
      verifyChainPage: async (...asked: Parameters<typeof audit.verifyChainPage>) => {
        await audit.pruneEvents({ olderThanMs: 0, importantRowsMax: 300, plainRowsMax: 500 });
        return audit.verifyChainPage(...asked);
      },
    };
    const reports: ChainReport[] = [];
    for await (const report of new ChainVerifier(slow).verify(actor, [])) reports.push(report);
    const last = reports.filter(({ isIntact }) => isIntact !== null);
    expect(last.map(({ isIntact }) => isIntact)).toEqual([true, true]);
  });
});

describe('behind our back', () => {
  const CASES: readonly (readonly [string, (file: SqliteFile.Database) => void, number])[] = [
    ['a path', (file) => file.exec("update audit_events set path = '/other' where id = 7"), 7],
    ['a time', (file) => file.exec('update audit_events set ts_ms = ts_ms + 1 where id = 10'), 10],
    [
      'the secrets',
      (file) => file.exec(`update audit_events set secrets = '[["x",1]]' where id = 4`),
      4,
    ],
    ['a row taken out', (file) => file.exec('delete from audit_events where id = 13'), 16],
    ['the newest taken out', (file) => file.exec('delete from audit_events where id >= 28'), 28],
    [
      'its own hash',
      (file) => file.exec("update audit_events set chain_hash = x'00' where id = 1"),
      1,
    ],
    [
      'a row moved to the other class',
      (file) => file.exec('update audit_events set important = 0 where id = 10'),
      13,
    ],
  ];

  test.each(CASES)(
    '%s: the first row that does not fit is named',
    async (_what, work, brokenId) => {
      const stage = await start();
      await stage.append(eventsOf(30));
      await stage.tamper(work);
      const [uses] = await stage.verify();
      expect(uses).toMatchObject({ chain: 'uses', isIntact: false, brokenId });
    },
  );

  test('a row put in', async () => {
    const stage = await start();
    await stage.append(eventsOf(6));
    await stage.store.audit.appendEvents([sampleExchange({ ...ids, organizationId: 'other' })]);
    await stage.append(eventsOf(6));
    await stage.tamper((file) => {
      file.exec("update audit_events set organization_id = 'org-1' where id = 7");
      file.exec('update audit_events set chain_hash = zeroblob(32), important = 1 where id = 7');
    });
    expect((await stage.verify())[0]).toMatchObject({ isIntact: false, brokenId: 7 });
  });

  test('a chain computed anew is found by a head that was noted', async () => {
    const stage = await start();
    await stage.append(eventsOf(30));
    const [uses, plain] = await stage.verify();
    const known = [uses?.head, plain?.head].flatMap((head) => head ?? []);
    await stage.append(eventsOf(30));
    expect((await stage.verify(known)).every(({ isIntact }) => isIntact)).toBe(true);
    await stage.tamper((file) => recompute(file));
    expect((await stage.verify()).every(({ isIntact }) => isIntact)).toBe(true);
    const [found, other] = await stage.verify(known);
    expect(found).toMatchObject({ isIntact: false, brokenId: null, unknownHeads: [uses?.head] });
    expect(other).toMatchObject({ isIntact: true });
    const future = { chain: 'uses', id: 10_000, hash: '0'.repeat(64) } as const;
    expect((await stage.verify([future]))[0]).toMatchObject({ unknownHeads: [future] });
  });
});

/** As somebody would who can write to the database and has read this code. */
function recompute(file: SqliteFile.Database): void {
  file.exec("update audit_events set path = '/innocent' where id = 4");
  const rows = file
    .prepare('select * from audit_events where important = 1 order by id')
    .all() as Record<string, unknown>[];
  let hash: Uint8Array = CHAIN_BEGIN;
  for (const row of rows) {
    const { chain_hash: _old, ...cells } = row;
    hash = chainHash(hash, Object.values(cells));
    file.prepare('update audit_events set chain_hash = ? where id = ?').run(hash, row['id']);
  }
  file.prepare('update audit_chains set last_hash = ? where important = 1').run(hash);
}
