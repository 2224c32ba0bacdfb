/**
 * The log: pino behind the house's `Logger`, one line of JSON (or a readable line) to standard error;
 * standard output belongs to programs. Never a value: `Hidden` prints as `[hidden]`, fields with the
 * name of a credential are replaced, errors are reduced to name, code, message and stack, and what looks
 * like one of our tokens is cut from every line.
 */
import { inspect } from 'node:util';
import { destination as fileDestination, pino, stdTimeFunctions } from 'pino';
import type { Logger as PinoLogger } from 'pino';
import { Hidden } from '../kernel/hidden.ts';
import type { Logger } from '../kernel/logger.ts';
import { prettyDestination } from './pretty-line.ts';

/** Takes whole lines, each with its newline. */
export interface LogDestination {
  write(line: string): void;
}

export interface LoggerOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly format: 'json' | 'pretty';
  /** Default: standard error, written synchronously so that the last line before a crash is there. */
  readonly destination?: LogDestination;
}

const STANDARD_ERROR = 2;
const DEPTH_MAX = 6;
const CAUSES_MAX = 4;
/** Compared in lower case without `-` and `_`. */
const CREDENTIAL_NAME =
  /^(?:values?|.*token|secret|password|passphrase|(?:set)?cookie|(?:proxy)?authorization|x?apikey|privatekey|masterkey|body)$/;
const OWN_TOKEN = /\bsp_(live|box|acc)_[A-Za-z0-9_-]{12,}/g;

export function createLogger(options: LoggerOptions): Logger {
  const raw = options.destination ?? fileDestination({ fd: STANDARD_ERROR, sync: true });
  return new SafeLogger(
    pino(
      {
        level: options.level,
        base: null,
        timestamp: stdTimeFunctions.isoTime,
        messageKey: 'message',
        formatters: { level: (label) => ({ level: label }) },
        // pino's own would take our reduced error apart again.
        serializers: { err: (error: unknown) => error },
        hooks: { streamWrite: (line) => line.replace(OWN_TOKEN, 'sp_$1_[hidden]') },
      },
      options.format === 'pretty' ? prettyDestination(raw) : raw,
    ),
  );
}

/** Makes fields safe before pino sees them: its own hook for that does not see a child's fields. */
class SafeLogger implements Logger {
  readonly #pino: PinoLogger;

  constructor(inner: PinoLogger) {
    this.#pino = inner;
  }

  debug(fields: Record<string, unknown>, message: string): void {
    this.#write('debug', fields, message);
  }

  info(fields: Record<string, unknown>, message: string): void {
    this.#write('info', fields, message);
  }

  warn(fields: Record<string, unknown>, message: string): void {
    this.#write('warn', fields, message);
  }

  error(fields: Record<string, unknown>, message: string): void {
    this.#write('error', fields, message);
  }

  child(fields: Record<string, unknown>): Logger {
    return new SafeLogger(this.#pino.child(safeFields(fields, 0)));
  }

  #write(
    level: 'debug' | 'info' | 'warn' | 'error',
    fields: Record<string, unknown>,
    message: string,
  ): void {
    if (this.#pino.isLevelEnabled(level)) this.#pino[level](safeFields(fields, 0), message);
  }
}

function safeFields(fields: Readonly<Record<string, unknown>>, depth: number) {
  const safe: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    safe[name] = isCredentialName(name) ? '[hidden]' : safeField(field, depth + 1);
  }
  return safe;
}

function isCredentialName(name: string): boolean {
  return CREDENTIAL_NAME.test(name.toLowerCase().replaceAll(/[-_]/g, ''));
}

function safeField(field: unknown, depth: number): unknown {
  if (typeof field === 'bigint') return String(field);
  if (typeof field !== 'object' || field === null) return field;
  if (field instanceof Hidden) return field.toString();
  if (field instanceof Error) return safeError(field, 0);
  if (ArrayBuffer.isView(field)) return `[${field.byteLength} bytes]`;
  if (field instanceof Date) return field.toISOString();
  if (depth > DEPTH_MAX) return '[deep]';
  if (Array.isArray(field)) return field.map((item) => safeField(item, depth + 1));
  if (field instanceof Map || field instanceof Set) return `[${field.size} entries]`;
  return safeFields(field as Readonly<Record<string, unknown>>, depth);
}

function safeError(error: Error, causes: number): unknown {
  const { name, message, stack } = error;
  const { code, cause } = error as { readonly code?: unknown; readonly cause?: unknown };
  return {
    name,
    message,
    ...(typeof code === 'string' ? { code } : {}),
    stack: stack ?? null,
    ...(cause === undefined ? {} : { cause: safeCause(cause, causes + 1) }),
  };
}

function safeCause(cause: unknown, causes: number): unknown {
  if (causes > CAUSES_MAX) return '[more causes]';
  return cause instanceof Error
    ? safeError(cause, causes)
    : inspect(cause, { depth: 0 }).slice(0, 200);
}
