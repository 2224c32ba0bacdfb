/** CONNECT and TLS by hand, so that each client can speak what it likes over the bare TLS socket. */
import { once } from 'node:events';
import http from 'node:http';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { proxyAuthorization } from '../support/client.ts';
import type { Endpoint } from '../support/client.ts';

export interface TunnelPlan {
  readonly proxy: Endpoint;
  readonly host: string;
  readonly token: string;
  readonly ca: string;
  readonly alpn: readonly string[];
}

/** Rejects with the status of a refused CONNECT in its message. */
export async function openSoakTunnel(plan: TunnelPlan): Promise<TLSSocket> {
  const request = http.request({
    host: plan.proxy.host,
    port: plan.proxy.port,
    method: 'CONNECT',
    path: `${plan.host}:443`,
    headers: { 'proxy-authorization': proxyAuthorization(plan.token) },
    agent: false,
  });
  request.end();
  const [response, socket] = (await Promise.race([
    once(request, 'connect'),
    once(request, 'response').then(([answer]) => {
      request.destroy();
      throw new Error(`CONNECT ${(answer as http.IncomingMessage).statusCode}`);
    }),
  ])) as [http.IncomingMessage, Socket];
  socket.on('error', () => {});
  if (response.statusCode !== 200) {
    socket.destroy();
    throw new Error(`CONNECT ${response.statusCode} ${response.statusMessage}`);
  }
  const secure = tls.connect({
    socket,
    ca: plan.ca,
    servername: plan.host,
    ALPNProtocols: [...plan.alpn],
  });
  secure.on('error', () => {});
  await Promise.race([
    once(secure, 'secureConnect'),
    once(secure, 'close').then(() => {
      throw new Error('the TLS handshake was cut off');
    }),
  ]);
  return secure;
}
