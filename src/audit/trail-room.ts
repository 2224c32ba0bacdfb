/**
 * Who may put how much into the trail's queue. Below half full everybody may; above it one sandbox holds
 * at most an equal share, counting one share for the next one to come, so that a sandbox that floods the
 * queue while the store is away does not take the others' rows. Pure counting, O(1) a call.
 */
import { BoundedMap } from '../kernel/bounded-map.ts';

interface Seat {
  /** Queued events and granted reservations. */
  held: number;
  reserved: number;
}

/** Sandboxes whose dropped events are remembered. */
const DROPS_REMEMBERED_MAX = 10_000;

export class TrailRoom {
  readonly #max: number;
  readonly #seats = new Map<string, Seat>();
  readonly #dropped = new BoundedMap<string, number>(DROPS_REMEMBERED_MAX);
  #held = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Takes one place for an event that will follow; false when there is none for this sandbox. */
  reserve(sandboxId: string): boolean {
    const seat = this.#take(sandboxId);
    if (seat === undefined) return false;
    seat.reserved += 1;
    return true;
  }

  release(sandboxId: string): void {
    const seat = this.#seats.get(sandboxId);
    if (seat === undefined || seat.reserved === 0) return;
    seat.reserved -= 1;
    this.#give(sandboxId, seat);
  }

  /** A place for this event: a reserved one if there is one. False: it is dropped, and counted. */
  admit(sandboxId: string): boolean {
    const seat = this.#seats.get(sandboxId);
    if (seat !== undefined && seat.reserved > 0) {
      seat.reserved -= 1;
      return true;
    }
    if (this.#take(sandboxId) !== undefined) return true;
    this.#dropped.set(sandboxId, (this.#dropped.get(sandboxId) ?? 0) + 1);
    return false;
  }

  /** An admitted event left the queue. */
  leave(sandboxId: string): void {
    const seat = this.#seats.get(sandboxId);
    if (seat !== undefined) this.#give(sandboxId, seat);
  }

  droppedOf(sandboxId: string): number {
    return this.#dropped.get(sandboxId) ?? 0;
  }

  #take(sandboxId: string): Seat | undefined {
    let seat = this.#seats.get(sandboxId);
    if (this.#held >= this.#max) return undefined;
    if (this.#held >= this.#max / 2) {
      const sandboxes = seat === undefined ? this.#seats.size + 1 : this.#seats.size;
      const share = Math.max(1, Math.floor(this.#max / (sandboxes + 1)));
      if ((seat?.held ?? 0) >= share) return undefined;
    }
    if (seat === undefined) {
      seat = { held: 0, reserved: 0 };
      this.#seats.set(sandboxId, seat);
    }
    seat.held += 1;
    this.#held += 1;
    return seat;
  }

  #give(sandboxId: string, seat: Seat): void {
    seat.held -= 1;
    this.#held -= 1;
    if (seat.held === 0) this.#seats.delete(sandboxId);
  }
}
