/**
 * The log: pino behind the house's `Logger`, one line of JSON (or a readable line) to standard error;
 * standard output belongs to programs. Never a value: `Hidden` prints as `[hidden]`, fields with the
 * name of a credential are replaced, errors are reduced to name, code, message and stack, and what looks
 * like one of our tokens is cut from every line.
 */
import { inspect } from 'node:util';
import { destination as fileDestination, pino, stdTimeFunctions } from 'pino';
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
const CREDENTIAL_NAME =
  /^(?:values?|tokens?|secret|password|passphrase|cookie|set-cookie|(?:proxy-)?authorization|(?:x-)?api[-_]?key|private[-_]?key|.*[-_]token|.*Token|master[-_]?key|body)$/;
const OWN_TOKEN = /\bsp_(live|box|acc)_[A-Za-z0-9_-]{12,}/g;

export function createLogger(options: LoggerOptions): Logger {
  const raw = options.destination ?? fileDestination({ fd: STANDARD_ERROR, sync: true });
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      messageKey: 'message',
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => safeFields(fields, 0),
        bindings: (fields) => safeFields(fields, 0),
      },
      // pino's own would take our reduced error apart again.
      serializers: { err: (error: unknown) => error },
      hooks: { streamWrite: (line) => line.replace(OWN_TOKEN, 'sp_$1_[hidden]') },
    },
    options.format === 'pretty' ? prettyDestination(raw) : raw,
  );
}

function safeFields(fields: Readonly<Record<string, unknown>>, depth: number) {
  const safe: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    safe[name] = CREDENTIAL_NAME.test(name) ? '[hidden]' : safeField(field, depth + 1);
  }
  return safe;
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
