/** A column that is younger than the hash chain: rows from before it verify, and it cannot be changed unseen. */
import { expect, test } from 'vitest';
import { CHAIN_BEGIN, chainHash } from '../../src/audit/chain.ts';
import { chainedCells, EVENT_COLUMNS } from '../../src/store/queries/audit-row.ts';

const older = EVENT_COLUMNS.slice(0, -1).map((column) => `cell ${column}`);
const hashOf = (cells: readonly unknown[]) => chainHash(CHAIN_BEGIN, chainedCells(cells));

test('empty, it is as if it was not there', () => {
  expect(EVENT_COLUMNS.at(-1)).toBe('upstream_http_version');
  expect(hashOf([...older, null])).toEqual(chainHash(CHAIN_BEGIN, older));
});

test('filled, it is covered', () => {
  const hashes = [null, '1.1', '2'].map((cell) => hashOf([...older, cell]).toString('hex'));
  expect(new Set(hashes).size).toBe(3);
});
