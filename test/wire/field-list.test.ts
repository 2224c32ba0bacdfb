import { describe, expect, test } from 'vitest';
import {
  fieldValues,
  hasField,
  normalizeFieldName,
  readField,
  withoutFields,
} from '../../src/wire/field-list.ts';

const FIELDS = ['X-Api-Key', 'one', 'Accept', '*/*', 'x-API-key', 'two', 'X_Api_Key', 'three'];

describe('field lists', () => {
  test('names compare in lower case, and with _ as - once normalized', () => {
    expect(normalizeFieldName('X_Api-KEY')).toBe('x-api-key');
    expect(normalizeFieldName('accept')).toBe('accept');
  });

  test('readers see every case of the name but not the other spelling', () => {
    expect(readField(FIELDS, 'x-api-key')).toBe('one');
    expect(fieldValues(FIELDS, 'x-api-key')).toEqual(['one', 'two']);
    expect(hasField(FIELDS, 'accept')).toBe(true);
    expect(hasField(FIELDS, 'accept-encoding')).toBe(false);
    expect(readField([], 'accept')).toBeUndefined();
  });

  test('an empty value is a value', () => {
    expect(readField(['Authorization', ''], 'authorization')).toBe('');
    expect(hasField(['Authorization', ''], 'authorization')).toBe(true);
  });

  test('filters remove adjacent duplicates and every spelling, and leave the rest as it was', () => {
    expect(withoutFields(FIELDS, (name) => name === 'x-api-key')).toEqual(['Accept', '*/*']);
    const adjacent = [
      'Authorization',
      'a',
      'authorization',
      'b',
      'AUTHORIZATION',
      'c',
      'Host',
      'h',
    ];
    expect(withoutFields(adjacent, (name) => name === 'authorization')).toEqual(['Host', 'h']);
    expect(withoutFields(FIELDS, () => false)).toEqual(FIELDS);
  });
});
