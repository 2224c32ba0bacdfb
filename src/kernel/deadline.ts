/**
 * A time after which waiting ends, for what must be tried at the end of a process but may not hold it up.
 * Real time, not the clock's: a jump of the wall clock does not stretch it.
 */
export interface Deadline {
  readonly passed: boolean;
  /** True when `work` resolved in time; false when it rejected or the time is over. Never rejects. */
  race(work: Promise<unknown>): Promise<boolean>;
  /** Lets go of the timer. */
  end(): void;
}

export function startDeadline(timeoutMs: number): Deadline {
  let passed = false;
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => {
      passed = true;
      resolve(false);
    }, timeoutMs);
  });
  return {
    get passed() {
      return passed;
    },
    race: (work) =>
      Promise.race([
        over,
        work.then(
          () => true,
          () => false,
        ),
      ]),
    end: () => clearTimeout(timer),
  };
}
