import { expect, test } from 'vitest';
import { KeyUseBook } from '../../src/organizations/key-use-book.ts';

const silent = () => {};
const logger = { debug: silent, info: silent, warn: silent, error: silent, child: () => logger };

test('one write for many uses, the latest time', async () => {
  const written: (readonly { id: string; atMs: number }[])[] = [];
  const store = { touchApiKeys: async (uses: (typeof written)[number]) => void written.push(uses) };
  const book = new KeyUseBook(store, logger);
  book.note('a', 5);
  book.note('a', 9);
  book.note('a', 7);
  book.note('b', 1);
  expect(book.pendingOf('a')).toBe(9);
  await book.close();
  expect(written).toEqual([
    [
      { id: 'a', atMs: 9 },
      { id: 'b', atMs: 1 },
    ],
  ]);
  expect(book.pendingOf('a')).toBeNull();
});

test('what the store refused is written later', async () => {
  let isAway = true;
  const written: unknown[] = [];
  const store = {
    touchApiKeys: async (uses: unknown) => {
      if (isAway) throw new Error('away');
      written.push(uses);
    },
  };
  const book = new KeyUseBook(store, logger);
  book.note('a', 5);
  await book.flush();
  expect(book.pendingOf('a')).toBe(5);
  isAway = false;
  await book.close();
  expect(written).toEqual([[{ id: 'a', atMs: 5 }]]);
});
