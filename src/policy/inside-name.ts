/**
 * Names that lead inside by what they are called: what is left of the address guard where only the parent
 * proxy resolves (docs/decisions/0028). A name that merely *resolves* to an inside address is not found
 * here; that is the parent's to refuse. RFC 6761, 6762, 7686, 8375; ICANN on `.internal`. Pure.
 */
import type { Host } from '../wire/host.ts';
import type { AddressClass } from './address-guard.ts';

/** Where clouds keep them under a public suffix; the others end in `.internal` or have one label. */
const METADATA_NAMES: ReadonlySet<string> = new Set([
  'metadata',
  'instance-data',
  'metadata.goog',
  'metadata.google.internal',
  'instance-data.ec2.internal',
  'metadata.tencentyun.com',
]);

const INSIDE_SUFFIXES = [
  '.internal',
  '.local',
  '.localdomain',
  '.lan',
  '.home',
  '.corp',
  '.intranet',
  '.private',
  '.home.arpa',
  '.in-addr.arpa',
  '.ip6.arpa',
  '.svc',
  '.consul',
  '.onion',
] as const;

/** The class that the guard would most likely find; `null`: nothing about the name says inside. */
export function readInsideName(host: Host, ownNames: ReadonlySet<string>): AddressClass | null {
  const { text } = host;
  if (ownNames.has(text)) return 'listener';
  if (text === 'localhost' || text.endsWith('.localhost')) return 'loopback';
  if (METADATA_NAMES.has(text)) return 'metadata';
  if (!text.includes('.')) return 'private';
  return INSIDE_SUFFIXES.some((suffix) => text.endsWith(suffix)) ? 'private' : null;
}
