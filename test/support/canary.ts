/**
 * Canaries for I3: values that exist nowhere else, and the search for them in everything a product could
 * leak into: raw, base64 at every alignment (both alphabets), percent-encoded and hex in both cases.
 */
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Somewhere a value must not be. */
export interface Haystack {
  readonly name: string;
  readonly bytes: Buffer;
}

/** A value nobody has seen: `prefix` + `canary` + random letters. Obviously not a real key. */
export function mintCanary(prefix = ''): string {
  return `${prefix}canary${randomBytes(18).toString('hex')}`;
}

function base64Forms(value: Buffer): string[] {
  return [0, 1, 2].flatMap((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), value]).toString('base64');
    const from = Math.ceil((shift * 8) / 6);
    const until = Math.floor(((shift + value.length) * 8) / 6);
    const whole = text.slice(from, until);
    return [whole, whole.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

/** Every spelling that is searched for. */
export function canaryForms(value: string): readonly { form: string; text: string }[] {
  const bytes = Buffer.from(value);
  const hex = bytes.toString('hex');
  const percent = (hex.match(/../g) ?? []).map((pair) => `%${pair}`).join('');
  const forms = [
    { form: 'raw', text: value },
    { form: 'percent', text: encodeURIComponent(value) },
    { form: 'percent, every byte', text: percent },
    { form: 'percent, every byte, upper case', text: percent.toUpperCase() },
    { form: 'hex', text: hex },
    { form: 'hex, upper case', text: hex.toUpperCase() },
    { form: 'json', text: JSON.stringify(value).slice(1, -1) },
    ...base64Forms(bytes).map((text, i) => ({ form: `base64 (${i})`, text })),
  ];
  return forms.filter(({ text }, i) => forms.findIndex((other) => other.text === text) === i);
}

/** Where `value` is found, as `NAME: FORM`; empty when nowhere. */
export function findCanary(value: string, haystacks: readonly Haystack[]): string[] {
  const forms = canaryForms(value);
  return haystacks.flatMap(({ name, bytes }) =>
    forms.filter(({ text }) => bytes.includes(text)).map(({ form }) => `${name}: ${form}`),
  );
}

/** Throws when the value is anywhere, or when there is nothing to search (a search that cannot fail). */
export function assertNoCanary(search: { value: string; haystacks: readonly Haystack[] }): void {
  const total = search.haystacks.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (total === 0) throw new Error('canary search had nothing to look in');
  const found = findCanary(search.value, search.haystacks);
  if (found.length > 0)
    throw new Error(`I3 broken, a secret value leaked into ${found.join('; ')}`);
}

/** Every file below `directory`, whole. A file that vanishes meanwhile is skipped. */
export async function readDirectoryBytes(directory: string): Promise<Haystack[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const haystacks: Haystack[] = [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = await readFile(path).catch(() => undefined);
    if (bytes !== undefined) haystacks.push({ name: path, bytes });
  }
  return haystacks;
}
