/**
 * The seam put together: pools over the dialer, an exchange for each request. The body of a request is
 * never destroyed here: when the origin answers early or fails, reading stops and the owner decides.
 */
import type { Limits } from '../kernel/limits.ts';
import type { Dialer } from './dial.ts';
import { OriginExchange } from './upstream-exchange.ts';
import { UnreadBytes } from './unread-bytes.ts';
import { UpstreamPools } from './upstream-pools.ts';
import type { Upstream } from './upstream.ts';

export interface UpstreamOptions {
  readonly dialer: Dialer;
  readonly limits: Pick<
    Limits,
    | 'headBytesMax'
    | 'headFieldsMax'
    | 'http2StreamsMax'
    | 'connectTimeoutMs'
    | 'responseHeadTimeoutMs'
    | 'bodySilenceTimeoutMs'
    | 'upstreamIdleTimeoutMs'
    | 'upstreamConnectionsPerPoolMax'
    | 'upstreamConnectionsMax'
  >;
  /** `egress.pool_scope`. */
  readonly poolScope: 'organization' | 'sandbox';
  /** `egress.http1_only`: origins that are not offered HTTP/2. Asked about canonical hosts. */
  readonly isHttp1Only: (host: string) => boolean;
  /** Every change of the number of open connections. */
  readonly onConnectionCount?: (count: number) => void;
}

export function createUpstream(options: UpstreamOptions): Upstream {
  const { dialer, limits, poolScope: scope, isHttp1Only, onConnectionCount } = options;
  const unread = new UnreadBytes();
  const pools = new UpstreamPools({ dialer, limits, scope, onConnectionCount });
  return {
    dispatch(request, observer) {
      const exchange = new OriginExchange(
        { pools, limits, isHttp1Only, unread },
        request,
        observer,
      );
      exchange.start();
      return exchange;
    },
    closeWhere: (isDenied) => pools.closeWhere(isDenied),
    retireWhere: (isOver) => pools.retireWhere(isOver),
    get connections() {
      return pools.connections;
    },
    async close() {
      pools.close();
    },
  };
}
