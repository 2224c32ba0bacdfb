/**
 * WebSocket upgrades (spec section 8): the same life as every request up to the last step, so the
 * handshake carries the injected credential and is refused like anything else. After the 101 both sockets
 * are joined; the exchange ends when they do.
 */
import { ServerResponse } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { UpgradeObserver } from '../src/egress/upgrade-exchange.ts';
import type { UpstreamObserver, UpstreamResponseHead } from '../src/egress/upstream.ts';
import { dispatchReadable } from './decoded-exchange.ts';
import { openRecord, prepareExchange, refuseExchange } from './exchange.ts';
import type { ExchangeContext, Prepared } from './exchange-context.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { Forwarding } from './forward.ts';
import { Http1Client } from './http1-client.ts';
import { cutOffAfterEnd } from './http1-connection.ts';
import { switchingHead } from './masked-response.ts';
import type { SwitchingHead } from './masked-response.ts';
import { clientFields } from './response-fields.ts';
import { joinSockets } from './tunnel.ts';

/** Serves one upgrade request whose socket was detached from its server. Never rejects. */
export function serveUpgrade(
  context: ExchangeContext,
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
): void {
  socket.on('error', ignore);
  // Frames sent ahead of the 101 stay in the stream until the sockets are joined.
  if (head.length > 0) socket.unshift(head);
  const client = clientOn(request, socket, context.plane.limits.bodySilenceTimeoutMs);
  const record = openRecord(context, client);
  dispatchUpgrade(context, client, record, socket).catch((error: unknown) => {
    refuseExchange(context, client, record, error);
  });
}

async function dispatchUpgrade(
  context: ExchangeContext,
  client: Http1Client,
  record: ExchangeRecord,
  socket: Socket,
): Promise<void> {
  const prepared = await prepareExchange(context, client, record);
  if (record.isClosed) return;
  // From here on, so that a secret taken away during the handshake ends it like what it would open.
  record.kind = 'upgraded';
  const forwarding = new Forwarding(context, client, record, prepared);
  const observerOf = (answer: UpstreamObserver): UpgradeObserver => ({
    onHeadWritten: () => {
      answer.onHeadWritten();
    },
    onInformation: (information) => {
      answer.onInformation(information);
    },
    onResponse: (response) => {
      answer.onResponse(response);
    },
    onData: (chunk) => answer.onData(chunk),
    onEnd: (trailers) => {
      answer.onEnd(trailers);
    },
    onFailure: (refusal) => {
      answer.onFailure(refusal);
    },
    onUpgrade: (response, upstream, firstBytes) => {
      if (record.isClosed) {
        upstream.destroy();
        return;
      }
      forwarding.noteAnswer(response);
      switchProtocols(context, record, prepared, { response, socket, upstream, firstBytes });
    },
  });
  const { plane } = context;
  forwarding.attach(
    dispatchReadable(plane, prepared, forwarding, (answer) =>
      plane.upgrades.dispatch(prepared.request, observerOf(answer)),
    ),
  );
}

/** The origin said 101: its head, both sockets, and what came behind the head. */
interface Switch {
  readonly response: UpstreamResponseHead;
  readonly socket: Socket;
  readonly upstream: Duplex;
  readonly firstBytes: Buffer;
}

function switchProtocols(
  context: ExchangeContext,
  record: ExchangeRecord,
  prepared: Prepared,
  { response, socket, upstream, firstBytes }: Switch,
): void {
  const { plane } = context;
  record.status = response.status;
  // Of several addresses the one that answered: rules that narrow are asked about it.
  record.address = plane.dialer.addressOf(upstream) ?? record.address;
  record.cancelUpstream = () => upstream.destroy();
  const fields = clientFields(response.fields, context.isIntercepted);
  const reason = response.statusText || 'Switching Protocols';
  socket.write(rawSwitchingHead(switchingHead(reason, fields, prepared.mask)), 'latin1');
  if (firstBytes.length > 0) upstream.unshift(firstBytes);
  plane.metrics.connectionOpened('upgraded');
  joinSockets(socket, upstream, {
    silenceTimeoutMs: plane.limits.tunnelSilenceTimeoutMs,
    admit: null,
    onEnd: (broken) => {
      plane.metrics.connectionClosed('upgraded');
      if (broken === 'upstream') record.code ??= 'upstream_aborted';
      if (broken === 'client') record.code ??= 'client_aborted';
      record.close();
    },
  });
}

function rawSwitchingHead({ reason, fields }: SwitchingHead): string {
  let head = `HTTP/1.1 101 ${reason}\r\n`;
  head += 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
  for (let i = 0; i + 1 < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return `${head}\r\n`;
}

/** The server let go of the socket; a response object of our own answers when there is no upgrade. */
function clientOn(
  request: IncomingMessage,
  socket: Socket,
  bodySilenceTimeoutMs: number,
): Http1Client {
  const response = new ServerResponse(request);
  response.assignSocket(socket);
  const client = new Http1Client(request, response, {
    bodySilenceTimeoutMs,
    onLast: ignore,
    onFinished: ignore,
  });
  client.closeAfterResponse();
  response.once('finish', () => {
    response.detachSocket(socket);
    socket.end();
    cutOffAfterEnd(socket);
  });
  return client;
}

function ignore(): void {}
