/**
 * Fixed names: the machine's hosts file (hosts(5): address, then names, `#` comments) and the settings
 * `egress.hosts`. The file is looked at once a second at most and re-read when its modification time
 * changes; one that was never readable counts as empty. Never asks the network.
 */
import { readFileSync, statSync } from 'node:fs';
import type { Clock } from '../kernel/clock.ts';
import { StartError } from '../kernel/errors.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Address } from '../wire/address.ts';
import { readAddress } from '../wire/address.ts';
import type { Resolution } from './resolve.ts';

export interface HostsFile {
  readHost(name: string): Resolution | undefined;
}

export function startHostsFile(path: string, clock: Clock): HostsFile {
  let checkedMs = -Infinity;
  let mtimeMs = -1;
  let entries: ReadonlyMap<string, Resolution> = new Map();
  return {
    readHost(name) {
      const nowMs = clock.monotonicMs();
      if (nowMs - checkedMs >= FIXED.hostsFileCheckMs) {
        checkedMs = nowMs;
        const current = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? -1;
        if (current !== mtimeMs) {
          const read = readHostsFile(path);
          // Not read: not seen. Without descriptors, say, the names it pins stay pinned.
          if (read !== null) [mtimeMs, entries] = [current, read];
        }
      }
      return entries.get(name);
    },
  };
}

/** `egress.hosts`. Throws StartError naming the entry that is no address. */
export function parseHostEntries(
  hosts: Readonly<Record<string, string>>,
): ReadonlyMap<string, Resolution> {
  const entries = new Map<string, Resolution>();
  for (const [name, text] of Object.entries(hosts)) {
    const resolution = readEndpoint(text);
    if (resolution === undefined) {
      throw new StartError(
        `egress.hosts: the entry for ${name} is not an address.`,
        'Write an address, address:port or [IPv6 address]:port.',
      );
    }
    entries.set(canonicalName(name), resolution);
  }
  return entries;
}

function readEndpoint(text: string): Resolution | undefined {
  const bare = readAddress(text);
  if (bare !== undefined) return { addresses: [bare], dialPort: null };
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? /^\[([^\]]+)\]$/.exec(text);
  const address = readAddress(match?.[1] ?? match?.[2] ?? '');
  const port = match?.[3] === undefined ? null : Number(match[3]);
  if (address === undefined || port === 0 || (port ?? 1) > 65_535) return undefined;
  return { addresses: [address], dialPort: port };
}

/** `null`: it cannot be read now. One that is gone is empty. */
function readHostsFile(path: string): ReadonlyMap<string, Resolution> | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? new Map() : null;
  }
  const addressesOf = new Map<string, Address[]>();
  for (const line of text.split('\n')) {
    const [literal, ...names] = line.replace(/#.*$/, '').trim().split(/\s+/);
    const address = readAddress(literal ?? '');
    if (address === undefined) continue;
    for (const name of names.map(canonicalName)) {
      const known = addressesOf.get(name);
      if (known === undefined) addressesOf.set(name, [address]);
      else known.push(address);
    }
  }
  const entries = new Map<string, Resolution>();
  for (const [name, addresses] of addressesOf) entries.set(name, { addresses, dialPort: null });
  return entries;
}

function canonicalName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}
