/**
 * The listener of the control plane: sockets and limits around an `AdminHandler`. The only file of the
 * plane that knows ports. Plain HTTP on loopback by default, TLS where a certificate is given.
 */
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getRequestListener, RequestError } from '@hono/node-server';
import { ControlError, StartError } from '../src/kernel/errors.ts';
import type { Limits } from '../src/kernel/limits.ts';
import type { Logger } from '../src/kernel/logger.ts';
import type { AdminHandler } from './handler.ts';
import { respondFailure } from './respond.ts';

export interface AdminListenOptions {
  readonly handler: AdminHandler;
  /** `host: null`: every address. */
  readonly listen: { readonly host: string | null; readonly port: number };
  /** Which setting `listen` came from, to be named when the address cannot be had. */
  readonly setting?: 'admin.listen' | 'metrics.listen';
  /** PEM texts. */
  readonly tls?: { readonly certPem: string; readonly keyPem: string } | null;
  readonly logger: Logger;
  readonly limits: Pick<Limits, 'headTimeoutMs' | 'idleTimeoutMs' | 'headBytesMax'>;
}

export interface AdminListener {
  /** `HOST:PORT`, IPv6 in brackets. */
  readonly address: string;
  /** Lets requests in flight finish, for at most two seconds. */
  close(): Promise<void>;
}

const CONNECTIONS_MAX = 1_024;
/** From the first byte to the last of a request: bounds a body that trickles in. */
const REQUEST_TIMEOUT_MS = 60_000;
const DRAIN_MS = 2_000;

/** StartError when the address cannot be had. */
export async function startAdmin(options: AdminListenOptions): Promise<AdminListener> {
  const { handler, logger, limits } = options;
  const listener = getRequestListener(
    (request, { incoming }) => handler(request, { address: incoming.socket.remoteAddress ?? '' }),
    {
      overrideGlobalObjects: false,
      errorHandler: (error) => respondFailure(readFault(error), '-', logger),
    },
  );
  const serverOptions = {
    headersTimeout: limits.headTimeoutMs,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: limits.idleTimeoutMs,
    maxHeaderSize: limits.headBytesMax,
  };
  const onRequest = (...parts: Parameters<typeof listener>): void => {
    listener(...parts).catch((cause: unknown) => {
      logger.error({ err: cause }, 'the admin listener failed');
      parts[1].destroy();
    });
  };
  const server: Server = options.tls
    ? createTlsServer(
        {
          ...serverOptions,
          cert: options.tls.certPem,
          key: options.tls.keyPem,
          minVersion: 'TLSv1.2',
        },
        onRequest,
      )
    : createServer(serverOptions, onRequest);
  server.maxConnections = CONNECTIONS_MAX;
  await listen(server, options);
  return { address: formatAddress(server), close: () => close(server) };
}

async function listen(server: Server, options: AdminListenOptions): Promise<void> {
  const {
    listen: { host, port },
    setting = 'admin.listen',
  } = options;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(host === null ? { port } : { host, port }, resolve);
  try {
    await promise;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const subject = setting === 'admin.listen' ? 'The admin API' : 'The metrics listener';
    throw new StartError(
      `${subject} cannot listen on ${host ?? '*'}:${port}: ${code ?? message}.`,
      `Choose another address with ${setting}, or stop what listens there.`,
      { cause },
    );
  }
  server.removeListener('error', reject);
}

/** What could not be made into a Request at all: a Host or target that is none. */
function readFault(error: unknown): unknown {
  if (!(error instanceof RequestError)) return error;
  return new ControlError('bad_request', { message: 'The request is malformed.', cause: error });
}

async function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await promise;
  clearTimeout(timer);
}

function formatAddress(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}
