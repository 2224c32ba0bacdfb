/**
 * A CIDR range (RFC 4632, RFC 4291) and whether an address lies in it. Families never mix: `0.0.0.0/0`
 * means IPv4 only here, callers add `::/0` where their setting means both. Host bits are cleared, and a
 * v4-mapped range is the IPv4 range it names. Matching allocates nothing but the parsed address.
 */
import type { Address, AddressWords } from './address.ts';
import { addressOfWords, addressWords, readAddress } from './address.ts';

/** Opaque to callers; match with `isInCidr`. */
export interface Cidr {
  readonly family: 4 | 6;
  /** Canonical text, `network/prefix`. */
  readonly text: string;
  readonly prefix: number;
  readonly network: AddressWords;
  readonly mask: AddressWords;
}

/** `network/prefix`, or a bare address as /32 or /128. Throws RangeError, which the caller translates. */
export function parseCidr(text: string): Cidr {
  const cidr = readCidr(text);
  if (cidr === undefined) throw new RangeError('expected an IP address or a CIDR range');
  return cidr;
}

/** As `parseCidr`, `undefined` for anything else. */
export function readCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/');
  const literal = slash < 0 ? text : text.slice(0, slash);
  const address = readAddress(literal);
  if (address === undefined) return undefined;
  // `::ffff:10.0.0.0/104` was reduced to IPv4, so its prefix counts from bit 96.
  const skippedBits = address.family === 4 && literal.includes(':') ? 96 : 0;
  const widest = address.family === 4 ? 32 : 128;
  if (slash < 0) return makeCidr(address, widest);
  const prefixText = text.slice(slash + 1);
  if (!/^(?:0|[1-9][0-9]{0,2})$/.test(prefixText)) return undefined;
  const prefix = Number(prefixText) - skippedBits;
  return prefix < 0 || prefix > widest ? undefined : makeCidr(address, prefix);
}

/** False when the families differ. */
export function isInCidr(address: Address, cidr: Cidr): boolean {
  return address.family === cidr.family && areWordsInCidr(addressWords(address), cidr);
}

/** For callers that test one address against many ranges of its family. */
export function areWordsInCidr(words: AddressWords, cidr: Cidr): boolean {
  const { network, mask } = cidr;
  return (
    (words[3] & mask[3]) >>> 0 === network[3] &&
    (words[0] & mask[0]) >>> 0 === network[0] &&
    (words[1] & mask[1]) >>> 0 === network[1] &&
    (words[2] & mask[2]) >>> 0 === network[2]
  );
}

function makeCidr(address: Address, prefix: number): Cidr {
  const { family } = address;
  const firstBit = family === 4 ? 96 : 0;
  const words = addressWords(address);
  const mask: AddressWords = [
    wordMask(prefix + firstBit),
    wordMask(prefix + firstBit - 32),
    wordMask(prefix + firstBit - 64),
    wordMask(prefix + firstBit - 96),
  ];
  const network: AddressWords = [
    (words[0] & mask[0]) >>> 0,
    (words[1] & mask[1]) >>> 0,
    (words[2] & mask[2]) >>> 0,
    (words[3] & mask[3]) >>> 0,
  ];
  const text = `${addressOfWords(family, network).text}/${prefix}`;
  return { family, text, prefix, network, mask };
}

/** The first `bits` bits of a 32-bit word; `<< 32` would shift by nothing. */
function wordMask(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? 0xffffffff : (0xffffffff << (32 - bits)) >>> 0;
}
