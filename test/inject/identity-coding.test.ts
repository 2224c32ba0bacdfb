/** `Accept-Encoding` of a request whose answer must be readable. */
import { expect, test } from 'vitest';
import { askForIdentity } from '../../src/inject/identity-coding.ts';

test.each([
  [
    ['A', '1'],
    ['A', '1', 'Accept-Encoding', 'identity'],
  ],
  [[], ['Accept-Encoding', 'identity']],
  [
    ['A', '1', 'accept-ENCODING', 'gzip, br;q=1', 'B', '2'],
    ['A', '1', 'accept-ENCODING', 'identity', 'B', '2'],
  ],
  [
    ['Accept-Encoding', 'gzip', 'A', '1', 'accept-encoding', 'br'],
    ['Accept-Encoding', 'identity', 'A', '1'],
  ],
  // Servers that fold the two would read it.
  [
    ['Accept_Encoding', 'gzip', 'A', '1'],
    ['A', '1', 'Accept-Encoding', 'identity'],
  ],
  [
    ['Accept_Encoding', 'gzip', 'Accept-Encoding', 'gzip'],
    ['Accept-Encoding', 'identity'],
  ],
])('%j becomes %j', (before, after) => {
  expect(askForIdentity([...before])).toEqual(after);
});
