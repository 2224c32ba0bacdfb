/** A process killed at any write loses nothing it acknowledged and leaves a sound database. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import SqliteFile from 'better-sqlite3';
import { expect, test } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import { openStore, temporaryDirectory } from './temporary-store.ts';

const ROUNDS = 10;
const WRITER = path.join(import.meta.dirname, 'write-forever.ts');

/** Starts the writer, kills it after `writes` acknowledged writes, returns what it acknowledged. */
async function writeAndKill(dataDir: string, writes: number, delayMs: number): Promise<string[]> {
  const child = spawn(process.execPath, [WRITER, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  let killing = false;
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (chunk: string) => {
    output += chunk;
    if (killing || output.split('\n').length <= writes) return;
    killing = true;
    setTimeout(() => child.kill('SIGKILL'), delayMs);
  });
  const signal = await new Promise((resolve) => {
    child.on('close', (_code, by) => resolve(by));
  });
  expect(signal).toBe('SIGKILL');
  // The last line may have been cut off by the kill.
  return output.split('\n').slice(0, -1);
}

async function expectStored(store: Store, lines: readonly string[]): Promise<void> {
  const organizationId = lines[0]?.split(' ')[1] ?? '';
  const eventCounts = new Map<string, number>();
  const versions = new Map<string, number>();
  for (const line of lines) {
    const [kind, id = '', count = ''] = line.split(' ');
    if (kind === 'secret') versions.set(id, Number(count));
    if (kind === 'events') eventCounts.set(id, Number(count));
  }
  for (const [id, version] of versions) {
    const row = await store.secrets.readSecretById(organizationId, id);
    expect(row?.secret.version).toBeGreaterThanOrEqual(version);
    const sealed = await store.secrets.readVersion(organizationId, id, version);
    expect(sealed?.sealed).toBeInstanceOf(Uint8Array);
  }
  for (const [sandboxId, count] of eventCounts) {
    const rows = await store.audit.listNetwork(organizationId, sandboxId, { limit: 1_000_000 });
    expect(rows.length).toBeGreaterThanOrEqual(count);
    // A batch is there whole or not at all.
    expect(rows.length % 50).toBe(0);
  }
}

test('kill -9 at any write: everything acknowledged is there, the database is sound', async () => {
  const dataDir = temporaryDirectory();
  const rounds: string[][] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    rounds.push(await writeAndKill(dataDir, 2 + round * 7, Math.random() * 20));
    const file = new SqliteFile(path.join(dataDir, 'sallyport.db'));
    expect(file.pragma('integrity_check', { simple: true })).toBe('ok');
    expect(file.pragma('foreign_key_check')).toEqual([]);
    file.close();
  }
  const store = await openStore(dataDir);
  for (const lines of rounds) await expectStored(store, lines);
  expect(rounds.flat().filter((line) => line.startsWith('secret')).length).toBeGreaterThan(ROUNDS);
  expect(rounds.flat().filter((line) => line.startsWith('events')).length).toBeGreaterThan(ROUNDS);
}, 120_000);
