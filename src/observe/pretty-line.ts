/**
 * A line of the JSON log for people: `12:30:01.250 WARN  message  field=value`, an error's stack below
 * it. No colours: the log is often a file. What is not our JSON passes as it is.
 */
import type { LogDestination } from './logger.ts';

interface LogLine {
  readonly time?: unknown;
  readonly level?: unknown;
  readonly message?: unknown;
}

/** Wraps a destination: JSON lines in, readable lines out. */
export function prettyDestination(destination: LogDestination): LogDestination {
  return { write: (line) => destination.write(formatPrettyLine(line)) };
}

/** One line of JSON with its newline → one or several readable lines with theirs. */
function formatPrettyLine(line: string): string {
  const parsed = readLine(line);
  if (parsed === undefined) return line;
  const { time, level, message, ...fields } = parsed;
  const clock = String(time).slice(11, 23);
  const stacks: string[] = [];
  const words = Object.entries(fields).map(([name, field]) => {
    if (!isError(field)) return `${name}=${formatField(field)}`;
    stacks.push(...stackLines(field));
    return `${name}=${formatField(field['message'])}`;
  });
  const head = `${clock} ${String(level).toUpperCase().padEnd(5)} ${String(message)}`;
  return `${[[head, ...words].join('  '), ...stacks].join('\n')}\n`;
}

function readLine(line: string): (LogLine & Record<string, unknown>) | undefined {
  try {
    const parsed: unknown = JSON.parse(line);
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : undefined;
  } catch {
    return undefined;
  }
}

function isError(field: unknown): field is Record<string, unknown> {
  return typeof field === 'object' && field !== null && 'stack' in field && 'message' in field;
}

function stackLines(error: Record<string, unknown>): string[] {
  const lines = String(error['stack'])
    .split('\n')
    .map((line) => `    ${line.trim()}`);
  const { cause } = error;
  return isError(cause) ? [...lines, '  caused by', ...stackLines(cause)] : lines;
}

function formatField(field: unknown): string {
  if (typeof field === 'string') return /^[\w.:/@-]+$/.test(field) ? field : JSON.stringify(field);
  return JSON.stringify(field) ?? 'undefined';
}
