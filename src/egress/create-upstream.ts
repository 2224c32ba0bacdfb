/**
 * The seam put together: pools over the dialer, an exchange for each request. The body of a request is
 * never destroyed here: when the origin answers early or fails, reading stops and the owner decides.
 */
import type { Limits } from '../kernel/limits.ts';
import type { Dialer } from './dial.ts';
import { OriginExchange } from './upstream-exchange.ts';
import { UpstreamPools } from './upstream-pools.ts';
import type { Upstream } from './upstream.ts';

export interface UpstreamOptions {
  readonly dialer: Dialer;
  readonly limits: Pick<
    Limits,
    | 'headBytesMax'
    | 'responseHeadTimeoutMs'
    | 'bodySilenceTimeoutMs'
    | 'upstreamIdleTimeoutMs'
    | 'upstreamConnectionsPerPoolMax'
    | 'upstreamConnectionsMax'
  >;
  /** `egress.pool_scope`. */
  readonly poolScope: 'organization' | 'sandbox';
  /** Every change of the number of open connections. */
  readonly onConnectionCount?: (count: number) => void;
}

export function createUpstream(options: UpstreamOptions): Upstream {
  const { dialer, limits, poolScope: scope, onConnectionCount } = options;
  const pools = new UpstreamPools({ dialer, limits, scope, onConnectionCount });
  return {
    dispatch(request, observer) {
      const exchange = new OriginExchange(pools, limits, request, observer);
      exchange.start();
      return exchange;
    },
    closeWhere: (isDenied) => pools.closeWhere(isDenied),
    get connections() {
      return pools.connections;
    },
    async close() {
      pools.close();
    },
  };
}
