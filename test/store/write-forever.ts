/**
 * A program that writes to a store until it is killed. It prints one line for each write that was
 * acknowledged, after the acknowledgement. Argument: the data directory.
 */
import { writeSync } from 'node:fs';
import { systemClock } from '../../src/kernel/clock.ts';
import { startStore } from '../../src/store/start-store.ts';
import {
  insertSampleSecret,
  insertTenant,
  sampleExchange,
  sampleVersion,
} from '../contract/samples.ts';
import { silentLogger } from './silent-logger.ts';

function acknowledge(line: string): void {
  writeSync(1, `${line}\n`);
}

const store = await startStore({
  url: null,
  dataDir: process.argv[2] ?? '',
  logger: silentLogger,
  clock: systemClock,
});
const tenant = await insertTenant(store, `org-${process.pid}`);
acknowledge(`organization ${tenant.organization.id}`);

async function writeSecrets(): Promise<never> {
  for (;;) {
    const secret = await insertSampleSecret(store, tenant);
    acknowledge(`secret ${secret.id} 1`);
    const rotated = {
      ...secret,
      version: 2,
      activeVersionId: `${secret.activeVersionId}-2`,
      revision: 2,
    };
    await store.secrets.updateSecret(rotated, sampleVersion(rotated));
    acknowledge(`secret ${secret.id} 2`);
  }
}

async function writeEvents(): Promise<never> {
  const ids = { organizationId: tenant.organization.id, sandboxId: `box-${process.pid}` };
  for (let batch = 1; ; batch += 1) {
    const events = Array.from({ length: 50 }, () => sampleExchange(ids));
    await store.audit.appendEvents(events, { writer: `w${process.pid}`, sequence: batch });
    acknowledge(`events ${ids.sandboxId} ${batch * 50}`);
  }
}

await Promise.all([writeSecrets(), writeEvents()]);
