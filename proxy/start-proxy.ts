/**
 * Starts the data plane: listener, inner server, policy watch. Closing it drains: no new connections or
 * requests, exchanges in flight may finish up to the drain time, then everything is ended.
 */
import type { AddressInfo } from 'node:net';
import { StartError } from '../src/kernel/errors.ts';
import type { DataPlane } from './data-plane.ts';
import { InnerServer } from './inner-server.ts';
import { Listener } from './listener.ts';
import { startPolicyWatch } from './policy-watch.ts';
import { UnknownTokenWatch } from './unknown-token-watch.ts';

export interface ListenAddress {
  /** `null`: every address, IPv4 and IPv6. */
  readonly host: string | null;
  readonly port: number;
}

export interface RunningProxy {
  readonly address: { readonly host: string; readonly port: number };
  /** Drains and ends. Calling it again ends at once. */
  close(): Promise<void>;
}

const DRAIN_POLL_MS = 20;

/** Rejects with StartError when the address cannot be listened on. */
export async function startProxy(plane: DataPlane, listen: ListenAddress): Promise<RunningProxy> {
  let isDraining = false;
  const inner = new InnerServer(plane.limits);
  const ownHosts = new Set(['localhost', '127.0.0.1', '::1']);
  const listener = new Listener(
    {
      plane,
      inner,
      watch: new UnknownTokenWatch(plane.clock),
      isDraining: () => isDraining,
    },
    ownHosts,
  );
  const address = await listenOn(listener, listen);
  ownHosts.add(address.host);
  const stopWatch = startPolicyWatch(plane);

  async function drain(): Promise<void> {
    isDraining = true;
    listener.server.close();
    listener.server.closeIdleConnections();
    inner.drain();
    const deadlineMs = plane.clock.monotonicMs() + plane.limits.drainTimeoutMs;
    while (plane.open.exchangeCount() > 0 && plane.clock.monotonicMs() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
      if (isForced) break;
    }
    stopWatch();
    inner.close();
    await listener.destroyAll();
  }

  let isForced = false;
  let closing: Promise<void> | null = null;
  return {
    address,
    close: () => {
      if (closing !== null) isForced = true;
      closing ??= drain();
      return closing;
    },
  };
}

function listenOn(
  listener: Listener,
  listen: ListenAddress,
): Promise<{ host: string; port: number }> {
  return new Promise((resolve, reject) => {
    listener.server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new StartError(
          `The proxy cannot listen on ${listen.host ?? '*'}:${listen.port}: ${error.code ?? error.message}.`,
          'Choose another address with proxy.listen, or stop what listens there.',
          { cause: error },
        ),
      );
    });
    const onListening = (): void => {
      const bound = listener.server.address() as AddressInfo;
      resolve({ host: bound.address, port: bound.port });
    };
    if (listen.host === null) listener.server.listen(listen.port, onListening);
    else listener.server.listen(listen.port, listen.host, onListening);
  });
}
