/**
 * HTTP/2 load from this process: so many sessions, so many streams at once on each, a closed loop. Its own
 * CPU is not what is measured. An error or a status other than 200 makes the run invalid.
 */
import { once } from 'node:events';
import http2 from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { sendConnect } from '../test/support/client.ts';
import type { Contender } from './stage.ts';

export interface Http2LoadPlan {
  readonly contender: Contender;
  readonly ca: string;
  readonly sessions: number;
  readonly streams: number;
  readonly seconds: number;
}

/** Requests answered. */
export async function runHttp2Load(plan: Http2LoadPlan): Promise<number> {
  const sessions = await Promise.all(
    Array.from({ length: plan.sessions }, () => openSession(plan.contender, plan.ca)),
  );
  const untilMs = performance.now() + plan.seconds * 1_000;
  const url = new URL(plan.contender.url);
  const authority = plan.contender.host ?? url.host;
  let requests = 0;
  const work = async (session: ClientHttp2Session): Promise<void> => {
    while (performance.now() < untilMs) {
      const stream = session.request({ ':path': url.pathname, ':authority': authority });
      const [head] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
      if (Number(head[':status']) !== 200) throw new Error(`answered ${String(head[':status'])}`);
      stream.resume();
      await once(stream, 'end');
      requests += 1;
    }
  };
  await Promise.all(
    sessions.flatMap((session) => Array.from({ length: plan.streams }, () => work(session))),
  );
  for (const session of sessions) session.destroy();
  return requests;
}

async function openSession(contender: Contender, ca: string): Promise<ClientHttp2Session> {
  const url = new URL(contender.url);
  const host = contender.host ?? url.hostname;
  const socket = await openSocket(contender, host);
  const secure = tls.connect({ socket, servername: host, ca, ALPNProtocols: ['h2'] });
  await once(secure, 'secureConnect');
  if (secure.alpnProtocol !== 'h2') throw new Error(`${contender.name}: h2 was not agreed on`);
  return http2.connect(`https://${host}`, { createConnection: () => secure });
}

async function openSocket(contender: Contender, host: string): Promise<net.Socket> {
  if (contender.proxy === undefined) {
    const socket = net.connect(Number(new URL(contender.url).port), '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  }
  const proxy = new URL(contender.proxy);
  const { response, connection } = await sendConnect({
    proxy: { host: proxy.hostname, port: Number(proxy.port) },
    authority: `${host}:443`,
    token: decodeURIComponent(proxy.password),
  });
  if (response.status !== 200) throw new Error(`CONNECT: ${response.status}`);
  connection.socket.removeAllListeners('data');
  return connection.socket;
}
