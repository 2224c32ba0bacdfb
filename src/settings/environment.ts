/**
 * The process environment, read in one place and handed on as plain data. Nothing else in the house but
 * `cli/compose.ts` touches `process.env`.
 */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A frozen copy of the variables as they are now. */
export function processEnvironment(): Environment {
  return Object.freeze({ ...process.env });
}
