/**
 * Settings from four places, the first that says something wins: flags, `SALLYPORT_*` environment, one
 * file, defaults. Everything wrong is reported at once, each with its path, what was expected and the
 * nearest known key. Refuses what it does not know; never shows a hidden value.
 */
import type { z } from 'zod';
import { StartError } from '../kernel/errors.ts';
import { assembleSettings } from './assemble-settings.ts';
import { nearestTo } from './nearest.ts';
import { readSettingsFile } from './read-settings-file.ts';
import { SETTING_ROWS, environmentName } from './setting-table.ts';
import type { SettingKind, SettingRow } from './setting-table.ts';
import type { SettingSource, Settings } from './settings.ts';

export interface SettingsInput {
  /** Path of the settings file; `null`: `SALLYPORT_CONFIG`, else none. */
  readonly file: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By setting path (`proxy.listen`); `undefined` values are skipped, texts read as in `env`. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** Relative paths are resolved against it. */
  readonly cwd: string;
}

/** One setting as it was given, before parsing. */
interface GivenSetting {
  readonly value: unknown;
  readonly source: SettingSource;
}

export interface LoadedSettings {
  readonly settings: Settings;
  /** Every path of the table, with what was given and where. */
  readonly given: ReadonlyMap<string, GivenSetting>;
  readonly file: string | null;
}

/** An error names this many possible keys at most. */
const KEYS_SHOWN_MAX = 12;

/** Variables with our prefix that are no settings: credentials and the client's own. */
const OTHER_VARIABLES: ReadonlySet<string> = new Set([
  'SALLYPORT_BOOTSTRAP_KEY',
  'SALLYPORT_MASTER_KEY',
  'SALLYPORT_CONFIG',
  'SALLYPORT_URL',
  'SALLYPORT_API_KEY',
]);

const PATH_OF_VARIABLE: ReadonlyMap<string, string> = new Map(
  [...SETTING_ROWS.keys()].map((path) => [environmentName(path), path]),
);

/** Throws StartError with every fault found. */
export function loadSettings(input: SettingsInput): LoadedSettings {
  const faults: string[] = [];
  const given = new Map<string, GivenSetting>();
  for (const [path, row] of SETTING_ROWS) {
    given.set(path, { value: row.fallback, source: 'default' });
  }
  const file = input.file ?? presence(input.env['SALLYPORT_CONFIG']);
  if (file !== null) collectMap(readSettingsFile(file), '', `${file}: `, given, faults);
  collectEnvironment(input.env, given, faults);
  collectFlags(input.flags, given, faults);
  const parsed = new Map<string, unknown>();
  for (const [path, row] of SETTING_ROWS) {
    const setting = given.get(path);
    if (setting !== undefined) parseSetting(path, row, setting, file, parsed, faults);
  }
  if (faults.length > 0) throw faulty(faults);
  return { settings: assembleSettings(parsed, input.cwd), given, file };
}

function presence(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : text;
}

function faulty(faults: readonly string[]): StartError {
  const message =
    faults.length === 1
      ? `A setting is wrong: ${faults.join('')}`
      : `${faults.length} settings are wrong:\n${faults.map((fault) => `  ${fault}`).join('\n')}`;
  return new StartError(message, 'Every setting is explained in config/reference.yaml.');
}

function isSection(path: string): boolean {
  return [...SETTING_ROWS.keys()].some((known) => known.startsWith(`${path}.`));
}

function isPlainMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Walks the file's tree down to the rows of the table. An empty key counts as not given. */
function collectMap(
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
  const nearest = nearestTo(path, SETTING_ROWS.keys());
  const meant = nearest === undefined ? '' : `; did you mean ${nearest}?`;
  return `${path}: not a setting, expected one of ${keysOf(section)}${meant}`;
}

function collectEnvironment(
  env: SettingsInput['env'],
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

function collectFlags(
  flags: SettingsInput['flags'],
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

function parseSetting(
  path: string,
  row: SettingRow,
  setting: GivenSetting,
  file: string | null,
  parsed: Map<string, unknown>,
  faults: string[],
): void {
  const result = row.schema.safeParse(setting.value);
  if (result.success) {
    parsed.set(path, result.data);
    return;
  }
  const where = {
    default: '',
    file: `${file ?? ''}: `,
    environment: `${environmentName(path)}: `,
    flag: '',
  }[setting.source];
  for (const issue of result.error.issues) {
    const spot = pathText(path, issue.path);
    const { expected, got } = readIssue(issue, setting.value);
    faults.push(`${where}${spot}: ${expected}, got ${preview(row, got)}`);
  }
}

/** zod wraps what a map's key did wrong; for everything else its message is ours. */
function readIssue(issue: z.core.$ZodIssue, value: unknown): { expected: string; got: unknown } {
  if (issue.code === 'invalid_key') {
    const expected = issue.issues[0]?.message ?? issue.message;
    return { expected, got: issue.path.at(-1) };
  }
  return { expected: issue.message, got: valueAt(value, issue.path) };
}

function pathText(path: string, inner: readonly PropertyKey[]): string {
  return inner.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}.${String(key)}`),
    path,
  );
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (current, key) =>
      typeof current === 'object' && current !== null
        ? (current as Record<PropertyKey, unknown>)[key]
        : undefined,
    value,
  );
}

function preview(row: SettingRow, value: unknown): string {
  if (row.hidden) return '[hidden]';
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
