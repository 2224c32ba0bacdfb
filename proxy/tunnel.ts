/**
 * Bytes we do not read: two sockets joined, half-close honoured, ended together. The client socket sees
 * both directions, so its timer alone knows when a tunnel is silent.
 */
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream';
import type { Socket } from 'node:net';

const LISTENERS_MAX = 32;

/** Joins both until both directions ended or either broke; `onEnd` is called once. */
export function joinSockets(
  client: Socket,
  upstream: Duplex,
  silenceTimeoutMs: number,
  onEnd: (broken: 'client' | 'upstream' | null) => void,
): void {
  let directionsOpen = 2;
  let isOver = false;
  const end = (broken: 'client' | 'upstream' | null): void => {
    if (isOver) return;
    isOver = true;
    client.destroy();
    upstream.destroy();
    onEnd(broken);
  };
  // Two pipelines and the servers before them listen: more than Node expects of one socket.
  client.setMaxListeners(LISTENERS_MAX);
  upstream.setMaxListeners(LISTENERS_MAX);
  client.setTimeout(silenceTimeoutMs, () => {
    end(null);
  });
  const directionEnded = (from: 'client' | 'upstream') => (error: Error | null | undefined) => {
    if (error) {
      end(from);
      return;
    }
    directionsOpen -= 1;
    if (directionsOpen === 0) end(null);
  };
  pipeline(client, upstream, directionEnded('client'));
  pipeline(upstream, client, directionEnded('upstream'));
}
