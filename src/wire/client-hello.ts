/**
 * Which server a TLS client asks for, from the first bytes it sends: the ClientHello (RFC 8446 section
 * 4.1.2, RFC 5246) and its server name (RFC 6066 section 3), over as many records as it was cut into. Pure;
 * reads, changes nothing. What starts like TLS and is no clear ClientHello is `malformed` (I6): two names, a
 * name list of another shape, lengths that disagree. With an encrypted ClientHello the name is the outer one.
 */
import { FIXED } from '../kernel/limits.ts';

export type HelloReading =
  /** So far it may become a ClientHello. */
  | { readonly kind: 'incomplete' }
  /** Another protocol: the first bytes are no TLS handshake record. */
  | { readonly kind: 'not_tls' }
  | { readonly kind: 'malformed'; readonly reason: string }
  /** `null`: it names no server. As sent: printable ASCII, not canonical. */
  | { readonly kind: 'hello'; readonly serverName: string | null };

const HANDSHAKE_RECORD = 0x16;
const MAJOR_VERSION = 3;
const RECORD_HEAD_BYTES = 5;
/** RFC 5246 section 6.2.3: the longest record any version may send. */
const RECORD_BYTES_MAX = 16_384 + 2_048;
const CLIENT_HELLO = 1;
const MESSAGE_HEAD_BYTES = 4;
const VERSION_AND_RANDOM_BYTES = 34;
const SERVER_NAME = 0;
const HOST_NAME = 0;
const INCOMPLETE: HelloReading = { kind: 'incomplete' };

/** `bytes`: everything the client sent so far. Never throws. */
export function readClientHello(bytes: Uint8Array): HelloReading {
  if (bytes.length === 0) return INCOMPLETE;
  if (bytes[0] !== HANDSHAKE_RECORD) return { kind: 'not_tls' };
  if (bytes.length > 1 && bytes[1] !== MAJOR_VERSION) return { kind: 'not_tls' };
  const message = readMessage(bytes);
  if (typeof message === 'string') return { kind: 'malformed', reason: message };
  if (message === undefined) {
    const isLong = bytes.length >= FIXED.clientHelloBytesMax;
    return isLong ? { kind: 'malformed', reason: 'it is too long' } : INCOMPLETE;
  }
  try {
    return { kind: 'hello', serverName: readServerName(new Fields(message)) };
  } catch (error) {
    if (error instanceof HelloFault) return { kind: 'malformed', reason: error.message };
    throw error;
  }
}

/** The body of the first handshake message; `undefined`: not all of it is there; a text: what is wrong. */
function readMessage(bytes: Uint8Array): Uint8Array | string | undefined {
  const parts: Uint8Array[] = [];
  let size = 0;
  let needed: number | undefined;
  for (let at = 0; at + RECORD_HEAD_BYTES <= bytes.length;) {
    if (bytes[at] !== HANDSHAKE_RECORD || bytes[at + 1] !== MAJOR_VERSION) {
      return 'another record comes before its end';
    }
    const length = number16(bytes, at + 3);
    if (length === 0 || length > RECORD_BYTES_MAX) return 'a record has no possible length';
    const part = bytes.subarray(at + RECORD_HEAD_BYTES, at + RECORD_HEAD_BYTES + length);
    parts.push(part);
    size += part.length;
    if (needed === undefined) {
      const head = readHead(parts, size);
      if (typeof head === 'string') return head;
      needed = head;
    }
    if (needed !== undefined && size >= needed) {
      return Buffer.concat(parts).subarray(MESSAGE_HEAD_BYTES, needed);
    }
    at += RECORD_HEAD_BYTES + length;
  }
  return undefined;
}

/** Bytes of the message with its head. */
function readHead(parts: readonly Uint8Array[], size: number): number | string | undefined {
  if (size === 0) return undefined;
  const head = size < MESSAGE_HEAD_BYTES || parts.length > 1 ? Buffer.concat(parts) : parts[0];
  if (head?.[0] !== CLIENT_HELLO) return 'the first message is no ClientHello';
  if (head.length < MESSAGE_HEAD_BYTES) return undefined;
  const length = ((head[1] ?? 0) << 16) | number16(head, 2);
  if (length > FIXED.clientHelloBytesMax) return 'it is too long';
  return MESSAGE_HEAD_BYTES + length;
}

function readServerName(hello: Fields): string | null {
  hello.take(VERSION_AND_RANDOM_BYTES);
  hello.takeShort8();
  hello.takeShort16();
  hello.takeShort8();
  // Before TLS 1.2 a client could leave all extensions out.
  if (hello.isOver) return null;
  const extensions = new Fields(hello.takeShort16());
  if (!hello.isOver) throw new HelloFault('something follows its extensions');
  let serverName: string | null = null;
  while (!extensions.isOver) {
    const type = extensions.takeNumber16();
    const content = extensions.takeShort16();
    if (type !== SERVER_NAME) continue;
    if (serverName !== null) throw new HelloFault('it names a server twice');
    serverName = readNameList(new Fields(content));
  }
  return serverName;
}

function readNameList(extension: Fields): string {
  const list = new Fields(extension.takeShort16());
  if (!extension.isOver) throw new HelloFault('its server name has another shape');
  if (list.take(1)[0] !== HOST_NAME) throw new HelloFault('its server name is no host name');
  const name = list.takeShort16();
  if (!list.isOver) throw new HelloFault('it names several servers');
  if (name.length === 0 || !name.every((byte) => byte > 0x20 && byte < 0x7f)) {
    throw new HelloFault('its server name is no text');
  }
  return Buffer.from(name).toString('latin1');
}

class HelloFault extends Error {}

/** Reads from the front; what is not there is a fault. */
class Fields {
  #rest: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#rest = bytes;
  }

  get isOver(): boolean {
    return this.#rest.length === 0;
  }

  take(count: number): Uint8Array {
    if (count > this.#rest.length) throw new HelloFault('a length inside it is too large');
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return taken;
  }

  takeNumber16(): number {
    return number16(this.take(2), 0);
  }

  /** Preceded by its length in one byte. */
  takeShort8(): Uint8Array {
    return this.take(this.take(1)[0] ?? 0);
  }

  /** Preceded by its length in two bytes. */
  takeShort16(): Uint8Array {
    return this.take(this.takeNumber16());
  }
}

function number16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
