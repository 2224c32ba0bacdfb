/**
 * What a file holds for `sallyport import`, as rows of one shape: `.env` lines, our own JSON, and the list
 * and create bodies of the three systems. A value is taken out of the row at once and boxed.
 */
import { parseEnv } from 'node:util';
import { Hidden } from '../../src/kernel/hidden.ts';
import { groupedName } from '../../src/secrets/secret-reference.ts';
import { CommandFault, usageFault } from '../command-fault.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { isRecord, readText } from './record.ts';

export const IMPORT_FORMATS = ['dotenv', 'json', 'superserve', 'instabase', 'truefoundry'] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

export interface ImportRow {
  /** As stored here; a key in a group has its group in front. */
  readonly name: string;
  readonly value: Hidden | undefined;
  /** Fields of the native API beside name and value, as the file spells them. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** The file says where the value goes, or says that it goes nowhere. */
  readonly isDescribed: boolean;
}

/** Rows in the file's order. CommandFault when it is not of that format; it never quotes the file. */
export function parseImport(source: string, asked: ImportFormat | undefined): ImportRow[] {
  if (asked === 'dotenv' || (asked === undefined && !/^\s*[[{]/.test(source))) {
    return parseDotenv(source);
  }
  const data = parseJson(source);
  const items = itemsOf(data);
  if (items === undefined) return parseMap(data);
  return items.flatMap((item) => READERS[asked ?? sniff(item)](item));
}

function parseDotenv(source: string): ImportRow[] {
  return Object.entries(parseEnv(source)).map(([name, value]) => {
    return { name, value: boxed(value), fields: {}, isDescribed: false };
  });
}

/** `{"NAME": "value"}`. */
function parseMap(data: unknown): ImportRow[] {
  const entries = Object.entries(isRecord(data) ? data : {});
  if (entries.some(([, value]) => typeof value !== 'string')) throw unknownShape();
  return entries.map(([name, value]) => {
    return { name, value: boxed(value), fields: {}, isDescribed: false };
  });
}

/** A list, or what the systems put around theirs; `undefined` for a map. */
function itemsOf(data: unknown): readonly unknown[] | undefined {
  if (Array.isArray(data)) return data as unknown[];
  if (!isRecord(data)) throw unknownShape();
  if (isGroup(data)) return [data];
  const wrapped = data['secrets'] ?? data['data'];
  if (Array.isArray(wrapped)) return wrapped as unknown[];
  return isRecord(data['data']) ? [data['data']] : singleOf(data);
}

/** One create body. */
function singleOf(data: Readonly<Record<string, unknown>>): readonly unknown[] | undefined {
  const isOne = ['alias', 'name'].some((name) => name in data) && 'value' in data;
  return isOne ? [data] : undefined;
}

function isGroup(item: unknown): boolean {
  if (!isRecord(item) || typeof item['name'] !== 'string') return false;
  if (Array.isArray(item['associatedSecrets'])) return true;
  const { secrets } = item;
  return Array.isArray(secrets) && secrets.every((one) => isRecord(one) && 'key' in one);
}

function sniff(item: unknown): Exclude<ImportFormat, 'dotenv'> {
  if (isGroup(item)) return 'truefoundry';
  if (isRecord(item) && 'alias' in item) return 'instabase';
  if (isRecord(item) && 'auth_type' in item) return 'superserve';
  return 'json';
}

type Reader = (item: unknown) => ImportRow[];

const READERS: Readonly<Record<Exclude<ImportFormat, 'dotenv'>, Reader>> = {
  json: readNative,
  superserve: readSuperserve,
  instabase: readAlias,
  truefoundry: readGroup,
};

/** A body of `POST /secrets`. */
function readNative(item: unknown): ImportRow[] {
  const { name, value, ...fields } = recordOf(item);
  return [rowOf(name, value, fields)];
}

/** A body of Superserve's create call, or a row of its list. */
function readSuperserve(item: unknown): ImportRow[] {
  const row = recordOf(item);
  if (!('auth_type' in row)) return readNative(item);
  const { name, value, description } = row;
  return [rowOf(name, value, { ...described(description), ...placementOf(row) })];
}

function placementOf(row: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const provider = row['provider_shortcut'];
  if (typeof provider === 'string') {
    const params = row['provider_params'];
    return { provider, ...(params === undefined ? {} : { provider_params: params }) };
  }
  const config = isRecord(row['auth_config']) ? row['auth_config'] : {};
  const type = row['auth_kind'] ?? row['auth_type'];
  if (type === 'none') return {};
  const perHost = config['per_host'] ?? config['perHost'];
  const auth = type === 'per_host' ? { per_host: perHost } : { type, ...config };
  return { auth, hosts: row['hosts'] };
}

/** A body of Instabase's create call, or a row of its list. */
function readAlias(item: unknown): ImportRow[] {
  const row = recordOf(item);
  const { alias, value, description, allowed_workspaces_type: type } = row;
  const placement = ['provider', 'provider_params', 'auth', 'hosts'].flatMap((name) =>
    row[name] === undefined ? [] : [[name, row[name]] as const],
  );
  const fields = {
    ...described(description),
    ...(type === undefined ? {} : { allowed_workspaces_type: type }),
    ...(type === 'SOME' ? { allowed_workspaces: row['allowed_workspaces'] } : {}),
    ...Object.fromEntries(placement),
  };
  return [rowOf(alias, value, fields)];
}

/** A body of TrueFoundry's create call, or a group of its list. */
function readGroup(item: unknown): ImportRow[] {
  const group = recordOf(item);
  const name = readText(group, 'name') ?? '';
  const members = group['associatedSecrets'] ?? group['secrets'];
  if (!Array.isArray(members)) throw unknownShape();
  return members.map((member: unknown) => {
    const { key, name: ownName, value, provider, providerParams, auth, hosts } = recordOf(member);
    const fields = { provider, provider_params: providerParams, auth, hosts };
    const given = Object.entries(fields).filter(([, field]) => field !== undefined);
    const own = key ?? ownName;
    const stored = typeof own === 'string' ? groupedName(name, own) : own;
    return rowOf(stored, value, Object.fromEntries(given));
  });
}

function rowOf(name: unknown, value: unknown, fields: Record<string, unknown>): ImportRow {
  if (typeof name !== 'string' || name === '') throw unknownShape();
  const isDescribed = ['provider', 'auth', 'hosts'].some((field) => fields[field] !== undefined);
  return { name, value: boxed(value), fields, isDescribed };
}

function described(description: unknown): Record<string, unknown> {
  return typeof description === 'string' && description !== '' ? { description } : {};
}

function boxed(value: unknown): Hidden | undefined {
  return typeof value === 'string' && value !== '' ? new Hidden(value) : undefined;
}

function recordOf(item: unknown): Readonly<Record<string, unknown>> {
  if (isRecord(item)) return item;
  throw unknownShape();
}

function parseJson(source: string): unknown {
  try {
    return JSON.parse(source) as unknown;
  } catch (cause) {
    // Its message would quote the text, which holds values.
    throw new CommandFault('the file is not JSON', {
      exitCode: EXIT_CODES.invalid,
      hint: 'Name the format with --format.',
      cause: cause instanceof Error ? cause.name : undefined,
    });
  }
}

function unknownShape(): CommandFault {
  return usageFault(
    'the file does not have the shape of a list of secrets',
    'Name the format with --format; docs/guides/bulk.md shows each.',
  );
}
