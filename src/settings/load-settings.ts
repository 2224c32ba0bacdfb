/**
 * Settings from four places, the first that says something wins: flags, `SALLYPORT_*` environment, one
 * file, defaults. Everything wrong is reported at once, each with its path, what was expected and the
 * nearest known key. Refuses what it does not know; never shows a hidden value.
 */
import { resolve } from 'node:path';
import type { z } from 'zod';
import { StartError } from '../kernel/errors.ts';
import { assembleSettings } from './assemble-settings.ts';
import { collectEnvironment, collectFlags, collectMap } from './collect-settings.ts';
import type { GivenSetting } from './collect-settings.ts';
import { readSettingsFile } from './read-settings-file.ts';
import { SETTING_ROWS, environmentName } from './setting-table.ts';
import type { SettingRow } from './setting-table.ts';
import type { Settings } from './settings.ts';

export interface SettingsInput {
  /** Path of the settings file; `null`: `SALLYPORT_CONFIG`, else none. */
  readonly file: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By setting path (`proxy.listen`); `undefined` values are skipped, texts read as in `env`. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** Relative paths are resolved against it. */
  readonly cwd: string;
}

export interface LoadedSettings {
  readonly settings: Settings;
  /** Every path of the table, with what was given and where. */
  readonly given: ReadonlyMap<string, GivenSetting>;
  readonly file: string | null;
}

/** Throws StartError with every fault found. */
export function loadSettings(input: SettingsInput): LoadedSettings {
  const faults: string[] = [];
  const given = new Map<string, GivenSetting>();
  for (const [path, row] of SETTING_ROWS) {
    given.set(path, { value: row.fallback, source: 'default' });
  }
  const named = input.file ?? presence(input.env['SALLYPORT_CONFIG']);
  const file = named === null ? null : resolve(input.cwd, named);
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
