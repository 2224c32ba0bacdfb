/**
 * Does a value fit a JSON Schema as our OpenAPI document writes them? Strict beyond the standard: a field that
 * no schema names is a fault, and so is a keyword this file does not know (it would check nothing).
 */

/** As parsed; `$ref` points into `components`. */
export interface Schema {
  // Schemas have fields of every kind; each is looked at by its name.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly [keyword: string]: any;
}

export type Components = Readonly<Record<string, Schema>>;

const CHECKED =
  '$ref allOf anyOf oneOf type enum format pattern items properties required additionalProperties ' +
  'minimum maximum minLength maxLength maxItems';
const KNOWN = ['description', 'example', 'writeOnly', ...CHECKED.split(' ')];
const REF = '#/components/schemas/';

const FORMATS: Readonly<Record<string, RegExp>> = {
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/,
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
};

/** The schema itself: `$ref` followed, `allOf` of objects put together. */
export function resolveSchema(schema: Schema, components: Components): Schema {
  const { $ref: ref, allOf, ...own } = schema;
  if (typeof ref === 'string') {
    const named = components[ref.slice(REF.length)];
    if (!ref.startsWith(REF) || named === undefined) throw new Error(`nothing is at ${ref}`);
    // What stands beside a reference narrows it, as a part of `allOf` would.
    return mergeSchemas([resolveSchema(named, components), own]);
  }
  if (!Array.isArray(allOf)) return schema;
  return mergeSchemas([own, ...allOf].map((part: Schema) => resolveSchema(part, components)));
}

/** What fits all of them. */
function mergeSchemas(parts: readonly Schema[]): Schema {
  const kinds = parts.flatMap(({ type }) => (type === undefined ? [] : [[type].flat()]));
  const type = kinds[0]?.filter((kind) => kinds.every((some) => some.includes(kind)));
  const fields = parts.flatMap(({ properties }) => properties ?? []);
  return {
    ...Object.assign({}, ...parts),
    ...(type === undefined ? {} : { type }),
    ...(fields.length === 0 ? {} : { properties: Object.assign({}, ...fields) }),
    required: parts.flatMap(({ required }) => required ?? []),
  };
}

/** What does not fit, as `PATH: WHY`; empty when all does. */
export function faultsOf(
  given: Schema,
  value: unknown,
  components: Components,
  path = '$',
): readonly string[] {
  const schema = resolveSchema(given, components);
  const unknown = Object.keys(schema).filter((key) => !KNOWN.includes(key));
  if (unknown.length > 0) throw new Error(`${path}: cannot check ${unknown.join()}`);
  const alternatives: readonly Schema[] | undefined = schema['anyOf'] ?? schema['oneOf'];
  if (alternatives !== undefined) {
    const tried = alternatives.map((one) => faultsOf(one, value, components, path));
    return tried.some((faults) => faults.length === 0) ? [] : tried.flat();
  }
  const types: readonly string[] = [schema['type'] ?? []].flat();
  const type = typeOf(value);
  const isOfType = types.includes(type) || (type === 'integer' && types.includes('number'));
  if (types.length > 0 && !isOfType) return [`${path}: ${type} instead of ${types.join('|')}`];
  const isListed = schema['enum'] === undefined || schema['enum'].includes(value);
  if (!isListed) return [`${path}: ${String(value)} is not in the enum`];
  if (typeof value === 'string') return textFaults(schema, value, path);
  if (typeof value === 'number') return numberFaults(schema, value, path);
  if (Array.isArray(value)) return listFaults(schema, value, components, path);
  // A schema that says nothing of its kind takes every object.
  if (types.length > 0 && value !== null && typeof value === 'object') {
    return objectFaults(schema, { ...value }, components, path);
  }
  return [];
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}

function textFaults(schema: Schema, value: string, path: string): readonly string[] {
  const { format, pattern, minLength = 0, maxLength = Infinity } = schema;
  const shape = format === undefined ? undefined : FORMATS[format];
  if (format !== undefined && shape === undefined) throw new Error(`${path}: format ${format}?`);
  if (shape?.test(value) === false) return [`${path}: is no ${format}`];
  if (pattern !== undefined && !new RegExp(pattern, 'u').test(value)) {
    return [`${path}: does not match ${pattern}`];
  }
  const isFit = value.length >= minLength && value.length <= maxLength;
  return isFit ? [] : [`${path}: has ${value.length} characters`];
}

function numberFaults(schema: Schema, value: number, path: string): readonly string[] {
  const { minimum = -Infinity, maximum = Infinity } = schema;
  return value >= minimum && value <= maximum ? [] : [`${path}: ${value} is out of range`];
}

function listFaults(
  { items = {}, maxItems = Infinity }: Schema,
  value: readonly unknown[],
  components: Components,
  path: string,
): readonly string[] {
  if (value.length > maxItems) return [`${path}: has ${value.length} entries`];
  return value.flatMap((one, index) => faultsOf(items, one, components, `${path}[${index}]`));
}

function objectFaults(
  { properties = {}, required = [], additionalProperties: more = false }: Schema,
  value: Readonly<Record<string, unknown>>,
  components: Components,
  path: string,
): readonly string[] {
  const missing = required
    .filter((name: string) => !Object.hasOwn(value, name))
    .map((name: string) => `${path}.${name}: is missing`);
  const wrong = Object.entries(value).flatMap(([name, one]) => {
    const at = `${path}.${name}`;
    if (Object.hasOwn(properties, name)) return faultsOf(properties[name], one, components, at);
    if (more === false) return [`${at}: no schema names it`];
    return more === true ? [] : faultsOf(more, one, components, at);
  });
  return [...missing, ...wrong];
}
