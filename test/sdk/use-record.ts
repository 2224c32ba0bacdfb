/** What the product says afterwards about the use of a secret: its audit rows and `last_used_at`. */
import { expect } from 'vitest';
import { eventually } from '../support/eventually.ts';
import type { Product, TestSandbox } from '../support/product.ts';

export interface AuditRow {
  readonly id: number;
  readonly sandbox_id: string;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly status: number;
  readonly upstream_status?: number;
  /** Absent where nothing went wrong. */
  readonly error_code?: string;
}

/** Audit rows of a secret that one sandbox caused, oldest first. */
export async function readUses(
  product: Product,
  secret: string,
  sandbox: TestSandbox,
): Promise<AuditRow[]> {
  const rows = (await product.admin.must('GET', `/secrets/${secret}/audit`)) as AuditRow[];
  return rows.filter((row) => row.sandbox_id === sandbox.id).toReversed();
}

/**
 * Exactly these exchanges used the secret (`METHOD PATH STATUS`, in any order: they may overlap), none with
 * an error, and `last_used_at` says when. Rows are visible within a second of the exchange.
 */
export async function expectUses(
  product: Product,
  secret: string,
  sandbox: TestSandbox,
  uses: readonly string[],
): Promise<void> {
  await eventually(async () => {
    const rows = await readUses(product, secret, sandbox);
    const seen = rows.map((row) =>
      [row.method, row.path, row.upstream_status, row.error_code].join(' ').trim(),
    );
    expect(seen.toSorted()).toEqual([...uses].toSorted());
  });
  const { last_used_at } = (await product.admin.must('GET', `/secrets/${secret}`)) as {
    last_used_at: string | null;
  };
  expect(Date.parse(last_used_at ?? '')).toBeGreaterThan(0);
}

/** Exactly one exchange was refused with `code`: nobody tried again. */
export async function expectOneRefusal(
  product: Product,
  secret: string,
  sandbox: TestSandbox,
  code: string,
): Promise<void> {
  await eventually(async () => {
    const rows = await readUses(product, secret, sandbox);
    expect(rows.map((row) => row.error_code)).toEqual([code]);
  });
}
