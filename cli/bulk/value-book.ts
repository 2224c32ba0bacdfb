/**
 * Where the values of a bulk write come from: variables, files, keys of one document on standard input, or
 * the file that is imported. Each is read at most once and never shown.
 */
import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import type { ValueFrom } from '../../admin-api/contract/bulk-document.ts';
import { Hidden } from '../../src/kernel/hidden.ts';
import type { Environment } from '../../src/settings/environment.ts';
import { isRecord } from './record.ts';

export class ValueBook {
  readonly #environment: Environment;
  readonly #stdin: ReadonlyMap<string, Hidden>;

  /** `stdin`: what was read there, `KEY=value` lines or a JSON object of texts; empty for nothing. */
  constructor(environment: Environment, stdin = '') {
    this.#environment = environment;
    this.#stdin = readValues(stdin);
  }

  /** Throws a plain Error with a sentence that can be shown. One trailing newline of a file is its end. */
  read(source: ValueFrom): Hidden {
    if ('env' in source) {
      const value = this.#environment[source.env];
      if (value === undefined || value === '') throw new Error(`${source.env} is not set`);
      return new Hidden(value);
    }
    if ('stdin' in source) {
      const value = this.#stdin.get(source.stdin);
      if (value === undefined) throw new Error(`standard input has no ${source.stdin}`);
      return value;
    }
    return readValueFile(source.file);
  }
}

/** `KEY=value` lines as programs read them, or a JSON object whose members are texts. */
export function readValues(source: string): Map<string, Hidden> {
  const data = source.trimStart().startsWith('{') ? readJson(source) : parseEnv(source);
  const entries = Object.entries(isRecord(data) ? data : {});
  return new Map(
    entries.flatMap(([key, value]) =>
      typeof value === 'string' && value !== '' ? [[key, new Hidden(value)] as const] : [],
    ),
  );
}

function readJson(source: string): unknown {
  try {
    return JSON.parse(source) as unknown;
  } catch {
    return undefined;
  }
}

function readValueFile(file: string): Hidden {
  let value: string;
  try {
    value = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'it cannot be read';
    throw new Error(`the file with the value cannot be read (${code})`, { cause: error });
  }
  if (value === '') throw new Error('the file with the value is empty');
  return new Hidden(value);
}
