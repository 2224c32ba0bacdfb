/**
 * Values for a JSON Schema of our OpenAPI document: ones that fit it, ones that almost fit, and ones that no
 * program in its right mind sends. Fields whose name says more than their schema get words that lead deeper.
 */
import * as fc from 'fast-check';
import { resolveSchema, type Components, type Schema } from './json-schema.ts';

export interface ArbitraryPlan {
  readonly components: Components;
  /** Words for text fields, by the name of the field. */
  readonly words: Readonly<Record<string, readonly string[]>>;
}

const UGLY: readonly string[] = [
  '',
  ' ',
  '\0',
  '\r\nX-Injected: 1',
  '../../etc/passwd',
  '%00%ff%2e%2e%2f',
  '__proto__',
  'constructor',
  '${jndi:ldap://x}',
  '{{ value }}',
  "' OR 1=1 --",
  '<script>alert(1)</script>',
  '\ud800',
  '\u202eevil',
  'e\u0301\ufeff\u00a0',
  '👩‍👩‍👧‍👦'.repeat(40),
  'a'.repeat(70_000),
  '9'.repeat(400),
  '*',
  'tfy-secret://::::',
  '1e999',
  'null',
];

const UGLY_NUMBERS = [-1, 0, 0.5, 1e21, -1e308, 2 ** 53, 2 ** 53 + 2, 2 ** 31, -(2 ** 31) - 1];

/** Of any kind, and of no use. */
export const uglyText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...UGLY),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
);

const ugly: fc.Arbitrary<unknown> = fc.oneof(
  uglyText,
  fc.constantFrom<unknown>(...UGLY_NUMBERS, null, true, false, [], {}, [[[[[[]]]]]]),
  fc.constant(JSON.parse('{"__proto__":{"admin":true},"constructor":1}')),
  fc.jsonValue({ maxDepth: 3 }),
);

/** Fits the schema, as far as the schema says. */
export function fittingValue(
  given: Schema,
  plan: ArbitraryPlan,
  field = '',
): fc.Arbitrary<unknown> {
  const schema = resolveSchema(given, plan.components);
  const alternatives: readonly Schema[] | undefined = schema['anyOf'] ?? schema['oneOf'];
  if (alternatives !== undefined) {
    return fc.oneof(...alternatives.map((one) => fittingValue(one, plan, field)));
  }
  if (schema['enum'] !== undefined) return fc.constantFrom(...schema['enum']);
  const types: readonly string[] = [schema['type'] ?? ['string', 'object', 'null']].flat();
  return fc.oneof(...types.map((type) => fittingOfType(type, schema, plan, field)));
}

function fittingOfType(
  type: string,
  schema: Schema,
  plan: ArbitraryPlan,
  field: string,
): fc.Arbitrary<unknown> {
  switch (type) {
    case 'string':
      return fittingText(schema, plan.words[field]);
    case 'integer':
    case 'number':
      return fc.integer({
        min: Math.max(schema['minimum'] ?? -9, -(2 ** 31)),
        max: Math.min(schema['maximum'] ?? 99, 2 ** 31),
      });
    case 'boolean':
      return fc.boolean();
    case 'array': {
      const maxLength = Math.min(3, schema['maxItems'] ?? 3);
      return fc.array(fittingValue(schema['items'] ?? {}, plan, field), { maxLength });
    }
    case 'object':
      return fittingObject(schema, plan, field);
    default:
      return fc.constant(null);
  }
}

function fittingText(schema: Schema, words: readonly string[] | undefined): fc.Arbitrary<string> {
  if (words !== undefined) return fc.constantFrom(...words);
  const { format, pattern, maxLength = 40 } = schema;
  if (format === 'date-time') {
    const [min, max] = [new Date('1990-01-01'), new Date('2100-01-01')];
    return fc.date({ min, max, noInvalidDate: true }).map((date) => date.toISOString());
  }
  if (format === 'uuid') return fc.uuid();
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern));
  return fc.string({ maxLength: Math.min(maxLength, 40) });
}

function fittingObject(
  { properties = {}, required = [], additionalProperties: more }: Schema,
  plan: ArbitraryPlan,
  field: string,
): fc.Arbitrary<unknown> {
  if (more !== undefined && more !== false) {
    const keys = fc.constantFrom('A', 'B_KEY', 'X-Custom', 'site', 'team');
    return fc.dictionary(keys, fittingValue(more === true ? {} : more, plan, field), {
      maxKeys: 3,
    });
  }
  const model = Object.fromEntries(
    Object.entries<Schema>(properties).map(([name, one]) => [name, fittingValue(one, plan, name)]),
  );
  // Few at a time: fields that exclude one another would never be seen alone.
  const optional = Object.keys(model).filter((name) => !required.includes(name));
  return fc
    .tuple(fc.record(model), fc.subarray(optional, { maxLength: Math.min(4, optional.length) }))
    .map(([whole, chosen]) =>
      Object.fromEntries(
        Object.entries(whole).filter(([name]) => required.includes(name) || chosen.includes(name)),
      ),
    );
}

/** One thing wrong with something that fits: a field too many, too few, or of another kind. */
export function almostFittingValue(schema: Schema, plan: ArbitraryPlan): fc.Arbitrary<unknown> {
  return fc
    .tuple(fittingValue(schema, plan), fc.nat(), fc.constantFrom('add', 'drop', 'change'), ugly)
    .map(([value, index, how, wrong]) => spoil(value, index, how, wrong));
}

function spoil(value: unknown, index: number, how: string, wrong: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return wrong;
  const entries = Object.entries(value);
  if (how === 'add') return { ...value, surprise: wrong };
  const chosen = entries[index % Math.max(1, entries.length)]?.[0];
  if (chosen === undefined) return wrong;
  const rest = entries.filter(([name]) => how !== 'drop' || name !== chosen);
  return Object.fromEntries(rest.map(([name, one]) => [name, name === chosen ? wrong : one]));
}
