/**
 * The log as the rest of the house sees it. `src/observe` implements it with pino; tests hand in their
 * own. Fields must be plain data; a `Hidden` prints as `[hidden]`.
 */
export interface Logger {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
  child(fields: Record<string, unknown>): Logger;
}
