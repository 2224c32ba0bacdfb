/** Field lists, queries and paths against naive references, and framing against any input. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Refusal } from '../../src/kernel/errors.ts';
import { formatBasicCredentials, readBasicCredentials } from '../../src/wire/basic-credentials.ts';
import { fieldValues, normalizeFieldName, withoutFields } from '../../src/wire/field-list.ts';
import { pathReadings } from '../../src/wire/path-readings.ts';
import {
  queryPairs,
  splitQuery,
  withoutQueryKeys,
  withQueryPair,
} from '../../src/wire/query-keys.ts';
import { checkRequestHead } from '../../src/wire/request-framing.ts';
import { parseRequestTarget } from '../../src/wire/request-target.ts';

const RUNS = { numRuns: 2_000 };
/** `undefined` when refused; any other exception fails the test. */
function refusedOr<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

const fieldName = fc.constantFrom(
  'Host',
  'host',
  'X-Api-Key',
  'x_api_KEY',
  'x-api-key',
  'Content-Length',
  'content_length',
  'Transfer-Encoding',
  'Accept',
  'A',
);
const fieldLine = fc.tuple(
  fieldName,
  fc.oneof(fc.string(), fc.constantFrom('chunked', '3', 'api.example')),
);
const fieldLines = fc.array(fieldLine, { maxLength: 12 });

describe('field lists', () => {
  test('removal keeps order, case, duplicates and values of everything else', () => {
    fc.assert(
      fc.property(fieldLines, fieldName, (lines, removed) => {
        const target = normalizeFieldName(removed);
        const kept = withoutFields(lines.flat(), (name) => name === target);
        const naive = lines.filter(([name]) => name.toLowerCase().split('_').join('-') !== target);
        expect(kept).toEqual(naive.flat());
      }),
      RUNS,
    );
  });

  test('values come in order', () => {
    fc.assert(
      fc.property(fieldLines, fieldName, (lines, name) => {
        const lower = name.toLowerCase();
        const naive = lines
          .filter(([other]) => other.toLowerCase() === lower)
          .map(([, value]) => value);
        expect(fieldValues(lines.flat(), lower)).toEqual(naive);
      }),
      RUNS,
    );
  });
});

describe('framing', () => {
  test('I6 what passes has one host and at most one length, whatever the fields', () => {
    fc.assert(
      fc.property(fieldLines, (lines) => {
        const head = { method: 'POST', target: '/', httpVersion: '1.1', fields: lines.flat() };
        const named = (name: string) =>
          lines.filter(([other]) => other.toLowerCase().replaceAll('_', '-') === name);
        const framing = refusedOr(() => checkRequestHead(head, { headFieldsMax: 256 }));
        fc.pre(framing !== undefined);
        const lengths = [...named('content-length'), ...named('transfer-encoding')];
        expect(named('host')).toHaveLength(1);
        expect(lengths).toHaveLength(framing?.bodyKind === 'none' ? 0 : 1);
        const isLength = framing?.bodyKind === 'length';
        expect(String(framing?.contentLength)).toBe(
          isLength ? lengths[0]?.[1].replace(/^0+(?=\d)/, '') : 'null',
        );
      }),
      RUNS,
    );
  });

  test('an absolute target is refused or has the host and port that new URL() reads', () => {
    const piece = fc.constantFrom(
      'http://',
      'https:',
      '/',
      'a.example',
      '@',
      ':',
      '80',
      '#',
      '?',
      '\\',
      '*',
      '[::1]',
      '%2f',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
        const text = ['http://', ...pieces].join('');
        const target = refusedOr(() => parseRequestTarget(text, 'GET'));
        fc.pre(target?.form === 'absolute');
        // A fault here would be a host of ours that a URL parser reads as another.
        const url = new URL(text);
        const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
        expect(target).toMatchObject({
          authority: { host: { text: url.hostname.replace(/^\[|\]$/g, '') }, port },
        });
      }),
      RUNS,
    );
  });
});

const queryText = fc
  .array(fc.constantFrom('key', 'k%65y', 'a', '=', '&', ';', '+', '%', '%20', '%ff', 'b=c', '?'), {
    maxLength: 12,
  })
  .map((parts) => parts.join(''));

describe('queries', () => {
  test('after removal the key is gone, the other pairs are untouched and in order', () => {
    fc.assert(
      fc.property(queryText, (query) => {
        const left = withoutQueryKeys(query, (key) => key === 'key');
        const expected = query.split(/[&;]/).filter((pair) => queryPairs(pair)[0]?.key !== 'key');
        expect(left === null ? [] : left.split(/[&;]/)).toEqual(expected);
        expect(queryPairs(left ?? '').some((pair) => pair.key === 'key')).toBe(false);
      }),
      RUNS,
    );
  });

  test('an added pair is read back last and disturbs nothing', () => {
    fc.assert(
      fc.property(queryText, fc.string({ minLength: 1 }), (query, value) => {
        const before = queryPairs(query);
        const target = withQueryPair(`/p?${query}`, 'api key', encodeURIComponent(value));
        const after = queryPairs(splitQuery(target).query ?? '');
        expect(after.slice(0, -1)).toEqual(before);
        expect(after.at(-1)).toMatchObject({ key: 'api key', value });
      }),
      RUNS,
    );
  });
});

/** Step by step as the spec says it, one replacement at a time. */
function naiveReading(path: string): string | undefined {
  let text = path;
  for (let round = 0; ; round++) {
    let next: string;
    try {
      next = text.replace(/(%[0-9a-f]{2})+/gi, (escapes) => decodeURIComponent(escapes));
    } catch {
      return undefined;
    }
    if (next === text) break;
    if (round === 3) return undefined;
    text = next;
  }
  if (/[\u0000-\u001f\u007f]/.test(text)) return undefined;
  text = text
    .replace(/\\/g, '/')
    .replace(/;[^/]*/g, '')
    .replace(/\/+/g, '/');
  const isBeyondRoot = /^\/\.\.(\/|$)/;
  for (;;) {
    const next = text
      .replace(/\/\.(\/|$)/, '/')
      .replace(isBeyondRoot, '/')
      .replace(/\/(?!\.\.?(?:\/|$))[^/]+\/\.\.(\/|$)/, '/');
    if (next === text) return text;
    text = next;
  }
}

describe('paths', () => {
  test('the normalized reading equals the naive one', () => {
    const piece = fc.constantFrom(
      '/',
      '/',
      '.',
      '..',
      '%2e',
      '%252e',
      '%25252e',
      '%2525252e',
      '%2f',
      '%5c',
      '\\',
      ';',
      ';a=b',
      'x',
      'yz',
      '%',
      '%zz',
      '%00',
      '%c0%af',
      '%C3%A9',
      '%25',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
        const path = `/${pieces.join('')}`;
        expect(pathReadings(path)?.normalized).toBe(naiveReading(path));
      }),
      { numRuns: 10_000 },
    );
  });

  test('the normalized reading has no dot segment, backslash, parameter or double slash left', () => {
    fc.assert(
      fc.property(fc.webPath(), fc.string({ unit: 'binary-ascii' }), (path, tail) => {
        const normalized = pathReadings(`/${path}${tail}`)?.normalized;
        fc.pre(normalized !== undefined);
        expect(normalized).not.toMatch(/\\|;|\/\/|\/\.{1,2}(\/|$)/);
      }),
      RUNS,
    );
  });
});

test('Basic credentials survive any text without a colon in the name', () => {
  const text = fc.string({ unit: 'grapheme' });
  fc.assert(
    fc.property(
      text.map((name) => name.replaceAll(':', '')),
      text,
      (username, password) => {
        expect(readBasicCredentials(formatBasicCredentials(username, password))).toEqual({
          username,
          password,
        });
      },
    ),
    RUNS,
  );
});
