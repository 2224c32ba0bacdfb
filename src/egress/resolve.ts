/**
 * Names to addresses as the data plane sees it. The implementation (`resolver.ts`, the one file with
 * `node:dns`) is ours: hosts file and `egress.hosts`, then c-ares, single flight, bounded cache.
 */
import type { Address } from '../wire/address.ts';
import type { Host } from '../wire/host.ts';

export interface Resolution {
  /** Every answer, A and AAAA, in order of preference; never empty. */
  readonly addresses: readonly Address[];
  /** From `egress.hosts: name → address:port`: dial this port instead. */
  readonly dialPort: number | null;
  /** Address and port are the parent proxy's: what the name stands for is known there only. */
  readonly isByParent?: true;
}

export interface Resolver {
  /**
   * Synchronous where it is known (literals, hosts file, cache). Rejects with Refusal `dns_failed`
   * (`dns_error` or `dns_timeout`).
   */
  resolve(host: Host, sandboxId: string): Resolution | Promise<Resolution>;
  /** Is it left to the parent proxy to resolve (`egress.parent_proxy.resolve: parent`)? */
  isByParent(host: Host): boolean;
  close(): void;
}

/** Resolves everything itself. */
export interface LocalResolver extends Resolver {
  /** What is known without asking a name server: literals, `egress.hosts`, `localhost`, hosts file. */
  readFixed(host: Host): Resolution | undefined;
}
