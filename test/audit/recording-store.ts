/**
 * The appending end of a store that a test can make fail, hang, or lose its answer: the one thing a real
 * database does not do when asked. It keeps batches as the contract says: one it has seen is not kept twice.
 */
import type { AuditBatch, AuditStore } from '../../src/audit/audit-store.ts';
import type { AuditEvent } from '../../src/audit/event.ts';

export class RecordingStore implements Pick<AuditStore, 'appendEvents'> {
  readonly batches: (readonly AuditEvent[])[] = [];
  calls = 0;
  /** What happens to the next calls. */
  mode: 'store' | 'fail' | 'store-and-fail' | 'hang' = 'store';
  #last = 0;
  #release: (() => void) | undefined;

  get events(): AuditEvent[] {
    return this.batches.flat();
  }

  async appendEvents(events: readonly AuditEvent[], batch?: AuditBatch): Promise<void> {
    this.calls += 1;
    if (this.mode === 'fail') throw new Error('the store is away');
    if (this.mode === 'hang') {
      await new Promise<void>((resolve) => {
        this.#release = resolve;
      });
    }
    if (batch === undefined || batch.sequence > this.#last) {
      this.batches.push([...events]);
      this.#last = batch?.sequence ?? this.#last;
    }
    if (this.mode === 'store-and-fail') throw new Error('the answer was lost');
  }

  /** Lets a hanging call go on. */
  release(): void {
    this.mode = 'store';
    this.#release?.();
  }
}
