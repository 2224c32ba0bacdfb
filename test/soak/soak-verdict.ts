/**
 * The end of the soak: audit rows against what clients sent and the origin got, and memory against
 * itself. For undisturbed clients the three counts are one number; for those that were cut off, every
 * answer has a row and no row is without a request.
 */
import type { Product } from '../support/product.ts';
import type { SoakLedger } from './soak-ledger.ts';

/** The lowest of a late window may be above the lowest of an early one by this much. */
const GROWTH_BYTES_MAX = 64 * 2 ** 20;

interface ExportedRow {
  readonly method?: string;
  readonly sandbox_id: string;
  readonly code: string | null;
  readonly detail: string | null;
}

/** Rows of requests by client, from the export of the whole trail. */
export async function countRows(
  product: Product,
  ledger: SoakLedger,
  sandboxIds: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, number>> {
  const clientOf = new Map([...sandboxIds].map(([client, id]) => [id, client]));
  const rows = new Map<string, number>();
  const response = await fetch(`${product.admin.origin}/audit?format=ndjson`, {
    headers: { 'x-api-key': product.admin.key },
  });
  if (!response.ok || response.body === null) throw new Error(`export: ${response.status}`);
  let rest = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') continue;
      const row = JSON.parse(line) as ExportedRow;
      if (row.method === undefined) continue;
      const client = clientOf.get(row.sandbox_id) ?? '';
      if (row.code !== null && !ledger.disturbed.has(client)) {
        ledger.fault(client, `recorded ${row.code} ${row.detail ?? ''}`);
      }
      rows.set(client, (rows.get(client) ?? 0) + 1);
    }
  }
  return rows;
}

export function judgeCounts(ledger: SoakLedger, rows: ReadonlyMap<string, number>): void {
  for (const [client, { sent, answered, arrived }] of ledger.counts) {
    const recorded = rows.get(client) ?? 0;
    const isRight = !ledger.disturbed.has(client)
      ? recorded === sent && arrived === sent && answered === sent
      : recorded >= answered && recorded <= sent && arrived <= sent;
    if (!isRight) {
      ledger.fault(
        client,
        `counts: ${sent} sent, ${answered} answered, ${arrived} arrived, ${recorded} rows`,
      );
    }
  }
}

export function judgeMemory(ledger: SoakLedger, samples: readonly number[]): void {
  const warm = samples.slice(Math.floor(samples.length * 0.4));
  const window = Math.max(1, Math.floor(warm.length / 6));
  const early = Math.min(...warm.slice(0, window));
  const late = Math.min(...warm.slice(-window));
  if (late - early > GROWTH_BYTES_MAX) {
    ledger.fault('the product', `memory grew by ${Math.round((late - early) / 2 ** 20)} MiB`);
  }
}
