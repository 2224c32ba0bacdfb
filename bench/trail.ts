/**
 * `node bench/trail.ts [rows [secrets]]`: the figures of the trails, on 1,000,000 audit rows and 100,000
 * secrets unless told otherwise, through the HTTP API of the real product: a page of `/audit` at any depth,
 * an export and what memory it takes, a page of `/secrets`. Prints them; exit code 1 when one was missed.
 * Needs a quiet machine and a few minutes.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import SqliteFile from 'better-sqlite3';
import { formatCursor } from '../admin-api/contract/cursor.ts';
import type { AuditEvent } from '../src/audit/event.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { startStore } from '../src/store/start-store.ts';
import { silentLogger } from '../test/store/silent-logger.ts';
import { startProduct } from '../test/support/product.ts';
import type { Product } from '../test/support/product.ts';

const [rowCount = 1_000_000, secretCount = 100_000] = process.argv.slice(2).map(Number);
const BATCH = 500;
const ASKED = 300;
const BEGIN_MS = Date.parse('2026-01-01T00:00:00Z');
/** Between two events. */
const STEP_MS = 250;
const SANDBOXES = 20;
const HOSTS = 200;
const REACH_PAGE_MS = 50;
const REACH_ROWS_PER_S = 50_000;
const REACH_GROWTH_MIB = 64;

let isMissed = false;

function say(title: string, measured: string, target: string, isReached: boolean): void {
  isMissed ||= !isReached;
  console.log(`${title}: ${measured} (${target}) ${isReached ? 'reached' : 'MISSED'}`);
}

await using product = await startProduct({
  settings: {
    audit: {
      retention_days: 36_500,
      retention_rows: 100_000_000,
      retention_plain_rows: 100_000_000,
    },
  },
});
await product.createSecret('template', 'not-a-real-key-for-the-bench', {
  auth: { type: 'bearer' },
  hosts: ['template.bench.test'],
});
const sandboxIds: string[] = [];
for (let count = 0; count < SANDBOXES; count += 1) {
  sandboxIds.push((await product.createSandbox()).id);
}
await product.stop();
const secretIds = cloneSecrets(product, secretCount);
await appendRows(product, rowCount);
await product.start();

await measurePages('a page of /audit at any depth', () => `/audit?limit=100&cursor=${cursor()}`);
await measurePages('… of one sandbox', () => {
  return `/audit?limit=100&sandbox=${pick(sandboxIds)}&cursor=${cursor()}`;
});
await measurePages('… of one secret', () => {
  return `/audit?limit=100&secret=${pick(secretIds)}&cursor=${cursor()}`;
});
await measurePages('… of a rare host', () => {
  return `/audit?limit=100&host=host-${random(HOSTS)}.bench.test&cursor=${cursor()}`;
});
await measurePages('… of refusals', () => `/audit?limit=100&status=errors&cursor=${cursor()}`);
await measurePages('a page of one secret (/secrets/{name}/audit)', () => {
  return `/secrets/s_${random(SANDBOXES)}/audit?limit=100&before=${random(rowCount)}`;
});
await measurePages('a page of /secrets at any depth', () => {
  const at = random(secretIds.length);
  const place = formatCursor([BEGIN_MS + at, secretIds[at] ?? '']);
  return `/secrets?limit=100&cursor=${place}`;
});
await measurePages('a search in /secrets', () => `/secrets?limit=100&q=s_${random(secretCount)}`);
// The heap grows to its working size once; what counts is that it stays there.
await product.admin.get('/audit?format=csv&until=2026-01-02T00:00:00Z');
await measureExport('ndjson');
await measureExport('csv');
if (isMissed) process.exitCode = 1;

/** One secret many times over, behind the product's back: a hundred thousand requests would take minutes. */
function cloneSecrets({ dataDirectory }: Product, count: number): string[] {
  const file = new SqliteFile(join(dataDirectory, 'sallyport.db'));
  const ids = Array.from({ length: count }, () => randomUUID());
  const clone = (table: string, changes: readonly string[], where: string) => {
    const columns = (file.pragma(`table_info(${table})`) as { name: string }[])
      .map(({ name }) => name)
      .filter((name) => name !== 'seq');
    const values = columns.map((name) => (changes.includes(name) ? `@${name}` : name));
    return file.prepare(
      `insert into ${table} (${columns.join()}) select ${values.join()} from ${table} where ${where}`,
    );
  };
  const [template] = file.prepare('select id from secrets').all() as { id: string }[];
  const secret = clone(
    'secrets',
    ['id', 'name', 'search_text', 'created_at_ms', 'active_version_id'],
    `id = '${template?.id}'`,
  );
  const version = clone('secret_versions', ['id', 'secret_id'], `secret_id = '${template?.id}'`);
  const host = clone('secret_hosts', ['secret_id', 'host'], `secret_id = '${template?.id}'`);
  file.transaction(() => {
    for (const [index, id] of ids.entries()) {
      const versionId = randomUUID();
      const at = { created_at_ms: BEGIN_MS + index, active_version_id: versionId };
      secret.run({ id, name: `s_${index}`, search_text: `s_${index}\n`, ...at });
      version.run({ id: versionId, secret_id: id });
      host.run({ secret_id: id, host: `h${index}.bench.test` });
    }
  })();
  file.close();
  return ids;
}

/** Through the store's own append, in the trail's batches. */
async function appendRows({ dataDirectory }: Product, count: number): Promise<void> {
  const store = await startStore({
    url: null,
    dataDir: dataDirectory,
    logger: silentLogger,
    clock: systemClock,
  });
  const [organization] = await store.organizations.listOrganizations();
  const beganMs = performance.now();
  for (let from = 0; from < count; from += BATCH) {
    const length = Math.min(BATCH, count - from);
    const events = Array.from({ length }, (_, index) =>
      eventAt(from + index, organization?.id ?? ''),
    );
    await store.audit.appendEvents(events);
  }
  const seconds = (performance.now() - beganMs) / 1_000;
  console.log(`${count} rows appended, ${Math.round(count / seconds)} a second`);
  await store.close();
}

/** A third used a secret, one in fifty was refused, the rest is plain traffic. */
function eventAt(index: number, organizationId: string): AuditEvent {
  const isRefused = index % 50 === 0;
  const usesSecret = index % 3 === 0;
  const secretId = secretIds[index % SANDBOXES] ?? '';
  return {
    kind: 'exchange',
    tsMs: BEGIN_MS + index * STEP_MS,
    organizationId,
    sandboxId: sandboxIds[index % SANDBOXES] ?? '',
    requestId: `req_${index.toString(36)}`,
    host: `host-${(index * 7) % HOSTS}.bench.test`,
    port: 443,
    decision: isRefused ? 'deny' : 'intercept',
    code: isRefused ? 'credential_not_permitted' : null,
    detail: null,
    wouldRefuse: null,
    bytesIn: 512,
    bytesOut: 2_048,
    latencyMs: 25,
    secrets: usesSecret ? [{ secretId, version: 1 }] : [],
    method: 'GET',
    scheme: 'https',
    path: `/v1/things/${index}`,
    status: isRefused ? 403 : 200,
    upstreamStatus: isRefused ? null : 200,
    httpVersion: '1.1',
    upstreamHttpVersion: '1.1',
  };
}

/** One after the other, at places drawn evenly from all there is. */
async function measurePages(title: string, path: () => string): Promise<void> {
  const times: number[] = [];
  for (let count = 0; count < ASKED; count += 1) {
    const beganMs = performance.now();
    const answer = await product.admin.get(path());
    times.push(performance.now() - beganMs);
    if (answer.status !== 200) throw new Error(`${title}: ${answer.status} ${answer.text}`);
  }
  times.sort((one, other) => one - other);
  const [p50 = 0, p99 = 0] = [times[Math.floor(ASKED / 2)], times[Math.floor(ASKED * 0.99)]];
  const measured = `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`;
  say(title, measured, `p99 < ${REACH_PAGE_MS} ms`, p99 < REACH_PAGE_MS);
}

async function measureExport(format: 'ndjson' | 'csv'): Promise<void> {
  const { origin, key } = product.admin;
  let rows = format === 'csv' ? -1 : 0;
  // Of each half: what is held grows with what was sent, or it does not.
  const peaks: [number, number] = [0, 0];
  const watch = setInterval(() => {
    const half = rows < rowCount / 2 ? 0 : 1;
    peaks[half] = Math.max(peaks[half], readMib(product.pid));
  }, 50);
  const beganMs = performance.now();
  const response = await fetch(`${origin}/audit?format=${format}`, {
    headers: { 'x-api-key': key },
  });
  for await (const chunk of response.body ?? []) {
    for (const byte of chunk) if (byte === 10) rows += 1;
  }
  const seconds = (performance.now() - beganMs) / 1_000;
  clearInterval(watch);
  if (rows !== rowCount) throw new Error(`the export has ${rows} rows`);
  const rate = Math.round(rows / seconds);
  const target = `> ${REACH_ROWS_PER_S} rows/s`;
  say(`export as ${format}`, `${rate} rows/s`, target, rate > REACH_ROWS_PER_S);
  const [first, second] = peaks;
  const measured = `at most ${first} MiB in the first half, ${second} MiB in the second`;
  say('… memory', measured, `+${REACH_GROWTH_MIB} MiB`, second - first <= REACH_GROWTH_MIB);
}

function readMib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024);
}

function cursor(): string {
  const at = random(rowCount);
  return formatCursor([BEGIN_MS + at * STEP_MS, at + 1]);
}

function random(below: number): number {
  return Math.floor(Math.random() * below);
}

function pick(from: readonly string[]): string {
  return from[random(Math.min(from.length, SANDBOXES))] ?? '';
}
