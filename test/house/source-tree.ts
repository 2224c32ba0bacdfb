/**
 * The source tree as the house tests see it: every file of the product with its text and its imports,
 * read with plain text matching so that no tool can silently look at nothing.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const ROOT = path.resolve(import.meta.dirname, '../..');

/** The folders that make the product; tests, bench and demo stand outside its rules. */
export const PRODUCT_FOLDERS = ['src', 'proxy', 'admin-api', 'cli'] as const;

export interface SourceFile {
  /** From the root, with `/`. */
  readonly file: string;
  readonly text: string;
  /** Text with comments taken out. */
  readonly code: string;
  readonly imports: readonly Import[];
}

export interface Import {
  /** A file from the root, a package name, or `node:…`. */
  readonly target: string;
  readonly isTypeOnly: boolean;
}

export function readSourceFiles(folders: readonly string[]): readonly SourceFile[] {
  return folders.flatMap((folder) => filesBelow(path.join(ROOT, folder))).map(readSourceFile);
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => !file.includes('node_modules'));
}

function readSourceFile(absolute: string): SourceFile {
  const text = readFileSync(absolute, 'utf8');
  const file = path.relative(ROOT, absolute).replaceAll(path.sep, '/');
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  return { file, text, code, imports: readImports(file, code) };
}

function readImports(file: string, code: string): readonly Import[] {
  const found: Import[] = [];
  const statement = /(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/g;
  for (const match of code.matchAll(statement)) {
    found.push({ target: resolveTarget(file, match[2] ?? ''), isTypeOnly: match[1] !== undefined });
  }
  for (const match of code.matchAll(/import\(\s*'([^']+)'/g)) {
    found.push({ target: resolveTarget(file, match[1] ?? ''), isTypeOnly: false });
  }
  return found;
}

function resolveTarget(file: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier;
  return path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier));
}
