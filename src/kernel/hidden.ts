/**
 * A box for a secret's cleartext that cannot be printed: string conversion, JSON and the inspector all
 * say `[hidden]`. There is one way out, `reveal`, and it is grepped for in review and by a house test.
 */
import { inspect } from 'node:util';

const MASK = '[hidden]';

export class Hidden {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The cleartext. Call it where the value is placed on the wire, sealed, or shown on purpose. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }
}
