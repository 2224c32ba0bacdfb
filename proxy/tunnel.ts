/**
 * Bytes we do not read: two sockets joined, half-close honoured, ended together. The client socket sees
 * both directions, so its timer alone knows when a tunnel is silent. Where the first bytes of the client
 * are looked at, the other direction flows meanwhile: servers may speak first.
 */
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream';
import type { Socket } from 'node:net';

const LISTENERS_MAX = 32;

export interface TunnelOptions {
  readonly silenceTimeoutMs: number;
  /** Asked before anything of the client goes on; must leave every byte in its stream. `null`: nobody. */
  readonly admit: (() => Promise<boolean>) | null;
  /** Called once, when both are destroyed. */
  readonly onEnd: (broken: 'client' | 'upstream' | null) => void;
}

/** Joins both until both directions ended, either broke or `admit` says no. */
export function joinSockets(client: Socket, upstream: Duplex, options: TunnelOptions): void {
  const { silenceTimeoutMs, admit, onEnd } = options;
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
  // Before the pipelines, which both hear of it: an origin is not blamed for its client.
  client.once('error', () => {
    end('client');
  });
  const send = (): void => {
    pipeline(client, upstream, directionEnded('client'));
  };
  if (admit === null) send();
  else void sendOnceAdmitted(client, admit, { send, end, isOver: () => isOver });
  pipeline(upstream, client, directionEnded('upstream'));
}

interface HeldDirection {
  readonly send: () => void;
  readonly end: (broken: 'client' | null) => void;
  readonly isOver: () => boolean;
}

async function sendOnceAdmitted(
  client: Socket,
  admit: () => Promise<boolean>,
  { send, end, isOver }: HeldDirection,
): Promise<void> {
  const onClose = (): void => {
    end('client');
  };
  client.once('close', onClose);
  const isAdmitted = await admit();
  client.off('close', onClose);
  if (isOver()) return;
  if (isAdmitted) send();
  else end(null);
}
