/** ClientHellos byte by byte, right and wrong ones. */

const short8 = (content: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([content.length]), content]);

export function short16(content: Uint8Array): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(content.length);
  return Buffer.concat([length, content]);
}

export function extension(type: number, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([type >> 8, type & 0xff]), short16(content)]);
}

/** The server name extension with one entry a name. */
export function serverNames(...names: readonly string[]): Buffer {
  const entries = names.map((name) =>
    Buffer.concat([Buffer.from([0]), short16(Buffer.from(name))]),
  );
  return extension(0, short16(Buffer.concat(entries)));
}

/** The handshake message. `null`: no extensions at all. */
export function helloMessage(extensions: readonly Uint8Array[] | null): Buffer {
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    short8(Buffer.alloc(32, 8)),
    short16(Buffer.from([0x13, 1, 0x13, 2])),
    short8(Buffer.from([0])),
    ...(extensions === null ? [] : [short16(Buffer.concat(extensions))]),
  ]);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  head[0] = 1;
  return Buffer.concat([head, body]);
}

/** `message` in records of at most `size` bytes. */
export function records(message: Uint8Array, size = 16_384, type = 0x16): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    parts.push(Buffer.from([type, 3, 1]), short16(message.subarray(at, at + size)));
  }
  return Buffer.concat(parts);
}
