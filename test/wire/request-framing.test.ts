import { describe, expect, test } from 'vitest';
import { checkRequestHead } from '../../src/wire/request-framing.ts';

const LIMITS = { headFieldsMax: 8 };
const REFUSED = expect.objectContaining({ code: 'bad_request' });

function check(
  fields: readonly string[],
  line: Partial<Record<'method' | 'target' | 'httpVersion', string>> = {},
) {
  return checkRequestHead(
    { method: 'POST', target: '/', httpVersion: '1.1', ...line, fields },
    LIMITS,
  );
}

const HOST = ['Host', 'api.example'];

describe('one body length', () => {
  test('none, length and chunked', () => {
    expect(check(HOST)).toEqual({
      bodyKind: 'none',
      contentLength: null,
      host: 'api.example',
      expectContinue: false,
      connectionOptions: [],
    });
    expect(check([...HOST, 'Content-Length', '12'])).toMatchObject({
      bodyKind: 'length',
      contentLength: 12,
    });
    expect(check([...HOST, 'Content-Length', '0'])).toMatchObject({
      bodyKind: 'length',
      contentLength: 0,
    });
    expect(check([...HOST, 'transfer-encoding', 'Chunked'])).toMatchObject({
      bodyKind: 'chunked',
      contentLength: null,
    });
  });

  test.each([
    [
      'Content-Length with Transfer-Encoding',
      ['Content-Length', '3', 'Transfer-Encoding', 'chunked'],
    ],
    ['the same in the other order', ['Transfer-Encoding', 'chunked', 'Content-Length', '3']],
    ['two equal lengths', ['Content-Length', '3', 'content-length', '3']],
    ['two lengths', ['Content-Length', '3', 'Content-Length', '4']],
    ['a list of lengths', ['Content-Length', '3, 3']],
    ['a signed length', ['Content-Length', '+3']],
    ['a negative length', ['Content-Length', '-3']],
    ['a hexadecimal length', ['Content-Length', '0x3']],
    ['a fraction', ['Content-Length', '3.0']],
    ['an exponent', ['Content-Length', '1e1']],
    ['an empty length', ['Content-Length', '']],
    ['a length beyond 2^53', ['Content-Length', '9007199254740993']],
    ['a length beyond 2^64', ['Content-Length', '18446744073709551619']],
    ['a length in full-width digits', ['Content-Length', '\u00b3']],
    ['a length spelled with _', ['Content_Length', '3']],
    ['a coding spelled with _', ['Transfer_Encoding', 'chunked']],
    ['both spellings', ['Content-Length', '3', 'content_length', '3']],
    ['identity', ['Transfer-Encoding', 'identity']],
    ['identity, chunked', ['Transfer-Encoding', 'identity, chunked']],
    ['chunked, identity', ['Transfer-Encoding', 'chunked, identity']],
    ['gzip, chunked', ['Transfer-Encoding', 'gzip, chunked']],
    ['a comma before', ['Transfer-Encoding', ',chunked']],
    ['a comma after', ['Transfer-Encoding', 'chunked,']],
    ['chunked twice in one line', ['Transfer-Encoding', 'chunked, chunked']],
    ['chunked in two lines', ['Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked']],
    ['xchunked', ['Transfer-Encoding', 'xchunked']],
    ['quoted', ['Transfer-Encoding', '"chunked"']],
    ['a parameter', ['Transfer-Encoding', 'chunked;q=1']],
    ['a vertical tab', ['Transfer-Encoding', '\u000bchunked']],
    ['an inner tab', ['Transfer-Encoding', '\tchunked']],
    ['a no-break space', ['Transfer-Encoding', '\u00a0chunked']],
    ['an empty coding', ['Transfer-Encoding', '']],
  ])('I6 refuses %s', (_name, fields) => {
    expect(() => check([...HOST, ...fields])).toThrow(REFUSED);
  });

  test('I6 refuses any transfer coding on HTTP/1.0', () => {
    expect(() => check([...HOST, 'Transfer-Encoding', 'chunked'], { httpVersion: '1.0' })).toThrow(
      REFUSED,
    );
  });
});

describe('one host', () => {
  test('I6 refuses two, also equal ones and in another case', () => {
    expect(() => check([...HOST, ...HOST])).toThrow(REFUSED);
    expect(() => check([...HOST, 'hOST', 'evil.example'])).toThrow(REFUSED);
  });

  test('HTTP/1.1 must have one, HTTP/1.0 and CONNECT need not', () => {
    expect(() => check([])).toThrow(REFUSED);
    expect(check([], { httpVersion: '1.0' }).host).toBeNull();
    expect(check([], { method: 'CONNECT', target: 'api.example:443' }).host).toBeNull();
  });
});

describe('request line', () => {
  test.each(['0.9', '2.0', '1.2', '3.0', '1', ''])('I6 refuses version %j', (httpVersion) => {
    expect(() => check(HOST, { httpVersion })).toThrow(REFUSED);
  });

  test.each(['', 'GE T', 'GET\t', 'G(T', 'GÉT', 'GET:', 'GET/'])(
    'I6 refuses method %j',
    (method) => {
      expect(() => check(HOST, { method })).toThrow(REFUSED);
    },
  );

  test.each([
    '',
    '/#f',
    '/a b',
    '/a\tb',
    '/\u0000',
    '/\u007f',
    '/\u00e9',
    '/\u0100',
    '/a\r\n',
    '/a\u0001',
  ])('I6 refuses target %j', (target) => {
    expect(() => check(HOST, { target })).toThrow(REFUSED);
  });

  test.each(['/', '*', '/a?b=c&d', '//a', '/%00', '/a"<>\\^`{|}', 'http://api.example/'])(
    'lets target %j through',
    (target) => {
      expect(() => check(HOST, { target })).not.toThrow();
    },
  );
});

describe('field lines', () => {
  test.each([
    ['X Y', 'v'],
    ['X:', 'v'],
    ['', 'v'],
    ['X\u0000', 'v'],
    ['Ä', 'v'],
    ['X(Y)', 'v'],
    ['X', 'a\rb'],
    ['X', 'a\nb'],
    ['X', 'a\u0000b'],
    ['X', 'a\u0001'],
    ['X', 'a\u007f'],
    ['X', 'a\u0100'],
  ])('I6 refuses %j: %j', (name, value) => {
    expect(() => check([...HOST, name, value])).toThrow(REFUSED);
  });

  test('tabs and obs-text are values', () => {
    expect(() => check([...HOST, 'X', 'a\tb\u00e9\u00ff'])).not.toThrow();
  });

  test('I7 more lines than the limit are too large', () => {
    const lines = Array.from({ length: 7 }, (_, index) => [`X-${index}`, 'v']).flat();
    expect(() => check([...HOST, ...lines])).not.toThrow();
    expect(() => check([...HOST, ...lines, 'X', 'v'])).toThrow(
      expect.objectContaining({ code: 'header_too_large' }),
    );
  });
});

describe('Expect and Connection', () => {
  test('100-continue once, in any case; ignored on HTTP/1.0', () => {
    expect(check([...HOST, 'Expect', '100-Continue']).expectContinue).toBe(true);
    expect(check([...HOST, 'Expect', '100-continue'], { httpVersion: '1.0' }).expectContinue).toBe(
      false,
    );
  });

  test.each(['200-ok', '', '100-continue, 100-continue', '100-continue;x'])(
    'refuses Expect: %j',
    (value) => {
      expect(() => check([...HOST, 'Expect', value])).toThrow(REFUSED);
    },
  );

  test('refuses two Expect lines', () => {
    expect(() => check([...HOST, 'Expect', '100-continue', 'expect', '100-continue'])).toThrow(
      REFUSED,
    );
  });

  test('hands over the options of Connection', () => {
    expect(check([...HOST, 'Connection', 'Close, X-A']).connectionOptions).toEqual([
      'close',
      'x-a',
    ]);
  });
});
