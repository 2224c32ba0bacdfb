/**
 * The resolver of `egress.parent_proxy.resolve: parent`: a name that has no address here stands for the
 * parent proxy, which alone can tell where it leads, and the Resolution says so. Literals, `egress.hosts`,
 * the hosts file, and hosts that bypass the parent are resolved here as always.
 */
import { matchesAnyHost } from '../policy/host-pattern.ts';
import type { HostPattern } from '../policy/host-pattern.ts';
import type { Host } from '../wire/host.ts';
import { resolveParent } from './parent-address.ts';
import type { ParentLocator } from './parent-address.ts';
import type { LocalResolver, Resolution, Resolver } from './resolve.ts';

export interface ParentNamesOptions extends ParentLocator {
  readonly resolver: LocalResolver;
  readonly bypassHosts: readonly HostPattern[];
}

export function createParentNames(options: ParentNamesOptions): Resolver {
  const { resolver, bypassHosts } = options;
  const isByParent = (host: Host): boolean =>
    resolver.readFixed(host) === undefined && !matchesAnyHost(bypassHosts, host);
  return {
    isByParent,
    resolve: (host, sandboxId): Resolution | Promise<Resolution> =>
      isByParent(host) ? resolveParent(options) : resolver.resolve(host, sandboxId),
    close: () => {
      resolver.close();
    },
  };
}
