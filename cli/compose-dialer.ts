/**
 * The way out put together: trust from the operator's files, the parent proxy where there is one, and the
 * dialer on both. Files are read here, once; StartError names the setting and the file.
 */
import { readFileSync } from 'node:fs';
import type { ParentCredentials } from '../src/egress/connect-through.ts';
import { createDialer } from '../src/egress/dial.ts';
import type { Dialer } from '../src/egress/dial.ts';
import { createParentProxy } from '../src/egress/parent-proxy.ts';
import type { ParentProxy, ParentProxyOptions } from '../src/egress/parent-proxy.ts';
import { createParentNames } from '../src/egress/parent-names.ts';
import type { LocalResolver, Resolver } from '../src/egress/resolve.ts';
import { createTrust } from '../src/egress/trust.ts';
import type { Trust } from '../src/egress/trust.ts';
import type { Clock } from '../src/kernel/clock.ts';
import { StartError } from '../src/kernel/errors.ts';
import type { AddressGuard } from '../src/policy/address-guard.ts';
import { parseHostPattern } from '../src/policy/host-pattern.ts';
import type { Settings } from '../src/settings/settings.ts';
import { parseHost } from '../src/wire/host.ts';
import type { Authority } from '../src/wire/host.ts';
import { readCidr } from '../src/wire/ranges.ts';

export interface ResolverParts {
  readonly settings: Settings;
  readonly guard: AddressGuard;
  readonly resolver: LocalResolver;
}

/** Who resolves the names of origins: we, or the parent proxy those it does not leave to us. */
export function composeResolver(parts: ResolverParts): Resolver {
  const { parentProxy } = parts.settings.egress;
  if (parentProxy?.resolve !== 'parent') return parts.resolver;
  return createParentNames({
    ...parts,
    authority: parseParentUrl(parentProxy.url).authority,
    bypassHosts: parseBypass(parentProxy.bypass).hosts,
  });
}

export interface DialerParts {
  readonly settings: Settings;
  readonly guard: AddressGuard;
  /** Finds the parent proxy itself. */
  readonly resolver: Pick<Resolver, 'resolve'>;
  readonly parentCredentials: (() => Promise<ParentCredentials>) | null;
  readonly clock: Clock;
}

/** StartError for files that cannot be read as what they should be. */
export function composeDialer(parts: DialerParts): Dialer {
  const { limits } = parts.settings;
  const trust = composeTrust(parts.settings, parts.clock);
  return createDialer({ trust, limits, parent: composeParent(parts, trust) });
}

function composeTrust({ egress }: Settings, clock: Clock): Trust {
  return createTrust({
    extraCaPems: egress.extraCa.map((file) => readCaFile(file, 'egress.extra_ca')),
    hostCas: Object.entries(egress.hostCa).map(([host, files]) => ({
      pattern: parseHostPattern(host, 'any'),
      caPems: files.map((file) => readCaFile(file, 'egress.host_ca')),
    })),
    hostCrls: Object.entries(egress.hostCrl).map(([host, files]) => ({
      pattern: parseHostPattern(host, 'any'),
      files,
    })),
    clock,
  });
}

function composeParent(parts: DialerParts, trust: Trust): ParentProxy | null {
  const { egress, limits } = parts.settings;
  const { parentProxy } = egress;
  if (parentProxy === null) return null;
  const { url, bypass, connectTo } = parentProxy;
  return createParentProxy({
    ...parseParentUrl(url),
    bypass: parseBypass(bypass),
    connectTo,
    fixedNames: new Set(Object.keys(egress.hosts).map((name) => parseHost(name).text)),
    credentials: parts.parentCredentials,
    resolver: parts.resolver,
    guard: parts.guard,
    trust,
    limits,
  });
}

function parseBypass(entries: readonly string[]): ParentProxyOptions['bypass'] {
  const ranges = entries.flatMap((entry) => readCidr(entry) ?? []);
  const names = entries.filter((entry) => readCidr(entry) === undefined);
  return { ranges, hosts: names.map((text) => parseHostPattern(text, 'any')) };
}

/** The settings made sure that it is a bare http or https URL. */
export function parseParentUrl(url: string): { scheme: 'http' | 'https'; authority: Authority } {
  const { protocol, hostname, port } = new URL(url);
  const scheme = protocol === 'https:' ? 'https' : 'http';
  const defaultPort = scheme === 'https' ? 443 : 80;
  const authority = {
    host: parseHost(hostname),
    port: port === '' ? defaultPort : Number(port),
  };
  return { scheme, authority };
}

function readCaFile(file: string, setting: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new StartError(
      `The CA file ${file} of ${setting} cannot be read.`,
      'Give the path of a readable PEM file.',
      { cause: error },
    );
  }
}
