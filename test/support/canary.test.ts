import { describe, expect, test } from 'vitest';
import { assertNoCanary, findCanary, mintCanary } from './canary.ts';

const value = mintCanary('sk-/+&?');
const around = (text: string): { name: string; bytes: Buffer }[] => [
  { name: 'log', bytes: Buffer.from(`before ${text} after`) },
];
const percentAll = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');

describe('a planted canary is found', () => {
  const spellings: [string, string][] = [
    ['raw', value],
    ['base64', Buffer.from(value).toString('base64')],
    ['base64 of user:value', Buffer.from(`me:${value}`).toString('base64')],
    ['base64 of x-access-token:value', Buffer.from(`x-access-token:${value}`).toString('base64')],
    ['base64url', Buffer.from(`u:${value}!`).toString('base64url')],
    ['percent', encodeURIComponent(value)],
    ['percent, every byte', percentAll(value)],
    ['percent, every byte, upper case', percentAll(value).toUpperCase()],
    ['hex', Buffer.from(value).toString('hex')],
    ['hex, upper case', Buffer.from(value).toString('hex').toUpperCase()],
  ];
  test.each(spellings)('%s', (_form, text) => {
    expect(() => assertNoCanary({ value, haystacks: around(text) })).toThrow(/leaked into log/);
  });
});

describe('and only a planted one', () => {
  test('another value is not found', () => {
    expect(findCanary(value, around(mintCanary('sk-/+&?')))).toEqual([]);
  });

  test('a search with nothing to look in fails', () => {
    expect(() => assertNoCanary({ value, haystacks: [] })).toThrow(/nothing to look in/);
  });

  test('the message names the place and never the value', () => {
    const found = findCanary(value, around(value));
    expect(found).toEqual(['log: raw']);
  });
});
