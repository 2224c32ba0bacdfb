/**
 * Starts the store: a worker thread that owns the database, and the contracts in front of it. Resolves
 * when the database is open and its schema current; otherwise rejects with a StartError that says which
 * file and what to do. A thread that ends by itself is followed by another; until then every call fails.
 */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../kernel/clock.ts';
import { StartError } from '../kernel/errors.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Logger } from '../kernel/logger.ts';
import { databaseFile } from './database-file.ts';
import { restoreError } from './messages.ts';
import type { StoreAnswer, WorkerOptions } from './messages.ts';
import { RemoteStore } from './remote-store.ts';
import type { Store } from './store.ts';

export interface StoreOptions {
  /** `null`: `<dataDir>/sallyport.db`. `sqlite:PATH`: that file. */
  readonly url: string | null;
  readonly dataDir: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** `operation` as `secrets.readSecret`; from asking to the answer. */
  readonly onDuration?: (operation: string, seconds: number) => void;
  /** A caller was told that a durable write failed, and it may have been done. */
  readonly onUncertain?: () => void;
}

const REVIVE_MIN_MS = 100;
const REVIVE_MAX_MS = 10_000;

export async function startStore(options: StoreOptions): Promise<Store> {
  const file = databaseFile(options.url, options.dataDir);
  const { clock, logger } = options;
  let opened = await openWorker({ file, nowMs: clock.nowMs() });
  const remote = new RemoteStore({
    worker: opened.worker,
    monotonicMs: () => clock.monotonicMs(),
    onDuration: options.onDuration ?? (() => undefined),
    onUncertain: options.onUncertain,
  });
  const closing = new AbortController();
  let closed: Promise<void> | undefined;
  let reviving: Promise<void> | undefined;

  function attach({ worker }: OpenedWorker): void {
    worker.on('message', (answer: StoreAnswer) => remote.receive(answer));
    worker.on('messageerror', () => {
      remote.fail('the store sent what cannot be read');
      void worker.terminate();
    });
    worker.on('error', (error) => {
      logger.error({ err: error }, 'the store thread failed');
      remote.fail('the store thread failed');
    });
    worker.on('exit', (code) => {
      remote.fail('the store is closed');
      if (closed !== undefined) return;
      logger.error({ code }, 'the store thread ended; another is started');
      reviving = revive();
    });
  }

  /** Tries until there is a thread again. Never rejects. */
  async function revive(): Promise<void> {
    for (let waitMs = REVIVE_MIN_MS; ; waitMs = Math.min(2 * waitMs, REVIVE_MAX_MS)) {
      await sleep(waitMs, undefined, { signal: closing.signal }).catch(() => undefined);
      if (closing.signal.aborted) return;
      try {
        opened = await openWorker({ file, nowMs: clock.nowMs() });
        break;
      } catch (error) {
        logger.error({ err: error }, 'the store thread could not be started; trying again');
      }
    }
    attach(opened);
    remote.revive(opened.worker);
    logger.warn({}, 'the store thread runs again');
  }

  async function close(): Promise<void> {
    closing.abort();
    await reviving;
    await remote.settled();
    try {
      // A thread that is gone has nothing left to close; its end was logged.
      if (!remote.isGone) await remote.ask('close', { kind: 'close' });
      await opened.ended;
    } finally {
      await opened.worker.terminate();
    }
  }

  attach(opened);
  return {
    ...remote.contracts,
    async ping() {
      await remote.ask('ping', { kind: 'ping' }, FIXED.storePingTimeoutMs);
    },
    async backup(target) {
      await remote.ask('backup', { kind: 'backup', file: path.resolve(target) }, null);
    },
    close() {
      closed ??= close();
      return closed;
    },
  };
}

interface OpenedWorker {
  readonly worker: Worker;
  /** Resolves when the thread has ended, however. */
  readonly ended: Promise<void>;
}

async function openWorker(workerData: WorkerOptions): Promise<OpenedWorker> {
  // `.ts` from a clone, `.js` from a build: whatever this file is.
  const url = new URL(`./worker${path.extname(import.meta.url)}`, import.meta.url);
  const worker = new Worker(url, { workerData, name: 'store' });
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => resolve());
  });
  await new Promise<void>((resolve, reject) => {
    worker.once('message', (answer: StoreAnswer) => {
      if (answer.kind === 'refused') reject(restoreError(answer.error));
      else resolve();
    });
    worker.once('error', (cause) =>
      reject(new StartError('The store thread could not start.', 'The log says why.', { cause })),
    );
    worker.once('exit', () =>
      reject(new StartError('The store thread ended while starting.', 'The log says why.')),
    );
  }).catch(async (error: unknown) => {
    await worker.terminate();
    throw error;
  });
  return { worker, ended };
}
