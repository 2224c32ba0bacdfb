/**
 * HTTP/2 frames by hand (RFC 9113 section 4, HPACK literals of RFC 7541): writes what no library would
 * write, reads frames back one by one. Field blocks are literals without indexing or Huffman coding.
 */
import type { ByteReader } from './byte-reader.ts';

export const FrameType = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  rstStream: 0x3,
  settings: 0x4,
  pushPromise: 0x5,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;

export const FrameFlag = {
  none: 0,
  ack: 0x1,
  endStream: 0x1,
  endHeaders: 0x4,
  padded: 0x8,
} as const;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

export function encodeFrame(
  type: number,
  flags: number,
  streamId: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** `pairs`: identifier, value, … */
export function encodeSettings(...pairs: readonly number[]): Buffer {
  const payload = Buffer.alloc((pairs.length / 2) * 6);
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    payload.writeUInt16BE(pairs[i] ?? 0, (i / 2) * 6);
    payload.writeUInt32BE(pairs[i + 1] ?? 0, (i / 2) * 6 + 2);
  }
  return encodeFrame(FrameType.settings, 0, 0, payload);
}

export function encodeUint32(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) buffer.writeUInt32BE(value, index * 4);
  return buffer;
}

/** An integer with `prefixBits` bits in the first byte, the others of which are `first`. */
function encodeInteger(value: number, prefixBits: number, first: number): Buffer {
  const max = 2 ** prefixBits - 1;
  if (value < max) return Buffer.from([first | value]);
  const bytes = [first | max];
  let rest = value - max;
  while (rest >= 128) {
    bytes.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

function encodeText(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([encodeInteger(bytes.length, 7, 0), bytes]);
}

/** A flat name, value list as a field block; `isIndexed` enters every line into the dynamic table. */
export function encodeFields(fields: readonly string[], isIndexed = false): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    parts.push(
      Buffer.from([isIndexed ? 0x40 : 0x00]),
      encodeText(fields[i] ?? ''),
      encodeText(fields[i + 1] ?? ''),
    );
  }
  return Buffer.concat(parts);
}

/** Entry `index` of the tables (62 is the newest of the dynamic one), `times` times. */
export function encodeIndexed(index: number, times: number): Buffer {
  return Buffer.concat(Array.from({ length: times }, () => encodeInteger(index, 7, 0x80)));
}

export function encodeHeaders(
  streamId: number,
  fields: readonly string[],
  flags: number = FrameFlag.endHeaders | FrameFlag.endStream,
): Buffer {
  return encodeFrame(FrameType.headers, flags, streamId, encodeFields(fields));
}

export function encodeReset(streamId: number, code: number): Buffer {
  return encodeFrame(FrameType.rstStream, 0, streamId, encodeUint32(code));
}

/** The next frame; rejects when the stream ends before one. */
export async function readFrame(reader: ByteReader, timeoutMs?: number): Promise<Frame> {
  const head = await reader.readExactly(9, timeoutMs);
  const payload = await reader.readExactly(head.readUIntBE(0, 3), timeoutMs);
  return {
    type: head.readUInt8(3),
    flags: head.readUInt8(4),
    streamId: head.readUInt32BE(5) & 0x7fff_ffff,
    payload,
  };
}

/** Statuses with an entry of their own in the static table. */
const STATIC_STATUS = new Map([
  [8, 200],
  [9, 204],
  [10, 206],
  [11, 304],
  [12, 400],
  [13, 404],
  [14, 500],
]);

/** Huffman codes of the digits (RFC 7541 appendix B): `0` to `2` have five bits, the others six. */
function decodeDigits(bytes: Buffer): string {
  let bits = '';
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  let digits = '';
  for (let at = 0; at + 5 <= bits.length;) {
    const five = Number.parseInt(bits.slice(at, at + 5), 2);
    if (five <= 2) {
      digits += String(five);
      at += 5;
    } else {
      const six = Number.parseInt(bits.slice(at, at + 6), 2);
      if (six < 0x19 || six > 0x1f) return digits;
      digits += String(six - 0x19 + 3);
      at += 6;
    }
  }
  return digits;
}

/** `:status` of a response's field block, which is its first line; `0` when it is spelled otherwise. */
export function statusOf(block: Buffer): number {
  // A table size update may stand before it.
  const at = ((block[0] ?? 0) & 0xe0) === 0x20 ? 1 : 0;
  const first = block[at] ?? 0;
  if ((first & 0x80) !== 0) return STATIC_STATUS.get(first & 0x7f) ?? 0;
  const length = block[at + 1] ?? 0;
  const value = block.subarray(at + 2, at + 2 + (length & 0x7f));
  const digits = (length & 0x80) === 0 ? value.toString('latin1') : decodeDigits(value);
  return /^\d{3}$/.test(digits) ? Number(digits) : 0;
}
