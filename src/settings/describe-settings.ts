/**
 * The settings as `config show` prints them: every one, with the value in force as a file would write
 * it and where it came from. What may hold a password says `[hidden]`.
 */
import type { LoadedSettings } from './load-settings.ts';
import { SETTING_ROWS, environmentName } from './setting-table.ts';
import type { SettingSource } from './settings.ts';

export interface SettingDescription {
  readonly path: string;
  readonly value: unknown;
  readonly source: SettingSource;
  readonly environmentName: string;
  readonly description: string;
}

/** In the order of the table. */
export function describeSettings(loaded: LoadedSettings): readonly SettingDescription[] {
  return [...SETTING_ROWS].map(([path, row]) => {
    const { value, source } = loaded.given.get(path) ?? { value: row.fallback, source: 'default' };
    return {
      path,
      value: row.hidden && value !== null ? '[hidden]' : value,
      source,
      environmentName: environmentName(path),
      description: row.description,
    };
  });
}
