/**
 * A request whose `Upgrade` is not one we make (h2c!) goes on as an ordinary request with its body
 * (RFC 9110 7.8 lets a server ignore the field). The runtime's parser cannot go on after such a head: it
 * swallows faults in the body and never reads a second request. So the head is given back to the socket
 * without the field, and the connection is read anew.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { normalizeFieldName } from '../src/wire/field-list.ts';

/** `serveAgain` reads requests from the socket; `head`: what was read behind the head. */
export function serveWithoutUpgrade(
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
  serveAgain: (socket: Socket) => void,
): void {
  const { method = '', url = '', httpVersion, rawHeaders } = request;
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (normalizeFieldName(name) !== 'upgrade') text += `${name}: ${rawHeaders[i + 1]}\r\n`;
  }
  // Fields were read as latin1, so this is byte for byte what came.
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]));
  serveAgain(socket);
}
