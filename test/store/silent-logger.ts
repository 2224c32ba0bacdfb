/** A logger for tests that look elsewhere. */
import type { Logger } from '../../src/kernel/logger.ts';

export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
