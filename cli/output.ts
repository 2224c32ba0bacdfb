/**
 * What commands print: JSON for programs, aligned tables and field lists for people. Control characters
 * in data are shown escaped, so that a name cannot move the cursor.
 */
import type { Terminal } from './terminal.ts';

export type Cell = string | number | boolean | null | undefined;

/** One JSON document and a newline. */
export function printJson(terminal: Terminal, data: unknown): void {
  terminal.stdout.write(`${JSON.stringify(data, null, 2)}\n`);
}

export function printLine(terminal: Terminal, line: string): void {
  terminal.stdout.write(`${line}\n`);
}

/** Columns as wide as their widest cell; `empty` stands for a table without rows. */
export function printTable(
  terminal: Terminal,
  columns: readonly string[],
  rows: readonly (readonly Cell[])[],
  empty: string,
): void {
  if (rows.length === 0) {
    printLine(terminal, empty);
    return;
  }
  const lines = [columns, ...rows.map((row) => row.map(formatCell))];
  const widths = columns.map((_, index) =>
    Math.max(...lines.map((line) => line[index]?.length ?? 0)),
  );
  for (const line of lines) {
    const cells = line.map((cell, index) => cell.padEnd(widths[index] ?? 0));
    printLine(terminal, cells.join('  ').trimEnd());
  }
}

/** `name  value` lines, values aligned. */
export function printFields(
  terminal: Terminal,
  fields: readonly (readonly [string, Cell])[],
): void {
  const width = Math.max(...fields.map(([name]) => name.length));
  for (const [name, value] of fields) {
    printLine(terminal, `${name.padEnd(width)}  ${formatCell(value)}`.trimEnd());
  }
}

function formatCell(cell: Cell): string {
  if (cell === null || cell === undefined || cell === '') return '-';
  return formatText(String(cell));
}

/** Control characters and those that turn the writing direction are escaped. */
export function formatText(text: string): string {
  return text.replaceAll(
    /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
