/**
 * The relay's connections to the proxy: plain, or TLS with the proxy's certificate verified for its host.
 * The token is sent only after that.
 */
import { connect as connectTcp, isIP } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';

export interface RelayUpstream {
  readonly host: string;
  readonly port: number;
  /** `null` or absent: plain. `caPem`: every root it may be certified by. */
  readonly tls?: { readonly caPem: string } | null;
}

/** Still connecting; what goes wrong is its `error`. */
export function connectUpstream({ host, port, tls = null }: RelayUpstream): Socket {
  if (tls === null) return connectTcp({ host, port, allowHalfOpen: true, noDelay: true });
  const options: ConnectionOptions & { readonly allowHalfOpen: boolean } = {
    host,
    port,
    ca: tls.caPem,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ALPNProtocols: ['http/1.1'],
    minVersion: 'TLSv1.2',
    allowHalfOpen: true,
  };
  return connectTls(options).setNoDelay(true);
}
