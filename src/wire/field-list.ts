/**
 * Reading and filtering field lines as they came: a flat array of name, value, name, value, … in order,
 * with case and duplicates kept (`rawHeaders` of Node). Nothing here joins, sorts or rewrites a value.
 * Readers compare names in lower case, as every HTTP implementation does; filters compare *normalized*
 * names, where `_` also counts as `-`, because CGI and WSGI servers fold the two (RFC 3875 4.1.18).
 */

/** Lower case, `_` as `-`. */
export function normalizeFieldName(name: string): string {
  const lower = name.toLowerCase();
  return lower.includes('_') ? lower.replaceAll('_', '-') : lower;
}

/** The first value of the field; `lowerName` must be in lower case. */
export function readField(fields: readonly string[], lowerName: string): string | undefined {
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (isFieldName(fields[index], lowerName)) return fields[index + 1];
  }
  return undefined;
}

/** All values of the field, in order. */
export function fieldValues(fields: readonly string[], lowerName: string): string[] {
  const values: string[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const value = fields[index + 1];
    if (value !== undefined && isFieldName(fields[index], lowerName)) values.push(value);
  }
  return values;
}

export function hasField(fields: readonly string[], lowerName: string): boolean {
  return readField(fields, lowerName) !== undefined;
}

/** Everything but the lines whose normalized name is to go; the rest byte for byte, in order. */
export function withoutFields(
  fields: readonly string[],
  isRemoved: (normalizedName: string) => boolean,
): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index];
    const value = fields[index + 1];
    if (name === undefined || value === undefined || isRemoved(normalizeFieldName(name))) continue;
    kept.push(name, value);
  }
  return kept;
}

/** The length rules out nearly every line before a string is made. */
function isFieldName(name: string | undefined, lowerName: string): boolean {
  if (name === undefined || name.length !== lowerName.length) return false;
  return name === lowerName || name.toLowerCase() === lowerName;
}
