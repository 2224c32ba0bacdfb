/**
 * The store as seen from the main thread: each contract method is a message to the worker and a promise.
 * A call that is not answered in time, and every call while the worker is gone, rejects with StoreFailure:
 * nobody waits for a dead store. A write that was asked for and not answered may have been done all the same,
 * and it says so. Runs no SQL and never blocks.
 */
import type { MessagePort, Worker } from 'node:worker_threads';
import { FIXED } from '../kernel/limits.ts';
import { CONTRACT_METHODS, readMode } from './contract-methods.ts';
import { StoreFailure, restoreError } from './messages.ts';
import type { StoreAnswer, StoreRequest } from './messages.ts';
import type { StoreContracts } from './store.ts';

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout | undefined;
  /** Others rely on knowing whether it was done. */
  readonly isDurable: boolean;
}

type StoreWorker = Pick<Worker | MessagePort, 'postMessage'>;

type Unnumbered<Request> = Request extends unknown ? Omit<Request, 'id'> : never;

export class RemoteStore {
  readonly contracts: StoreContracts;
  #worker: StoreWorker;
  readonly #onUncertain: () => void;
  readonly #onDuration: (operation: string, startedAtMs: number) => void;
  readonly #monotonicMs: () => number;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #gone: StoreFailure | undefined;
  #idle: (() => void) | undefined;

  constructor(options: {
    readonly worker: StoreWorker;
    readonly monotonicMs: () => number;
    readonly onDuration: (operation: string, seconds: number) => void;
    /** A caller was told that a durable write failed, and it may have been done. */
    readonly onUncertain?: (() => void) | undefined;
  }) {
    this.#worker = options.worker;
    this.#onUncertain = options.onUncertain ?? ((): void => undefined);
    this.#monotonicMs = options.monotonicMs;
    this.#onDuration = (operation, startedAtMs) =>
      options.onDuration(operation, (options.monotonicMs() - startedAtMs) / 1_000);
    this.contracts = this.#contracts();
  }

  /** The worker ended; nothing will be answered any more. */
  get isGone(): boolean {
    return this.#gone !== undefined;
  }

  /** Sends one message; resolves with its answer. `timeoutMs: null` waits as long as the worker lives. */
  ask(
    operation: string,
    request: Unnumbered<StoreRequest>,
    timeoutMs: number | null = FIXED.storeCallTimeoutMs,
  ): Promise<unknown> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    if (this.#pending.size >= FIXED.storeCallsMax) {
      return Promise.reject(new StoreFailure('the store has too many calls waiting'));
    }
    const id = this.#nextId;
    this.#nextId += 1;
    const startedAtMs = this.#monotonicMs();
    const answer = new Promise<unknown>((resolve, reject) => {
      const timer =
        timeoutMs === null
          ? undefined
          : setTimeout(() => {
              const pending = this.#settle(id);
              if (pending?.isDurable === true) this.#onUncertain();
              pending?.reject(
                new StoreFailure(`the store did not answer ${operation} within ${timeoutMs} ms`),
              );
            }, timeoutMs);
      this.#pending.set(id, { resolve, reject, timer, isDurable: isDurable(request) });
    });
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage({ ...request, id });
    return answer.finally(() => this.#onDuration(operation, startedAtMs));
  }

  /** Takes what the worker sent. An answer nobody waits for any more is dropped. */
  receive(message: StoreAnswer): void {
    if (message.kind === 'result') this.#settle(message.id)?.resolve(message.value);
    else if (message.kind === 'failure') {
      this.#settle(message.id)?.reject(restoreError(message.error));
    }
  }

  /** The worker is gone: rejects every pending call and every later one, until there is another. */
  fail(reason: string): void {
    this.#gone ??= new StoreFailure(reason);
    const pending = Array.from(this.#pending.keys(), (id) => this.#settle(id));
    if (pending.some((call) => call?.isDurable === true)) this.#onUncertain();
    for (const call of pending) call?.reject(this.#gone);
  }

  /** Another worker took the place of one that is gone. */
  revive(worker: StoreWorker): void {
    this.#worker = worker;
    this.#gone = undefined;
  }

  /** Resolves when no call is pending. */
  async settled(): Promise<void> {
    if (this.#pending.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    if (this.#pending.size === 0) this.#idle?.();
    return pending;
  }

  #contracts(): StoreContracts {
    const contracts = Object.entries(CONTRACT_METHODS).map(([contract, methods]) => {
      const calls = Object.keys(methods).map((method) => [
        method,
        (...args: readonly unknown[]) =>
          this.ask(`${contract}.${method}`, { kind: 'call', contract, method, args }),
      ]);
      return [contract, Object.freeze(Object.fromEntries(calls))];
    });
    // Complete by the type of CONTRACT_METHODS.
    return Object.freeze(Object.fromEntries(contracts)) as StoreContracts;
  }
}

function isDurable(request: Unnumbered<StoreRequest>): boolean {
  return request.kind === 'call' && readMode(request.contract, request.method) === 'durable';
}
