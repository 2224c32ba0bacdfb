/**
 * Two ways to say "this cannot happen". Both throw an ordinary Error, which every plane turns into
 * `internal_error`: a broken assumption ends the exchange, never the process.
 */

/** Throws when `condition` is false. `message` is for the log; it must not contain a value. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

/** Closes a switch over a union: adding a member without a case becomes a type error. */
export function unreachable(value: never): never {
  throw new Error(`unreachable case: ${typeof value}`);
}
