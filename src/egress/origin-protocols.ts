/**
 * Which HTTP version an origin chose the last time it could choose, per route (pool key without the
 * address): so that a client of HTTP/2 finds the pooled connections of an origin that has only 1.1, and
 * does not dial a second time beside a handshake that will bring HTTP/2. A hint: forgotten after a time,
 * overwritten by the next handshake, bounded.
 */
import { BoundedMap } from '../kernel/bounded-map.ts';
import { systemClock } from '../kernel/clock.ts';
import { FIXED } from '../kernel/limits.ts';

export type OriginProtocol = 'h2' | 'http/1.1';

interface Choice {
  readonly protocol: OriginProtocol;
  readonly untilMs: number;
}

export class OriginProtocols {
  readonly #choices = new BoundedMap<string, Choice>(FIXED.originProtocolsMax);

  read(route: string): OriginProtocol | undefined {
    const choice = this.#choices.get(route);
    if (choice === undefined) return undefined;
    return choice.untilMs > systemClock.monotonicMs() ? choice.protocol : undefined;
  }

  remember(route: string, protocol: OriginProtocol): void {
    const untilMs = systemClock.monotonicMs() + FIXED.originProtocolMs;
    this.#choices.set(route, { protocol, untilMs });
  }
}
