/**
 * Starts the data plane: its listeners, inner server, policy watch. Closing it drains: no new connections or
 * requests, exchanges in flight and tunnels in which bytes move may finish up to the drain time, then
 * everything is ended.
 */
import type { AddressInfo, Server } from 'node:net';
import { StartError } from '../src/kernel/errors.ts';
import { FIXED } from '../src/kernel/limits.ts';
import type { DataPlane } from './data-plane.ts';
import { InnerServer } from './inner-server.ts';
import { Listener } from './listener.ts';
import { startPolicyWatch } from './policy-watch.ts';
import { createTlsListener } from './tls-listener.ts';
import type { ContextChoice } from './tls-listener.ts';
import { UnknownTokenWatch } from './unknown-token-watch.ts';

export interface ListenAddress {
  /** `null`: every address, IPv4 and IPv6. */
  readonly host: string | null;
  readonly port: number;
}

/** The listener over TLS. */
export interface TlsListenPlan extends ListenAddress {
  readonly contextFor: ContextChoice;
  /** Its names in an absolute-form target. */
  readonly names: readonly string[];
}

export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

export interface RunningProxy {
  readonly address: BoundAddress;
  /** `null`: there is no listener over TLS. */
  readonly tlsAddress: BoundAddress | null;
  /** Drains and ends. Calling it again ends at once. */
  close(): Promise<void>;
}

const DRAIN_POLL_MS = 20;

/** Rejects with StartError when an address cannot be listened on. */
export async function startProxy(
  plane: DataPlane,
  listen: ListenAddress,
  tls: TlsListenPlan | null = null,
): Promise<RunningProxy> {
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
  const address = await listenOn(listener.server, listen, 'proxy.listen');
  ownHosts.add(address.host);
  const tlsServer = tls === null ? null : openTls(plane, listener, tls);
  let tlsAddress: BoundAddress | null = null;
  if (tls !== null && tlsServer !== null) {
    try {
      tlsAddress = await listenOn(tlsServer, tls, 'proxy.tls_listen');
    } catch (error) {
      listener.server.close();
      inner.close();
      throw error;
    }
    for (const name of [...tls.names, tlsAddress.host]) ownHosts.add(name);
  }
  const stopWatch = startPolicyWatch(plane);

  async function drain(): Promise<void> {
    isDraining = true;
    listener.server.close();
    tlsServer?.close();
    listener.server.closeIdleConnections();
    inner.drain();
    const busy = new BusyWatch(plane);
    const deadlineMs = plane.clock.monotonicMs() + plane.limits.drainTimeoutMs;
    while (busy.isBusy() && plane.clock.monotonicMs() < deadlineMs) {
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
    tlsAddress,
    close: () => {
      if (closing !== null) isForced = true;
      closing ??= drain();
      return closing;
    },
  };
}

/**
 * Whether something is on its way: an exchange, or bytes in a tunnel. Nobody knows what a tunnel carries, so
 * one in which nothing moves for a while is taken for idle.
 */
class BusyWatch {
  readonly #plane: Pick<DataPlane, 'open' | 'clock'>;
  #bytes: number;
  #movedMs: number;

  constructor(plane: Pick<DataPlane, 'open' | 'clock'>) {
    this.#plane = plane;
    this.#bytes = plane.open.tunnelledBytes();
    this.#movedMs = plane.clock.monotonicMs();
  }

  isBusy(): boolean {
    const { clock, open } = this.#plane;
    const bytes = open.tunnelledBytes();
    const nowMs = clock.monotonicMs();
    if (bytes !== this.#bytes) this.#movedMs = nowMs;
    this.#bytes = bytes;
    if (open.exchangeCount() > 0) return true;
    return bytes > 0 && nowMs - this.#movedMs < FIXED.tunnelQuietMs;
  }
}

function openTls(plane: DataPlane, listener: Listener, tls: TlsListenPlan): Server {
  return createTlsListener({
    contextFor: tls.contextFor,
    limits: plane.limits,
    logger: plane.logger,
    admit: (socket) => listener.admit(socket),
    serve: (secured) => {
      listener.serveSecured(secured);
    },
  });
}

function listenOn(server: Server, listen: ListenAddress, setting: string): Promise<BoundAddress> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new StartError(
          `The proxy cannot listen on ${listen.host ?? '*'}:${listen.port}: ${error.code ?? error.message}.`,
          `Choose another address with ${setting}, or stop what listens there.`,
          { cause: error },
        ),
      );
    });
    const onListening = (): void => {
      const bound = server.address() as AddressInfo;
      resolve({ host: bound.address, port: bound.port });
    };
    if (listen.host === null) server.listen(listen.port, onListening);
    else server.listen(listen.port, listen.host, onListening);
  });
}
