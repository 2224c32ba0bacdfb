/** A store in a directory of its own, removed when the test ends. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { startStore } from '../../src/store/start-store.ts';
import type { Store } from '../../src/store/store.ts';
import { silentLogger } from './silent-logger.ts';

export function temporaryDirectory(): string {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'sallyport-store-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Opens the store in `dataDir`; closed when the test ends, if the test did not. */
export async function openStore(dataDir: string): Promise<Store> {
  const store = await startStore({
    url: null,
    dataDir,
    logger: silentLogger,
    clock: systemClock,
  });
  onTestFinished(async () => {
    await store.close().catch(() => undefined);
  });
  return store;
}
