/**
 * Fields as every schema of the native API spells them: `null` means absent wherever a field is optional,
 * times are RFC 3339 UTC, numbers in a query are decimal digits.
 */
import { z } from '@hono/zod-openapi';

/** `null` and absent are one thing: `undefined`. */
export function optional<Schema extends z.ZodType>(schema: Schema) {
  return schema.nullish().transform((value) => value ?? undefined);
}

/** A time in a request, as milliseconds since the epoch. */
export const timeInput = z.iso
  .datetime({ offset: true, error: 'must be an RFC 3339 time such as 2030-01-31T00:00:00Z' })
  .transform((text) => Date.parse(text))
  .openapi({ type: 'string', format: 'date-time' });

/** A time in a response. */
export const timeOutput = z.string().openapi({ format: 'date-time' });

export const uuid = z.string().openapi({ format: 'uuid' });

export const textMap = z.record(z.string(), z.string());

/** A whole number in a query string. */
export function queryNumber(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,16}$/, 'must be a whole number')
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be from ${min} to ${max}`)
    .openapi({ type: 'integer', minimum: min, maximum: max });
}

export function formatTime(atMs: number): string {
  return new Date(atMs).toISOString();
}

export function formatOptionalTime(atMs: number | null): string | null {
  return atMs === null ? null : formatTime(atMs);
}
