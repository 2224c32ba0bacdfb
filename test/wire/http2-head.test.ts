/** HTTP/2 heads as the later steps read them. What the runtime refuses before is `test/attack/http2-*`. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readHttp2Head } from '../../src/wire/http2-head.ts';
import type { Http2Head } from '../../src/wire/http2-head.ts';

const BASE = [':method', 'GET', ':scheme', 'https', ':path', '/x', ':authority', 'a.example'];
const read = (lines: readonly string[]): Http2Head =>
  readHttp2Head(lines, { scheme: 'https', headBytesMax: 1_000 });

describe('readHttp2Head', () => {
  test('pseudo fields out, the authority as Host, the rest as it came', () => {
    expect(read([...BASE, 'x-a', '1', 'x-b', '2', 'x-a', '3'])).toMatchObject({
      method: 'GET',
      target: '/x',
      fields: ['host', 'a.example', 'x-a', '1', 'x-b', '2', 'x-a', '3'],
      refusal: null,
    });
  });

  test('cookie crumbs are joined where the first stood', () => {
    const { fields } = read([...BASE, 'cookie', 'a=1', 'x-a', '1', 'cookie', 'b=2', 'cookie', 'c']);
    expect(fields).toEqual(['host', 'a.example', 'cookie', 'a=1; b=2; c', 'x-a', '1']);
  });

  test('without :authority the Host counts', () => {
    const { fields, refusal } = read([...BASE.slice(0, 6), 'host', 'a.example']);
    expect({ fields, refusal }).toEqual({ fields: ['host', 'a.example'], refusal: null });
  });

  test('a CONNECT has its authority as target', () => {
    const { target, refusal } = read([':method', 'CONNECT', ':authority', 'b.example:443']);
    expect({ target, refusal }).toEqual({ target: 'b.example:443', refusal: null });
  });

  test.each([
    ['the same host', 'a.example', undefined],
    ['in other letters, with its port', 'A.Example:443', undefined],
    ['another host', 'b.example', 'misdirected_request'],
    ['another port', 'a.example:444', 'misdirected_request'],
    ['what is no host', 'a b', 'misdirected_request'],
  ])('Host beside :authority: %s', (_what, host, code) => {
    const { fields, refusal } = read([...BASE, 'host', host]);
    expect(refusal?.code).toBe(code);
    expect(fields.filter((text, i) => i % 2 === 0 && text === 'host')).toHaveLength(1);
  });

  test.each([
    ['no method', BASE.slice(2)],
    ['no path', [...BASE.slice(0, 4), ...BASE.slice(6)]],
    ['another scheme', [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'a']],
    ['an unknown pseudo field', [...BASE, ':protocol', 'websocket']],
  ])('bad_request: %s', (_what, lines) => {
    expect(read(lines).refusal?.code).toBe('bad_request');
  });

  test('more bytes than a head may have', () => {
    expect(read([...BASE, 'x', 'a'.repeat(1_000)]).refusal?.code).toBe('header_too_large');
    expect(read([...BASE, 'x', 'a'.repeat(900)]).refusal).toBe(null);
  });

  test('never throws, adds nothing, loses nothing but pseudo fields, host and crumbs', () => {
    const name = fc.constantFrom(':method', ':path', ':authority', ':x', 'host', 'cookie', 'x-a');
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.string())), (pairs) => {
        const { fields, bytes } = read(pairs.flat());
        expect(bytes).toBe(pairs.flat().join('').length);
        const others = pairs.filter(([said]) => said === 'x-a').flat();
        expect(fields.filter((_text, i) => fields[i - (i % 2)] === 'x-a')).toEqual(others);
        expect(fields.some((text, i) => i % 2 === 0 && text.startsWith(':'))).toBe(false);
      }),
    );
  });
});
