/**
 * The few DER encodings a certificate needs (ITU-T X.690), and a reader for one level of elements. Written
 * out because minting must be fast and because the issuer of a leaf is copied as raw bytes: a library
 * that re-encodes it makes chains that GnuTLS and rustls reject.
 */
import { assert } from '../kernel/assert.ts';

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;
const SET = 0x31;

/** Tag, definite length, content. */
export function element(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const size = body.byteLength;
  assert(size <= 0xffff, 'no element of a certificate is longer than 64 KiB');
  const length =
    size < 0x80 ? [size] : size <= 0xff ? [0x81, size] : [0x82, size >>> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

export const sequence = (...content: readonly Uint8Array[]): Buffer =>
  element(SEQUENCE, ...content);
export const octetString = (content: Uint8Array): Buffer => element(OCTET_STRING, content);
export const utf8String = (text: string): Buffer => element(UTF8_STRING, Buffer.from(text, 'utf8'));
export const setOf = (content: Uint8Array): Buffer => element(SET, content);
/** Context-specific `[number]`: constructed for EXPLICIT, primitive for IMPLICIT strings. */
export const explicit = (number: number, content: Uint8Array): Buffer =>
  element(0xa0 | number, content);
export const implicit = (number: number, content: Uint8Array): Buffer =>
  element(0x80 | number, content);
export const trueValue = (): Buffer => element(0x01, Buffer.from([0xff]));

/** A positive integer, from big-endian bytes. */
export function integer(bytes: Uint8Array): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0);
  const minimal = start === -1 ? Buffer.from([0]) : bytes.subarray(start);
  const lead = (minimal[0] ?? 0) >= 0x80 ? [0] : [];
  return element(INTEGER, Buffer.from(lead), minimal);
}

/** `unusedBits` of the last byte do not count. */
export function bitString(bytes: Uint8Array, unusedBits = 0): Buffer {
  return element(BIT_STRING, Buffer.from([unusedBits]), bytes);
}

/** From dotted decimal. */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...arcs] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...arcs.flatMap(base128)];
  return element(OBJECT_IDENTIFIER, Buffer.from(bytes));
}

function base128(arc: number): number[] {
  const groups = [arc & 0x7f];
  for (let rest = arc >>> 7; rest > 0; rest >>>= 7) groups.unshift(0x80 | (rest & 0x7f));
  return groups;
}

/** RFC 5280 section 4.1.2.5: UTCTime up to 2049, GeneralizedTime after; whole seconds. */
export function time(atMs: number): Buffer {
  const digits = new Date(atMs).toISOString().replaceAll(/[-:T]/g, '').slice(0, 14);
  const isUtcTime = Number(digits.slice(0, 4)) < 2050;
  const text = `${isUtcTime ? digits.slice(2) : digits}Z`;
  return element(isUtcTime ? UTC_TIME : GENERALIZED_TIME, Buffer.from(text, 'ascii'));
}

/** The elements directly inside a constructed element, each with its tag and length. */
export function readElements(constructed: Uint8Array): readonly Uint8Array[] {
  const elements: Uint8Array[] = [];
  let rest = constructed.subarray(headBytes(constructed), totalBytes(constructed));
  while (rest.byteLength > 0) {
    const size = totalBytes(rest);
    assert(size <= rest.byteLength, 'an element ends inside its parent');
    elements.push(rest.subarray(0, size));
    rest = rest.subarray(size);
  }
  return elements;
}

function headBytes(encoded: Uint8Array): number {
  const first = encoded[1] ?? 0;
  return first < 0x80 ? 2 : 2 + (first & 0x7f);
}

function totalBytes(encoded: Uint8Array): number {
  const head = headBytes(encoded);
  if (head === 2) return head + (encoded[1] ?? 0);
  return head + encoded.subarray(2, head).reduce((size, byte) => size * 256 + byte, 0);
}
