/**
 * `npm run soak -- [--minutes N] [--clients N]` (10, 500): HTTP/1.1, HTTP/2, WebSocket, events, large bodies
 * and new tunnels through one real product, with rotations and revocations all the time. Ends with
 * figures and `SOAK PASSED`, or the faults and exit code 1. Counts are exact: a row for each request, an
 * arrival for each value used.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { readResidentBytes } from '../../bench/process-cpu.ts';
import { startProduct } from '../support/product.ts';
import { TestAuthority } from '../support/test-authority.ts';
import { SoakChaos } from './soak-chaos.ts';
import type { DisturbedClient } from './soak-chaos.ts';
import { SoakClient } from './soak-client.ts';
import type { Speech } from './soak-client.ts';
import { SoakLedger } from './soak-ledger.ts';
import { startSoakOrigin } from './soak-origin.ts';
import { countRows, judgeCounts, judgeMemory } from './soak-verdict.ts';

const HOST = 'api.example.test';
const SECRETS = 20;
const SPEECHES: readonly Speech[] = ['http1', 'http1', 'http2', 'http2', 'websocket', 'churn'];
/** One in so many clients is disturbed. */
const DISTURBED_EVERY = 10;
const REQUESTS_PER_SECOND = 400;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    clients: { type: 'string', default: '500' },
  },
});
const runMs = Number(values.minutes) * 60_000;
const clientCount = Number(values.clients);

const ledger = new SoakLedger(SECRETS);
const authority = new TestAuthority();
await using origin = await startSoakOrigin(authority.mintLeaf([HOST]), ledger);
await using product = await startProduct({
  hosts: { [HOST]: origin.address },
  originCa: authority.caPem,
  settings: { audit: { retention_rows: 50_000_000 }, limits: { connections_max: 20_000 } },
});
for (const secret of ledger.secrets) {
  await product.createSecret(secret.name, secret.values[0] ?? '', {
    auth: { type: 'bearer' },
    hosts: [HOST],
  });
}

const clients: SoakClient[] = [];
const disturbed: DisturbedClient[] = [];
const sandboxIds = new Map<string, string>();
for (let i = 0; i < clientCount; i += 1) {
  const secret = i % SECRETS;
  const sandbox = await product.createSandbox({ secrets: { KEY: `soak_${secret}` } });
  const name = `c${i}`;
  const client = new SoakClient({
    name,
    speech: SPEECHES[i % SPEECHES.length] ?? 'http1',
    secret,
    tunnel: { proxy: product.proxy, host: HOST, token: sandbox.token, ca: product.caPem },
    ledger,
    pauseMs: (1_000 * clientCount) / REQUESTS_PER_SECOND,
  });
  clients.push(client);
  sandboxIds.set(name, sandbox.id);
  if (i % DISTURBED_EVERY === DISTURBED_EVERY - 1) {
    disturbed.push({ client, sandboxId: sandbox.id });
    ledger.disturbed.add(name);
  }
}
console.log(
  `${clients.length} clients, ${disturbed.length} of them disturbed, ${values.minutes} min`,
);

const chaos = new SoakChaos(product, ledger);
const running = [
  ...clients.map((client) => client.run()),
  chaos.rotate(200),
  chaos.disturb(disturbed, 500),
];
const memory: number[] = [];
const untilMs = performance.now() + runMs;
while (performance.now() < untilMs) {
  memory.push(readResidentBytes(product.pid));
  await delay(250);
}
chaos.stop();
for (const client of clients) client.stop();
await Promise.all(running);
// The trail is visible within a second; what was cut is recorded by then too.
await delay(3_000);

const rows = await countRows(product, ledger, sandboxIds);
judgeCounts(ledger, rows);
judgeMemory(ledger, memory);
await product.assertNoLeak(
  ledger.secrets.flatMap((secret) => secret.values.slice(-2)),
  { client: false },
);

const sent = [...ledger.counts.values()].reduce((sum, count) => sum + count.sent, 0);
const least = (samples: readonly number[]): number => Math.round(Math.min(...samples) / 2 ** 20);
console.log(
  `${sent} requests, ${[...rows.values()].reduce((sum, count) => sum + count, 0)} audit rows, ` +
    `${chaos.rotations} rotations, ${chaos.revocations} revocations, memory ` +
    `${least(memory.slice(0, 40))} → ${least(memory.slice(-40))} MiB`,
);
if (product.output.stderr !== '')
  console.log(`the product said: ${product.output.stderr.slice(-2_000)}`);
for (const [what, { count, first }] of ledger.faults) {
  console.log(`FAULT ${count} times, first ${first}: ${what}`);
}
console.log(ledger.faults.size === 0 ? 'SOAK PASSED' : `SOAK FAILED: ${ledger.faults.size} faults`);
process.exitCode = ledger.faults.size === 0 ? 0 : 1;
