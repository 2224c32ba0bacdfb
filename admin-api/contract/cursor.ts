/**
 * Opaque places in a list: base64url of a short JSON array. They carry nothing secret and grant nothing;
 * a malformed one is `bad_request`.
 */
import { fieldError } from '../../src/kernel/field-error.ts';

type PartsOf<Shape> = {
  -readonly [Index in keyof Shape]: Shape[Index] extends 'number' ? number : string;
};

export type CursorPart = string | number;

export function formatCursor(parts: readonly CursorPart[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** Exactly the parts of `shape`, by type. ControlError `bad_request` naming `path`. */
export function parseCursor<const Shape extends readonly ('string' | 'number')[]>(
  text: string,
  shape: Shape,
  path: string,
): PartsOf<Shape> {
  const parts = readParts(text);
  const isFit =
    Array.isArray(parts) &&
    parts.length === shape.length &&
    shape.every((type, index) => typeof parts[index] === type);
  if (!isFit) throw fieldError(path, 'is not a cursor of this list');
  return parts as unknown as PartsOf<Shape>;
}

function readParts(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return undefined;
  }
}
