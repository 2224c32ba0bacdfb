/** The validator of the document's tests can fail: each keyword it knows, and what it adds to the standard. */
import { expect, test } from 'vitest';
import { faultsOf, type Schema } from './json-schema.ts';

const components = {
  Named: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
};
const named = { $ref: '#/components/schemas/Named' };

test.each<[Schema, unknown, boolean]>([
  [named, { name: 'x' }, true],
  [named, {}, false],
  [named, { name: 1 }, false],
  [named, { name: 'x', more: 1 }, false],
  [named, null, false],
  // What stands beside a reference narrows and never widens.
  [{ ...named, type: ['object', 'null'] }, null, false],
  [{ anyOf: [named, { type: 'null' }] }, null, true],
  [{ anyOf: [named, { type: 'null' }] }, 1, false],
  [{ allOf: [named, { properties: { age: { type: 'integer' } } }] }, { name: 'x', age: 1 }, true],
  [{ allOf: [named, { properties: { age: { type: 'integer' } } }] }, { age: 1 }, false],
  [{ type: 'string', format: 'uuid' }, 'x', false],
  [{ type: 'string', format: 'date-time' }, '2026-01-01T00:00:00.000Z', true],
  [{ type: 'string', pattern: '^a$' }, 'b', false],
  [{ type: 'string', maxLength: 1 }, 'ab', false],
  [{ type: 'string', enum: ['a'] }, 'b', false],
  [{ type: 'integer', maximum: 1 }, 2, false],
  [{ type: 'integer' }, 1.5, false],
  [{ type: 'array', items: { type: 'string' } }, ['a', 1], false],
  [{ type: 'object', additionalProperties: { type: 'string' } }, { a: 1 }, false],
  [{ type: 'object', additionalProperties: {} }, { a: [{ b: 1 }] }, true],
])('%j and %j: %s', (schema, value, isFit) => {
  expect(faultsOf(schema, value, components).length === 0).toBe(isFit);
});

test('a keyword that would check nothing is an error', () => {
  expect(() => faultsOf({ type: 'array', uniqueItems: true }, [], {})).toThrow('uniqueItems');
});
