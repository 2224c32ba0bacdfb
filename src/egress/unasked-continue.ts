/**
 * Takes a `100 Continue` that nobody asked for out of the way: clients must pass over it (RFC 9110 15.2),
 * undici ends the exchange instead. Works on the bytes before undici reads them, only between a request
 * with a body and the first byte of its answer; anything else is left exactly as it came.
 */
import type { Socket } from 'node:net';

const END_OF_HEAD = Buffer.from('\r\n\r\n');
const watched = new WeakMap<Socket, Watch>();

interface Watch {
  /** Set while a response head is awaited; called when a 100 was taken out. */
  onContinue: (() => void) | null;
}

/** From now until the response begins; `onContinue` is called for each 100 taken out. */
export function passOverContinue(socket: Socket, onContinue: () => void): void {
  const known = watched.get(socket);
  if (known !== undefined) {
    known.onContinue = onContinue;
    return;
  }
  const watch: Watch = { onContinue };
  watched.set(socket, watch);
  const read = socket.read.bind(socket) as (size?: number) => Buffer | null;
  socket.read = (size?: number): Buffer | null => {
    const chunk = read(size);
    if (watch.onContinue === null || chunk === null) return chunk;
    const rest = withoutContinue(chunk, watch.onContinue);
    if (rest.length === 0) return socket.read(size) as Buffer | null;
    watch.onContinue = null;
    return rest;
  };
}

function withoutContinue(chunk: Buffer, onContinue: () => void): Buffer {
  let rest = chunk;
  while (isContinue(rest)) {
    const end = rest.indexOf(END_OF_HEAD);
    if (end < 0) return rest;
    onContinue();
    rest = rest.subarray(end + END_OF_HEAD.length);
  }
  return rest;
}

function isContinue(chunk: Buffer): boolean {
  return chunk.length >= 12 && chunk.toString('latin1', 0, 12) === 'HTTP/1.1 100';
}
