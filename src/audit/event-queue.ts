/** A first-in first-out queue of events in an array: taking a batch moves nothing but an index. */
import type { AuditEvent } from './event.ts';

/** Taken entries left in the array before it is cut. */
const SLACK_MAX = 4_096;

export class EventQueue {
  #events: (AuditEvent | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#events.length - this.#head;
  }

  push(event: AuditEvent): void {
    this.#events.push(event);
  }

  /** Removes and returns the oldest events, at most `max`. */
  take(max: number): AuditEvent[] {
    const batch: AuditEvent[] = [];
    while (batch.length < max && this.#head < this.#events.length) {
      const event = this.#events[this.#head];
      // Lets go of the event before the array is cut.
      this.#events[this.#head] = undefined;
      this.#head += 1;
      if (event !== undefined) batch.push(event);
    }
    if (this.#head === this.#events.length) {
      this.#events = [];
      this.#head = 0;
    } else if (this.#head > SLACK_MAX) {
      this.#events = this.#events.slice(this.#head);
      this.#head = 0;
    }
    return batch;
  }
}
