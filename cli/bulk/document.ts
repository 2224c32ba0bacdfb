/**
 * A document of `sallyport apply`, read from a file or standard input and checked as a whole: every fault
 * is found before anything is written, and named by its place in the document.
 */
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { parse } from 'yaml';
import { bulkDocumentSchema, type BulkDocument } from '../../admin-api/contract/bulk-document.ts';
import { ControlError } from '../../src/kernel/errors.ts';
import { CommandFault } from '../command-fault.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';

/** What is wrong, each with its place. Nothing in it quotes a value. */
export class DocumentFaults {
  readonly #faults: string[] = [];

  get list(): readonly string[] {
    return this.#faults;
  }

  add(path: string, message: string): void {
    this.#faults.push(`${path}: ${message}`);
  }

  /** Runs `check`; a ControlError becomes a fault below `path`. */
  collect<T>(path: string, check: () => T): T | undefined {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      const { details } = error;
      if (details.length === 0) this.add(path, error.message);
      for (const detail of details) this.add(`${path}.${detail.path}`, detail.message);
      return undefined;
    }
  }

  /** CommandFault when there are any. */
  check(file: string): void {
    if (this.#faults.length === 0) return;
    const list = this.#faults.map((fault) => `\n  ${fault}`).join('');
    throw new CommandFault(`${file} cannot be applied${list}`, {
      exitCode: EXIT_CODES.invalid,
      hint: 'Nothing was changed. docs/guides/bulk.md describes the document.',
    });
  }
}

/** The text of `file`, `-` for standard input. CommandFault when it cannot be read. */
export async function readBulkText(terminal: Terminal, file: string): Promise<string> {
  if (file === '-') return text(terminal.stdin);
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'it cannot be read';
    throw new CommandFault(`cannot read ${file} (${code})`, { cause, exitCode: EXIT_CODES.usage });
  }
}

/** JSON is YAML too. CommandFault naming the line; the line itself is not quoted, it may hold a value. */
export function parseBulkText(source: string, file: string): unknown {
  try {
    return parse(source, { prettyErrors: false, maxAliasCount: 100 }) as unknown;
  } catch (error) {
    const at = (error as { pos?: readonly [number, number] }).pos?.[0] ?? 0;
    const line = source.slice(0, at).split('\n').length;
    throw new CommandFault(`${file} is neither YAML nor JSON: line ${line}`, {
      exitCode: EXIT_CODES.invalid,
    });
  }
}

/** CommandFault that names every fault. */
export function parseBulkDocument(data: unknown, file: string): BulkDocument {
  const parsed = bulkDocumentSchema.safeParse(data);
  if (parsed.success) return parsed.data;
  const faults = new DocumentFaults();
  for (const { path, message } of parsed.error.issues) faults.add(formatPath(path), message);
  faults.check(file);
  throw new Error('a document that does not parse has faults');
}

/** Each with its place. */
export function formatIssues(
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): string[] {
  return issues.map(({ path, message }) => `${formatPath(path)}: ${message}`);
}

function formatPath(path: readonly PropertyKey[]): string {
  const joined = path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('');
  return joined.replace(/^\./, '') || 'the document';
}
