/** `Content-Encoding` as it is written, and what is left of a head whose body was decoded. */
import { expect, test } from 'vitest';
import { contentCodings, decodedFields } from '../../src/wire/content-codings.ts';

test.each([
  [[], []],
  [['Content-Encoding', 'gzip'], ['gzip']],
  [
    ['content-encoding', ' GZip , br'],
    ['gzip', 'br'],
  ],
  [
    ['Content-Encoding', 'gzip', 'X', 'y', 'Content-Encoding', 'br'],
    ['gzip', 'br'],
  ],
  [['Content-Encoding', 'identity'], []],
  [['Content-Encoding', ', ,'], []],
  [['Content-Encoding', ''], []],
])('%j: %j', (fields, codings) => {
  expect(contentCodings(fields)).toEqual(codings);
});

test('what is about the coded bytes goes, in any case and number; the rest stays as it was', () => {
  expect(
    decodedFields([
      'X-One', '1', 'CONTENT-encoding', 'br', 'Content-Length', '5', 'Content-Digest', 'x',
      'repr-digest', 'x', 'Digest', 'x', 'Content-MD5', 'x', 'x-one', '2', 'Content-Type', 'a/b',
    ]), // prettier-ignore
  ).toEqual(['X-One', '1', 'x-one', '2', 'Content-Type', 'a/b']);
});

test.each([
  ['"x"', 'W/"x"'],
  ['W/"x"', 'W/"x"'],
  ['unquoted', 'unquoted'],
])('an ETag of %s becomes %s', (before, after) => {
  expect(decodedFields(['ETag', before])).toEqual(['ETag', after]);
});
