/**
 * Where the master key comes from: the variable SALLYPORT_MASTER_KEY, or a file. Either may hold several
 * keys, one a line or with spaces between: the first seals, the others only open. A key is made only when nothing was ever
 * sealed (`mayMint`); the file is then complete and 0600 from its first moment. No key, no start (I8).
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { StartError } from '../kernel/errors.ts';
import { KEY_BYTES } from './aes-gcm.ts';
import { masterKeyFrom } from './keyring.ts';
import type { MasterKey } from './keyring.ts';

export interface MasterKeySource {
  /** Value of SALLYPORT_MASTER_KEY; `null`: not set. Goes before the file. */
  readonly masterKey: string | null;
  /** `null`: `master.key` in `dataDir`. */
  readonly keyFile: string | null;
  readonly dataDir: string;
}

const VARIABLE = 'SALLYPORT_MASTER_KEY';
const FORMAT_HINT = 'It must be 32 random bytes in base64: `openssl rand -base64 32`.';

/** How messages name the source in force. */
export function nameOfSource(source: MasterKeySource): string {
  return source.masterKey === null ? keyFileOf(source) : VARIABLE;
}

/** At least one key, or StartError. */
export function readMasterKeys(
  source: MasterKeySource,
  options: { readonly mayMint: boolean },
): readonly MasterKey[] {
  if (source.masterKey !== null) {
    const texts = source.masterKey.trim().split(/\s+/);
    return texts.map((text) => parseMasterKey(text, VARIABLE));
  }
  const file = keyFileOf(source);
  const text = readKeyFile(file) ?? (options.mayMint ? mintKeyFile(file) : missing(file));
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (lines.length === 0) throw new StartError(`The key file ${file} is empty.`, FORMAT_HINT);
  return lines.map((line) => parseMasterKey(line, `The key file ${file}`));
}

/**
 * Makes a new key the first of the key file; those it holds stay behind it. The file is complete at every
 * moment. StartError when the key is not in a file, or that cannot be written.
 */
export function addMasterKey(source: MasterKeySource): void {
  if (source.masterKey !== null) {
    throw new StartError(
      `The master key comes from ${VARIABLE}, where no new one can be put.`,
      `Start with ${VARIABLE} holding the new key and the old one, in this order, then rotate without a new key.`,
    );
  }
  const file = keyFileOf(source);
  const before = readKeyFile(file) ?? missing(file);
  const draft = draftOf(file);
  try {
    writeDurably(draft, `${newKeyLine()}${before}`);
    renameSync(draft, file);
    syncDirectory(dirname(file));
  } catch (cause) {
    throw unwritable(file, cause);
  }
}

function keyFileOf(source: MasterKeySource): string {
  return source.keyFile ?? join(source.dataDir, 'master.key');
}

/** Strict base64 of exactly 32 bytes; what was given is never part of the error. */
function parseMasterKey(text: string, where: string): MasterKey {
  const trimmed = text.trim();
  const bytes = Buffer.from(trimmed, 'base64');
  const canonical = bytes.toString('base64').replace(/=+$/, '') === trimmed.replace(/=+$/, '');
  if (!canonical || bytes.byteLength !== KEY_BYTES) {
    throw new StartError(`${where} does not hold a master key.`, FORMAT_HINT);
  }
  const key = masterKeyFrom(bytes);
  bytes.fill(0);
  return key;
}

function readKeyFile(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new StartError(
      `The key file ${file} cannot be read (${code ?? 'unknown reason'}).`,
      'Let the user that runs Sallyport read it, and nobody else.',
      { cause },
    );
  }
}

function missing(file: string): never {
  throw new StartError(
    `The master key is missing: ${file} does not exist, but this database was sealed with a key.`,
    `Put the key file back, or give the key in ${VARIABLE}. Without it the secrets cannot be opened.`,
  );
}

/** Written beside and linked into place: never half a key, never over an existing one. */
function mintKeyFile(file: string): string {
  const text = newKeyLine();
  const draft = draftOf(file);
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeDurably(draft, text);
    linkSync(draft, file);
    unlinkSync(draft);
    syncDirectory(dirname(file));
    return text;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') {
      // Another node of the same directory was faster: its key is the key.
      unlinkSync(draft);
      return readFileSync(file, 'utf8');
    }
    throw unwritable(file, cause);
  }
}

function newKeyLine(): string {
  return `${randomBytes(KEY_BYTES).toString('base64')}\n`;
}

function draftOf(file: string): string {
  return `${file}.${randomBytes(6).toString('hex')}.new`;
}

function unwritable(file: string, cause: unknown): StartError {
  const { code } = cause as NodeJS.ErrnoException;
  return new StartError(
    `The key file ${file} cannot be made (${code ?? 'unknown reason'}).`,
    'Make its directory writable, or set vault.key_file or SALLYPORT_MASTER_KEY.',
    { cause },
  );
}

function writeDurably(file: string, text: string): void {
  const descriptor = openSync(file, 'wx', 0o600);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
