/**
 * Leaf certificates as ready TLS contexts, one per host, from the bounded cache of `src/ca`. A warm host
 * costs a map look-up; a cold one is minted once however many ask.
 */
import { createSecureContext } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { endedRefusal } from '../src/ca/authority.ts';
import type { CertificateAuthority } from '../src/ca/authority.ts';
import { LeafCache } from '../src/ca/leaf-cache.ts';
import type { Clock } from '../src/kernel/clock.ts';
import type { Limits } from '../src/kernel/limits.ts';
import type { Host } from '../src/wire/host.ts';

export interface LeafContexts {
  /** Throws Refusal `credential_unavailable` when the CA is over and nothing can be minted. */
  checkAuthority(): void;
  contextFor(host: Host): SecureContext | Promise<SecureContext>;
}

interface LeafContextOptions {
  readonly authority: CertificateAuthority;
  readonly clock: Clock;
  readonly limits: Pick<Limits, 'leafCacheMax' | 'leafLifeMs'>;
  readonly onMint: () => void;
}

export function createLeafContexts(options: LeafContextOptions): LeafContexts {
  const cache = new LeafCache<SecureContext>({
    mint: (host) => options.authority.mintLeaf(host),
    build: (material) => {
      options.onMint();
      return createSecureContext({
        cert: material.certPem,
        key: material.keyPem,
        minVersion: 'TLSv1.2',
      });
    },
    clock: options.clock,
    leafCacheMax: options.limits.leafCacheMax,
  });
  options.authority.onSwitch(() => {
    cache.clear();
  });
  return {
    checkAuthority: () => {
      const { endedAtMs } = options.authority;
      if (endedAtMs !== null) throw endedRefusal(endedAtMs);
    },
    contextFor: (host) => cache.get(host),
  };
}
