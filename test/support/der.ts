/**
 * The few DER encodings a test certificate needs (X.690). Written out on purpose: tests judge what the
 * product's certificate library makes, so they do not use that library, and faults can be spelled.
 */
import { isIPv4 } from 'node:net';

/** One TLV: tag, definite length, content. */
export function tlv(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const size: number[] = [];
  for (let rest = body.length; rest > 0; rest >>>= 8) size.unshift(rest & 0xff);
  return Buffer.concat([Buffer.from([tag, 0x80 | size.length, ...size]), body]);
}

export const sequence = (...content: readonly Buffer[]): Buffer => tlv(0x30, ...content);
export const octetString = (content: Buffer): Buffer => tlv(0x04, content);
export const bitString = (content: Buffer): Buffer => tlv(0x03, Buffer.from([0]), content);
export const boolean = (value: boolean): Buffer => tlv(0x01, Buffer.from([value ? 0xff : 0]));
export const nullValue = (): Buffer => tlv(0x05);

/** A positive integer from its big-endian bytes. */
export function integer(bytes: Buffer): Buffer {
  return tlv(0x02, (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
}

/** An object identifier in dotted form. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...arcs] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of arcs) {
    const groups = [arc & 0x7f];
    for (let rest = arc >>> 7; rest > 0; rest >>>= 7) groups.unshift((rest & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return tlv(0x06, Buffer.from(bytes));
}

/** A UTCTime, to the second (what RFC 5280 wants before 2050). */
export function utcTime(atMs: number): Buffer {
  const text = new Date(atMs).toISOString().replace(/[-:T]/g, '').slice(2, 14);
  return tlv(0x17, Buffer.from(`${text}Z`));
}

/** A name of one CN; empty text makes the empty name. */
export function commonName(text: string): Buffer {
  if (text === '') return sequence();
  return sequence(tlv(0x31, sequence(oid('2.5.4.3'), tlv(0x0c, Buffer.from(text)))));
}

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = address.split('::');
  const groups = (part: string | undefined): string[] => (part ?? '').split(':').filter(Boolean);
  const left = groups(head);
  const right = groups(tail);
  const zeros: string[] = Array.from({ length: 8 - left.length - right.length }, () => '0');
  const bytes = [...left, ...zeros, ...right].map((group) => group.padStart(4, '0'));
  return Buffer.from(bytes.join(''), 'hex');
}

/** GeneralNames of a SAN extension: `names` are DNS names, `addresses` IP literals. */
export function generalNames(names: readonly string[], addresses: readonly string[]): Buffer {
  return sequence(
    ...names.map((name) => tlv(0x82, Buffer.from(name))),
    ...addresses.map((address) => tlv(0x87, addressBytes(address))),
  );
}

/** One X.509 extension. */
export function extension(id: string, critical: boolean, value: Buffer): Buffer {
  const parts = critical ? [oid(id), boolean(true)] : [oid(id)];
  return sequence(...parts, octetString(value));
}
