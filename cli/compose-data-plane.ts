/**
 * Composes the data plane: from settings, policy, vault and trail to a listening proxy. Half of the
 * composition root; the other half is `compose.ts`.
 */
import { hostname, networkInterfaces } from 'node:os';
import { probeOrigin } from '../proxy/probe.ts';
import { startProxy } from '../proxy/start-proxy.ts';
import type { RunningProxy } from '../proxy/start-proxy.ts';
import { DecoderRoom } from '../proxy/content-decoder.ts';
import { createLeafContexts } from '../proxy/leaf-contexts.ts';
import { OpenConnections } from '../proxy/open-connections.ts';
import { RequestMeter } from '../proxy/request-meter.ts';
import type { Trail } from '../src/audit/event.ts';
import type { CertificateAuthority } from '../src/ca/authority.ts';
import { createAddressGuard } from '../src/egress/address-guard.ts';
import { createUpstream } from '../src/egress/create-upstream.ts';
import { postOutside } from '../src/egress/post-outside.ts';
import type { PostAnswer, PostRequest } from '../src/egress/post-outside.ts';
import type { Resolver } from '../src/egress/resolve.ts';
import { startResolver } from '../src/egress/resolver.ts';
import { createUpgradeDialer } from '../src/egress/upgrade-exchange.ts';
import type { ParentCredentials } from '../src/egress/connect-through.ts';
import type { Clock } from '../src/kernel/clock.ts';
import type { Logger } from '../src/kernel/logger.ts';
import { MaskBook } from '../src/mask/mask-book.ts';
import type { Metrics } from '../src/observe/metrics.ts';
import type { NetworkEnvironment } from '../src/policy/decide-network.ts';
import { matchesAnyHost, parseHostPattern } from '../src/policy/host-pattern.ts';
import type { HostPattern } from '../src/policy/host-pattern.ts';
import type { PolicyFeed } from '../src/policy/policy-feed.ts';
import type { RequestHead } from '../src/policy/request-head.ts';
import type { Snapshot } from '../src/policy/snapshot.ts';
import type { ValueOpener } from '../src/policy/value-opener.ts';
import type { ProbeAnswer } from '../src/secrets/secret-tester.ts';
import type { Settings } from '../src/settings/settings.ts';
import type { UsageBook } from '../src/usage/usage-store.ts';
import { parseHost } from '../src/wire/host.ts';
import { composeDialer, composeResolver } from './compose-dialer.ts';
import { composeProxyTls } from './compose-proxy-tls.ts';

interface DataPlaneParts {
  readonly settings: Settings;
  readonly feed: PolicyFeed;
  readonly opener: ValueOpener;
  /** What keys of known providers begin with. */
  readonly publicPrefixes: readonly string[];
  readonly trail: Trail;
  readonly usage: UsageBook;
  readonly authority: CertificateAuthority;
  readonly neverIntercept: readonly HostPattern[];
  readonly parentCredentials: (() => Promise<ParentCredentials>) | null;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
}

export interface ComposedDataPlane {
  readonly proxy: RunningProxy;
  /** The network half of every decision, for `explain`. */
  readonly network: NetworkEnvironment;
  readonly resolver: Resolver;
  /** What sandboxes have open and how much they asked for, for `explain`. */
  readonly open: OpenConnections;
  readonly meter: RequestMeter;
  /** A further listener of this instance, never to be dialled (the admin API). */
  addListener(address: ListenerAddress): void;
  upstreamConnections(): number;
  /** One request with a secret that nobody's client sent. */
  readonly probe: (snapshot: Snapshot, head: RequestHead, secretId: string) => Promise<ProbeAnswer>;
  /** One request of the control plane. */
  post(request: PostRequest): Promise<PostAnswer>;
  /** Drains the proxy, then ends what led outside. */
  close(): Promise<void>;
}

interface ListenerAddress {
  readonly address: string;
  readonly port: number;
}

const HOSTS_FILE = '/etc/hosts';

/** Rejects with StartError: address in use, unreadable CA file, wrong entries. */
export async function composeDataPlane(parts: DataPlaneParts): Promise<ComposedDataPlane> {
  const { settings, clock, metrics } = parts;
  const { egress, limits } = settings;
  const listeners: ListenerAddress[] = [];
  const guard = createAddressGuard({
    allowPrivate: egress.allowPrivate,
    listeners: () => listeners,
    localAddresses: readLocalAddresses,
  });
  const local = startResolver({
    hosts: egress.hosts,
    hostsFile: HOSTS_FILE,
    servers: egress.dns.servers,
    mode: egress.dns.mode,
    limits,
    clock,
  });
  const resolver = composeResolver({ settings, guard, resolver: local });
  const dialer = composeDialer({ ...parts, guard, resolver: local });
  const http1Only = egress.http1Only.map((text) => parseHostPattern(text, 'any'));
  const upstream = createUpstream({
    dialer,
    limits,
    poolScope: egress.poolScope,
    isHttp1Only: (host) => http1Only.length > 0 && matchesAnyHost(http1Only, parseHost(host)),
  });
  const { mode, ports } = egress;
  const ownNames = readOwnNames(settings);
  const network = { guard, defaultVerdict: egress.default, mode, ports, ownNames };
  if (mode === 'observe') {
    parts.logger.warn(
      { mode },
      'egress.mode is observe: what network rules refuse is recorded and let pass',
    );
  }
  const open = new OpenConnections(limits.connectionsPerSandboxMax);
  const plane = {
    ...parts,
    network,
    http1Only,
    tunnelSni: egress.tunnelSni,
    identifyBySource: settings.proxy.identifyBySource,
    resolver,
    dialer,
    upstream,
    upgrades: createUpgradeDialer({ dialer, limits }),
    masks: new MaskBook({ publicPrefixes: parts.publicPrefixes }),
    decoders: new DecoderRoom(),
    leaves: createLeafContexts({
      authority: parts.authority,
      clock,
      limits,
      onMint: () => {
        metrics.leafMinted();
      },
    }),
    open,
    meter: new RequestMeter(clock, open),
    caPem: () => parts.authority.caPem,
    limits,
  };
  const tls = composeProxyTls(settings, plane.leaves);
  const proxy = await startProxy(plane, settings.proxy.listen, tls);
  for (const bound of [proxy.address, proxy.tlsAddress]) {
    if (bound !== null) listeners.push({ address: bound.host, port: bound.port });
  }
  return {
    proxy,
    network,
    resolver,
    open: plane.open,
    meter: plane.meter,
    addListener: (address) => listeners.push(address),
    upstreamConnections: () => upstream.connections,
    post: (request) => postOutside({ resolver, guard, ownNames, upstream }, request),
    probe: (snapshot, head, secretId) => probeOrigin(plane, snapshot, head, secretId),
    close: async () => {
      await proxy.close();
      await upstream.close();
      resolver.close();
    },
  };
}

/** What this instance is called; counts where the address of a name is not known. */
function readOwnNames({ proxy }: Settings): ReadonlySet<string> {
  const urls = proxy.publicUrl === null ? [] : [new URL(proxy.publicUrl).hostname];
  return new Set([...urls, ...(proxy.tls?.names ?? []), hostname().toLowerCase()]);
}

function readLocalAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((entries) =>
    (entries ?? []).map((entry) => entry.address),
  );
}
