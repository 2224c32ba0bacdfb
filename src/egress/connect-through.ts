/**
 * One CONNECT to a parent proxy on a connection to it (RFC 9110 9.3.6): after a 2xx the socket leads to the
 * far end, and what that said first is back in it. Credentials are written once and kept nowhere.
 */
import { request as startRequest } from 'node:http';
import type { ClientRequest } from 'node:http';
import type { Socket } from 'node:net';
import { Refusal } from '../kernel/errors.ts';
import type { Hidden } from '../kernel/hidden.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Limits } from '../kernel/limits.ts';
import { formatBasicCredentials } from '../wire/basic-credentials.ts';
import { connectRefusal, timeoutRefusal } from './dial-fault.ts';
import { abortError } from './race-addresses.ts';
import { SocketAgent } from './socket-agent.ts';

export interface ParentCredentials {
  readonly username: string;
  readonly password: Hidden;
  /** They went out. */
  readonly onSent: () => void;
}

/** The parent answered, and not with a tunnel. */
export class ParentAnswer extends Refusal {
  readonly mayReachAnother: boolean;

  constructor(status: number) {
    super('upstream_unreachable', {
      message: `The parent proxy answered ${status} to the CONNECT for this host.`,
      hint:
        status === 407
          ? 'The operator has to correct egress.parent_proxy.username and egress.parent_proxy.password_secret.'
          : 'The parent proxy refuses this host, or does not reach it.',
      proxyError: 'destination_ip_unroutable',
      auditDetail: `parent proxy: ${status}`,
    });
    this.mayReachAnother = status >= 502 && status <= 504;
  }
}

export interface ConnectPlan extends Pick<Limits, 'connectTimeoutMs'> {
  readonly authority: string;
  readonly credentials: ParentCredentials | null;
  readonly signal: AbortSignal | undefined;
}

/** After this the socket leads to the origin. Leaves destroying it to the caller. */
export function connectThrough(socket: Socket, plan: ConnectPlan): Promise<void> {
  const { signal } = plan;
  return new Promise((resolve, reject) => {
    const finish = (error?: Error): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onAbort = (): void => finish(abortError(signal));
    const timer = setTimeout(
      () => finish(timeoutRefusal('connect', { peer: 'parent proxy' })),
      plan.connectTimeoutMs,
    );
    if (signal?.aborted === true) {
      onAbort();
      return;
    }
    signal?.addEventListener('abort', onAbort);
    startConnect(socket, plan)
      .once('connect', ({ statusCode = 0 }, _, firstBytes) => {
        if (firstBytes.length > 0) socket.unshift(firstBytes);
        finish(statusCode >= 200 && statusCode < 300 ? undefined : new ParentAnswer(statusCode));
      })
      .on('error', (error) => finish(connectRefusal(error, 'parent proxy')))
      .on('close', () => finish(connectRefusal({ code: 'ECONNRESET' }, 'parent proxy')));
  });
}

function startConnect(socket: Socket, { authority, credentials }: ConnectPlan): ClientRequest {
  const headers = ['Host', authority];
  if (credentials !== null) {
    const { username, password } = credentials;
    headers.push('Proxy-Authorization', formatBasicCredentials(username, password.reveal()));
  }
  const request = startRequest({
    agent: new SocketAgent(socket),
    method: 'CONNECT',
    path: authority,
    headers,
    setHost: false,
    maxHeaderSize: FIXED.parentHeadBytesMax,
  });
  request.end();
  credentials?.onSent();
  return request;
}
