/**
 * What each source says, setting by setting, before anything is parsed: a file's tree, the environment,
 * flags. A key or variable nobody knows becomes a fault with the nearest known one.
 */
import { nearestTo } from './nearest.ts';
import { SETTING_ROWS, environmentName } from './setting-table.ts';
import type { SettingKind, SettingRow } from './setting-table.ts';
import type { SettingSource } from './settings.ts';

/** One setting as it was given, before parsing. */
export interface GivenSetting {
  readonly value: unknown;
  readonly source: SettingSource;
}

/** An error names this many possible keys at most. */
const KEYS_SHOWN_MAX = 12;

/** Variables with our prefix that are no settings: credentials and the client's own. */
const OTHER_VARIABLES: ReadonlySet<string> = new Set([
  'SALLYPORT_BOOTSTRAP_KEY',
  'SALLYPORT_ROOT_KEY',
  'SALLYPORT_MASTER_KEY',
  'SALLYPORT_CONFIG',
  'SALLYPORT_URL',
  'SALLYPORT_API_KEY',
]);

const PATH_OF_VARIABLE: ReadonlyMap<string, string> = new Map(
  [...SETTING_ROWS.keys()].map((path) => [environmentName(path), path]),
);

/** `egress`, `egress.dns`, and so on. */
const SECTIONS: ReadonlySet<string> = new Set(
  [...SETTING_ROWS.keys()].flatMap((path) => {
    const parts = path.split('.');
    return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('.'));
  }),
);

function isSection(path: string): boolean {
  return SECTIONS.has(path);
}

function isPlainMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Walks the file's tree down to the rows of the table. An empty key counts as not given. */
export function collectMap(
  map: Readonly<Record<string, unknown>>,
  section: string,
  where: string,
  given: Map<string, GivenSetting>,
  faults: string[],
): void {
  for (const [key, value] of Object.entries(map)) {
    const path = `${section}${key}`;
    if (SETTING_ROWS.has(path)) {
      if (value !== null) given.set(path, { value, source: 'file' });
    } else if (!isSection(path)) {
      faults.push(`${where}${unknownKey(path, section)}`);
    } else if (isPlainMap(value)) {
      collectMap(value, `${path}.`, where, given, faults);
    } else if (value !== null) {
      faults.push(`${where}${path}: expected a map with ${keysOf(`${path}.`)}`);
    }
  }
}

/** The keys one level below a section, as a list to read. */
function keysOf(section: string): string {
  const keys = new Set<string>();
  for (const path of SETTING_ROWS.keys()) {
    if (path.startsWith(section)) keys.add(path.slice(section.length).split('.', 1).join(''));
  }
  const shown = [...keys].slice(0, KEYS_SHOWN_MAX);
  return shown.length < keys.size ? `${shown.join(', ')}, …` : shown.join(', ');
}

function unknownKey(path: string, section: string): string {
  const nearest = nearestTo(path, [...SETTING_ROWS.keys(), ...SECTIONS]);
  const meant = nearest === undefined ? '' : `; did you mean ${nearest}?`;
  return `${path}: not a setting, expected one of ${keysOf(section)}${meant}`;
}

/** Takes up the variables with our prefix; one that means nothing is a fault. */
export function collectEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  given: Map<string, GivenSetting>,
  faults: string[],
): void {
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('SALLYPORT_') || OTHER_VARIABLES.has(name)) continue;
    const path = PATH_OF_VARIABLE.get(name);
    if (path === undefined) {
      const nearest = nearestTo(name, [...PATH_OF_VARIABLE.keys(), ...OTHER_VARIABLES]);
      const meant = nearest === undefined ? '' : `; did you mean ${nearest}?`;
      faults.push(`${name}: not a variable of Sallyport, expected SALLYPORT_<SETTING>${meant}`);
    } else if (text !== undefined && text !== '') {
      given.set(path, { value: readText(rowOf(path).kind, text), source: 'environment' });
    }
  }
}

/** Takes up flags, keyed by setting path. */
export function collectFlags(
  flags: Readonly<Record<string, unknown>>,
  given: Map<string, GivenSetting>,
  faults: string[],
): void {
  for (const [path, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    if (!SETTING_ROWS.has(path)) {
      faults.push(unknownKey(path, ''));
      continue;
    }
    const read = typeof value === 'string' ? readText(rowOf(path).kind, value) : value;
    given.set(path, { value: read, source: 'flag' });
  }
}

function rowOf(path: string): SettingRow {
  const row = SETTING_ROWS.get(path);
  if (row === undefined) throw new Error(`no setting ${path}`);
  return row;
}

/** Text of a variable or flag as a file would have it; what cannot be read stays text and is refused. */
function readText(kind: SettingKind, text: string): unknown {
  switch (kind) {
    case 'text':
      return text;
    case 'number':
      return /^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text;
    case 'boolean':
      return /^(true|false)$/i.test(text.trim()) ? text.trim().toLowerCase() === 'true' : text;
    case 'list':
      return text.trimStart().startsWith('[') ? readJson(text) : splitList(text);
    case 'map':
      return readJson(text);
    default:
      return text;
  }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function splitList(text: string): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
