import { describe, expect, test } from 'vitest';
import {
  bitString,
  element,
  integer,
  objectIdentifier,
  readElements,
  sequence,
  time,
} from '../../src/ca/der.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('X.690 encodings', () => {
  test.each([
    ['00', '020100'],
    ['7f', '02017f'],
    ['80', '02020080'],
    ['0000ff', '020200ff'],
    ['0100', '02020100'],
  ])('integer %s', (given, expected) => {
    expect(hex(integer(Buffer.from(given, 'hex')))).toBe(expected);
  });

  test.each([
    ['2.5.29.17', '0603551d11'],
    ['1.2.840.10045.4.3.2', '06082a8648ce3d040302'],
    ['1.3.6.1.5.5.7.3.1', '06082b06010505070301'],
  ])('object identifier %s', (given, expected) => {
    expect(hex(objectIdentifier(given))).toBe(expected);
  });

  test('lengths of one, two and three bytes', () => {
    expect(hex(element(4, Buffer.alloc(127))).slice(0, 4)).toBe('047f');
    expect(hex(element(4, Buffer.alloc(128))).slice(0, 6)).toBe('048180');
    expect(hex(element(4, Buffer.alloc(255))).slice(0, 6)).toBe('0481ff');
    expect(hex(element(4, Buffer.alloc(256))).slice(0, 8)).toBe('04820100');
    expect(() => element(4, Buffer.alloc(65_536))).toThrow('64 KiB');
  });

  test('bit strings say how many bits do not count', () => {
    expect(hex(bitString(Buffer.from([0x80]), 7))).toBe('03020780');
  });

  test('UTCTime up to 2049, GeneralizedTime from 2050', () => {
    const text = (atMs: number): string => time(atMs).toString('ascii', 2);
    expect(text(Date.UTC(2049, 11, 31, 23, 59, 59, 999))).toBe('491231235959Z');
    expect(time(Date.UTC(2049, 0, 1))[0]).toBe(0x17);
    expect(text(Date.UTC(2050, 0, 1))).toBe('20500101000000Z');
    expect(time(Date.UTC(2050, 0, 1))[0]).toBe(0x18);
  });
});

describe('reading elements', () => {
  test('gives back what was put together, at every length', () => {
    for (const size of [0, 1, 127, 128, 255, 256, 5_000]) {
      const parts = [integer(Buffer.from([1])), element(4, Buffer.alloc(size, 7))];
      expect(readElements(sequence(...parts)).map(hex)).toEqual(parts.map(hex));
    }
  });

  test('an element longer than its parent is refused', () => {
    expect(() => readElements(Buffer.from('3003040901', 'hex'))).toThrow('inside its parent');
  });
});
