/**
 * Exchanges by decision, code and protocol as plain numbers: raising one is a map look-up and an
 * addition, no label hashing. Bounded: the codes are a closed table.
 */
import type { Decision } from '../audit/event.ts';
import type { AuditCode } from '../kernel/errors.ts';

export type ExchangeProtocol = 'http/1.1' | 'h2' | 'connect';

const DECISIONS: readonly Decision[] = ['allow', 'tunnel', 'intercept', 'deny'];
const PROTOCOLS: readonly ExchangeProtocol[] = ['http/1.1', 'h2', 'connect'];

export class ExchangeCounter {
  readonly #byCode = new Map<AuditCode | null, Float64Array>();

  add(decision: Decision, code: AuditCode | null, protocol: ExchangeProtocol): void {
    let counts = this.#byCode.get(code);
    if (counts === undefined) {
      counts = new Float64Array(DECISIONS.length * PROTOCOLS.length);
      this.#byCode.set(code, counts);
    }
    const cell = DECISIONS.indexOf(decision) * PROTOCOLS.length + PROTOCOLS.indexOf(protocol);
    counts[cell] = (counts[cell] ?? 0) + 1;
  }

  /** Every combination that occurred; no code is `none`. */
  *[Symbol.iterator](): Generator<
    readonly [
      labels: { decision: Decision; code: string; protocol: ExchangeProtocol },
      count: number,
    ]
  > {
    for (const [code, counts] of this.#byCode) {
      for (const [row, decision] of DECISIONS.entries()) {
        for (const [column, protocol] of PROTOCOLS.entries()) {
          const count = counts[row * PROTOCOLS.length + column] ?? 0;
          if (count > 0) yield [{ decision, code: code ?? 'none', protocol }, count];
        }
      }
    }
  }
}
