/** Between values and columns: JSON text and flags. Reads what this program wrote and nothing else. */
import type { Flag } from './tables.ts';

export function flag(value: boolean): Flag {
  return value ? 1 : 0;
}

export function json(value: unknown): string {
  return JSON.stringify(value);
}

export function jsonOrNull(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value);
}

/** What the writer of this column put in: the caller knows its type. */
export function fromJson(text: string): unknown {
  return JSON.parse(text);
}

export function fromJsonOrNull(text: string | null): unknown {
  return text === null ? null : JSON.parse(text);
}
