/**
 * Takes a `100 Continue` that nobody asked for out of the way: clients must pass over it (RFC 9110 15.2),
 * undici ends the exchange instead. Works on the bytes before undici reads them, only between a request
 * and the first byte of its answer; anything else is left exactly as it came.
 */
import type { Socket } from 'node:net';

const END_OF_HEAD = Buffer.from('\r\n\r\n');
const watched = new WeakMap<Socket, Watch>();

/** Whoever awaits the response. */
interface Reader {
  onResponseStarted(): void;
}

interface Watch {
  /** Set while a response head is awaited. */
  reader: Reader | null;
}

/** From now until the response begins; the reader is told of each 100 taken out. */
export function passOverContinue(socket: Socket, reader: Reader): void {
  const known = watched.get(socket);
  if (known !== undefined) {
    known.reader = reader;
    return;
  }
  const watch: Watch = { reader };
  watched.set(socket, watch);
  const read = socket.read.bind(socket) as (size?: number) => Buffer | null;
  socket.read = (size?: number): Buffer | null => {
    const chunk = read(size);
    if (watch.reader === null || chunk === null) return chunk;
    const rest = withoutContinue(chunk, watch.reader);
    if (rest.length === 0) return socket.read(size) as Buffer | null;
    watch.reader = null;
    return rest;
  };
}

function withoutContinue(chunk: Buffer, reader: Reader): Buffer {
  let rest = chunk;
  while (isContinue(rest)) {
    const end = rest.indexOf(END_OF_HEAD);
    if (end < 0) return rest;
    reader.onResponseStarted();
    rest = rest.subarray(end + END_OF_HEAD.length);
  }
  return rest;
}

function isContinue(chunk: Buffer): boolean {
  // The first digit of the status tells nearly every response apart before a string is made.
  if (chunk.length < 12 || chunk[9] !== 0x31) return false;
  return chunk.toString('latin1', 0, 12) === 'HTTP/1.1 100';
}
