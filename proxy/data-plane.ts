/**
 * Everything the data plane stands on, handed in by the composition root: policy, egress, the opener of
 * values, the trail. Nothing here knows the store or the vault.
 */
import type { Trail } from '../src/audit/event.ts';
import type { Dialer } from '../src/egress/dial.ts';
import type { Resolver } from '../src/egress/resolve.ts';
import type { UpgradeDialer } from '../src/egress/upgrade-exchange.ts';
import type { Upstream } from '../src/egress/upstream.ts';
import type { Clock } from '../src/kernel/clock.ts';
import type { Limits } from '../src/kernel/limits.ts';
import type { Logger } from '../src/kernel/logger.ts';
import type { MaskBook } from '../src/mask/mask-book.ts';
import type { Metrics } from '../src/observe/metrics.ts';
import type { NetworkEnvironment } from '../src/policy/decide-network.ts';
import type { HostPattern } from '../src/policy/host-pattern.ts';
import type { PolicyFeed } from '../src/policy/policy-feed.ts';
import type { ValueOpener } from '../src/policy/value-opener.ts';
import type { UsageBook } from '../src/usage/usage-store.ts';
import type { DecoderRoom } from './content-decoder.ts';
import type { LeafContexts } from './leaf-contexts.ts';
import type { OpenConnections } from './open-connections.ts';
import type { RequestMeter } from './request-meter.ts';

export interface DataPlane {
  readonly feed: PolicyFeed;
  readonly network: NetworkEnvironment;
  readonly neverIntercept: readonly HostPattern[];
  /** Hosts to which, and for which, no HTTP/2 is offered. */
  readonly http1Only: readonly HostPattern[];
  /** `egress.tunnel_sni`. */
  readonly tunnelSni: 'off' | 'check';
  readonly identifyBySource: boolean;
  readonly resolver: Resolver;
  readonly dialer: Dialer;
  readonly upstream: Upstream;
  readonly upgrades: UpgradeDialer;
  readonly opener: ValueOpener;
  readonly masks: MaskBook;
  readonly decoders: DecoderRoom;
  readonly trail: Trail;
  readonly usage: UsageBook;
  readonly leaves: LeafContexts;
  readonly open: OpenConnections;
  readonly meter: RequestMeter;
  readonly caPem: () => string;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly limits: Limits;
}
