/**
 * One read per key, however many ask. `outdate` marks a running read as begun before a change: its result
 * is neither kept nor handed out, it is read again. Holds an entry only while somebody waits for it.
 */
interface Mark {
  isOutdated: boolean;
}

interface Flight<T> {
  readonly result: Promise<T | undefined>;
  readonly mark: Mark;
}

export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /** `keep` is called with a current answer before anybody gets it. Failures reach everyone who waits. */
  async load(
    key: string,
    read: () => Promise<T | undefined>,
    keep: (value: T) => void,
  ): Promise<T | undefined> {
    for (;;) {
      const flight = this.#flights.get(key) ?? this.#start(key, read, keep);
      const value = await flight.result;
      if (!flight.mark.isOutdated) return value;
    }
  }

  outdate(key: string): void {
    const flight = this.#flights.get(key);
    if (flight === undefined) return;
    flight.mark.isOutdated = true;
    this.#flights.delete(key);
  }

  outdateAll(): void {
    for (const { mark } of this.#flights.values()) mark.isOutdated = true;
    this.#flights.clear();
  }

  #start(key: string, read: () => Promise<T | undefined>, keep: (value: T) => void): Flight<T> {
    const mark = { isOutdated: false };
    const flight = { result: this.#run(key, mark, read, keep), mark };
    this.#flights.set(key, flight);
    return flight;
  }

  async #run(
    key: string,
    mark: Mark,
    read: () => Promise<T | undefined>,
    keep: (value: T) => void,
  ): Promise<T | undefined> {
    try {
      const value = await read();
      if (value !== undefined && !mark.isOutdated) keep(value);
      return value;
    } finally {
      if (this.#flights.get(key)?.mark === mark) this.#flights.delete(key);
    }
  }
}
