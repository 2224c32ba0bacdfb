/**
 * The internal-address guard of spec section 3, three tiers. Never: this instance's own listeners, by any
 * local address. Only by its exact address in `egress.allow_private`: metadata services. Only by a
 * containing CIDR there: every special-purpose range. IPv4 inside IPv6 is judged by the same table.
 * Decides; never dials, never resolves.
 */
import { StartError } from '../kernel/errors.ts';
import type { AddressClass, AddressGuard } from '../policy/address-guard.ts';
import type { Address } from '../wire/address.ts';
import { embeddedIpv4s, readAddress } from '../wire/address.ts';
import type { Cidr } from '../wire/ranges.ts';
import { isInCidr, readCidr } from '../wire/ranges.ts';
import { specialPurposeClass } from '../wire/special-purpose.ts';

interface AddressGuardOptions {
  /** `egress.allow_private`: addresses and CIDR ranges. */
  readonly allowPrivate: readonly string[];
  /** Where this instance listens; asked at every look, since port 0 is known only once it listens. */
  readonly listeners: () => readonly { readonly address: string; readonly port: number }[];
  /** Every address of this machine's interfaces; asked only when a listener's port is meant. */
  readonly localAddresses: () => readonly string[];
}

/** AWS (IMDS, ECS, EKS), Alibaba, Azure, Oracle, AWS over IPv6, Google over IPv6. */
const METADATA: ReadonlySet<string> = new Set([
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd20:ce::254',
]);

/** Throws StartError when an entry of `allowPrivate` is neither an address nor a range. */
export function createAddressGuard(options: AddressGuardOptions): AddressGuard {
  const ranges = options.allowPrivate.map(parseEntry);
  const exact = new Set(
    ranges.filter(isSingleAddress).map((cidr) => cidr.text.split('/')[0] ?? ''),
  );
  return {
    classify(address: Address, port: number): AddressClass | null {
      const embedded = embeddedIpv4s(address);
      if (isOwnListener(options, address, embedded, port)) return 'listener';
      if (exact.has(address.text)) return null;
      const candidates = [address, ...embedded];
      if (candidates.some((candidate) => isMetadata(candidate) && !exact.has(candidate.text))) {
        return 'metadata';
      }
      const isAllowed = (candidate: Address) => ranges.some((cidr) => isInCidr(candidate, cidr));
      if (isAllowed(address)) return null;
      for (const candidate of candidates) {
        const addressClass = specialPurposeClass(candidate);
        if (addressClass !== null && !isAllowed(candidate)) return addressClass;
      }
      return null;
    },
  };
}

function parseEntry(text: string, index: number): Cidr {
  const cidr = readCidr(text);
  if (cidr !== undefined) return cidr;
  throw new StartError(
    `egress.allow_private[${index}] is neither an IP address nor a CIDR range.`,
    'Write it as 10.0.0.0/8, fd00::/8 or a single address.',
  );
}

function isMetadata(address: Address): boolean {
  return METADATA.has(address.text);
}

/** Metadata opens by these alone, so that no wide range opens it by accident. */
function isSingleAddress(cidr: Cidr): boolean {
  return cidr.prefix === (cidr.family === 4 ? 32 : 128);
}

/**
 * A listener on 0.0.0.0 answers on every local address, and one on 127.0.0.1 may be reached through a
 * forward of the machine's; so the port is closed on all of them, whatever it was bound to.
 */
function isOwnListener(
  options: AddressGuardOptions,
  address: Address,
  embedded: readonly Address[],
  port: number,
): boolean {
  const listeners = options.listeners().filter((listener) => listener.port === port);
  if (listeners.length === 0) return false;
  const own = new Set([
    ...listeners.map((listener) => canonical(listener.address)),
    ...options.localAddresses().map(canonical),
  ]);
  return [address, ...embedded].some(
    (candidate) => own.has(candidate.text) || isThisMachine(candidate),
  );
}

/** Loopback, and the unspecified address, which connects to loopback. */
function isThisMachine(address: Address): boolean {
  const addressClass = specialPurposeClass(address);
  return addressClass === 'loopback' || addressClass === 'unspecified';
}

/** Interfaces report zones (`fe80::1%eth0`) on some systems. */
function canonical(text: string): string {
  const zone = text.indexOf('%');
  return readAddress(zone < 0 ? text : text.slice(0, zone))?.text ?? text;
}
