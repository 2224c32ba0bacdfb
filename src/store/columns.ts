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

/** `T` is what the writer of this column put in. */
export function fromJson<T>(text: string): T {
  return JSON.parse(text) as T;
}

export function fromJsonOrNull<T>(text: string | null): T | null {
  return text === null ? null : (JSON.parse(text) as T);
}
