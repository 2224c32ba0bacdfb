/**
 * Options that every HTTP/1.1 server object of the data plane shares. Node's defaults are wrong for a
 * proxy in several places (`requestTimeout` cuts uploads, `upgrade` swallows bodies): each line says why.
 */
import type { IncomingMessage, ServerOptions } from 'node:http';
import type { Limits } from '../src/kernel/limits.ts';
import { fieldValues, hasField } from '../src/wire/field-list.ts';

export function serverOptions(limits: Limits): ServerOptions {
  return {
    maxHeaderSize: limits.headBytesMax,
    headersTimeout: limits.headTimeoutMs,
    // No cap on the time of a whole request: uploads may take hours.
    requestTimeout: 0,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: Math.max(100, Math.min(1_000, limits.headTimeoutMs / 4)),
    keepAlive: true,
    keepAliveInitialDelay: limits.tcpKeepAliveMs,
    noDelay: true,
    // A request without a body needs no stream machinery to say so.
    optimizeEmptyRequests: true,
    // `Host` is checked by us, and CONNECT comes without one from Python and socat.
    requireHostHeader: false,
  };
}

/** RFC 6455 4.2.1: GET, no body, `Upgrade: websocket` alone, key and version present. Every other is dropped. */
export function isWebSocketUpgrade(request: IncomingMessage): boolean {
  const fields = request.rawHeaders;
  if (request.method !== 'GET' || request.httpVersion !== '1.1') return false;
  const upgrades = fieldValues(fields, 'upgrade');
  if (upgrades.length !== 1 || upgrades[0]?.trim().toLowerCase() !== 'websocket') return false;
  const lengths = fieldValues(fields, 'content-length');
  if (lengths.some((length) => length !== '0') || hasField(fields, 'transfer-encoding'))
    return false;
  return hasField(fields, 'sec-websocket-key') && hasField(fields, 'sec-websocket-version');
}
