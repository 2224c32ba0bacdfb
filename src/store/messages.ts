/**
 * What passes between the main thread and the store's worker: calls and answers as plain data. Errors are
 * carried by kind, so that a ControlError or StartError is the same class on the other side.
 */
import { ControlError, StartError } from '../kernel/errors.ts';
import type { ControlErrorCode, FieldFault } from '../kernel/errors.ts';

export interface WorkerOptions {
  /** Absolute path of the database file. */
  readonly file: string;
  readonly nowMs: number;
}

export type StoreRequest =
  | {
      readonly kind: 'call';
      readonly id: number;
      readonly contract: string;
      readonly method: string;
      readonly args: readonly unknown[];
    }
  | { readonly kind: 'backup'; readonly id: number; readonly file: string }
  | { readonly kind: 'ping'; readonly id: number }
  | { readonly kind: 'close'; readonly id: number };

export type StoreAnswer =
  | { readonly kind: 'opened' }
  | { readonly kind: 'refused'; readonly error: CarriedError }
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly error: CarriedError };

export type CarriedError =
  | {
      readonly kind: 'control';
      readonly code: ControlErrorCode;
      readonly message: string;
      readonly details: readonly FieldFault[];
      readonly cause: string | null;
    }
  | {
      readonly kind: 'start';
      readonly message: string;
      readonly hint: string;
      readonly cause: string | null;
    }
  | { readonly kind: 'other'; readonly message: string; readonly stack: string | null };

/** The store did not answer, or its database failed. Says nothing about the caller's request. */
export class StoreFailure extends Error {
  override readonly name = 'StoreFailure';
}

export function carryError(error: unknown): CarriedError {
  if (error instanceof ControlError) {
    const { code, message, details } = error;
    return { kind: 'control', code, message, details, cause: causeOf(error) };
  }
  if (error instanceof StartError) {
    return { kind: 'start', message: error.message, hint: error.hint, cause: causeOf(error) };
  }
  if (error instanceof Error) {
    return { kind: 'other', message: error.message, stack: error.stack ?? null };
  }
  return { kind: 'other', message: String(error), stack: null };
}

export function restoreError(carried: CarriedError): Error {
  if (carried.kind === 'control') {
    const { message, details, cause } = carried;
    return new ControlError(carried.code, { message, details, cause });
  }
  if (carried.kind === 'start') {
    return new StartError(carried.message, carried.hint, { cause: carried.cause });
  }
  return new StoreFailure(`the store failed: ${carried.message}`, { cause: carried.stack });
}

/** The cause's own words; its object stays in the worker. */
function causeOf(error: Error): string | null {
  return error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : null;
}
