/**
 * The store's thread: opens the database it is told to, says so, and answers one message after another.
 * Nothing else in the house runs SQL. Started by `start-store.ts`.
 */
import { enableCompileCache } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../kernel/assert.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { carryError } from './messages.ts';
import type { StoreAnswer, StoreRequest, WorkerOptions } from './messages.ts';

// Before the query builder is loaded: it is most of the time this thread takes to start.
enableCompileCache();
const { openSqlite } = await import('./open-sqlite.ts');
const { answerRequest } = await import('./answer-request.ts');

assert(parentPort !== null, 'worker.ts runs as a worker');
const port = parentPort;

function send(answer: StoreAnswer): void {
  port.postMessage(answer);
}

async function open(): Promise<SqliteDatabase | undefined> {
  try {
    const { file, nowMs } = workerData as WorkerOptions;
    return await openSqlite(file, nowMs);
  } catch (error) {
    send({ kind: 'refused', error: carryError(error) });
    return undefined;
  }
}

const database = await open();
if (database !== undefined) {
  port.on('message', (request: StoreRequest) => {
    answerRequest(database, request)
      .then(
        (value) => send({ kind: 'result', id: request.id, value }),
        (error: unknown) => send({ kind: 'failure', id: request.id, error: carryError(error) }),
      )
      .then(() => {
        // Without a listener on its port the thread ends by itself.
        if (request.kind === 'close') port.close();
      })
      .catch((error: unknown) => {
        // An answer that cannot be sent: the caller times out, the thread goes on.
        send({ kind: 'failure', id: request.id, error: carryError(error) });
      });
  });
  send({ kind: 'opened' });
}
