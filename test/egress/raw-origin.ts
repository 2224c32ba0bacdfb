/**
 * An origin that speaks raw bytes: records what arrives on each connection and answers with what a test
 * says, so that faults can be placed at every point of an exchange.
 */
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { TlsOptions } from 'node:tls';

export interface OriginConnectionRecord {
  readonly index: number;
  readonly socket: Socket;
  received: string;
  /** The client half-closed or is gone. */
  isClosed: boolean;
}

export interface RawOrigin {
  readonly port: number;
  readonly connections: OriginConnectionRecord[];
  close(): Promise<void>;
}

/** `onBytes` is called with every arrival; the record holds all bytes so far. */
export type OnBytes = (connection: OriginConnectionRecord, chunk: string) => void;

export async function startRawOrigin(
  onBytes: OnBytes,
  options: { readonly tls?: TlsOptions; readonly host?: string; readonly port?: number } = {},
): Promise<RawOrigin> {
  const connections: OriginConnectionRecord[] = [];
  const onConnection = (socket: Socket): void => {
    const record = { index: connections.length, socket, received: '', isClosed: false };
    connections.push(record);
    socket.on('error', () => undefined);
    const onGone = (): void => {
      record.isClosed = true;
    };
    socket.on('close', onGone).on('end', onGone);
    socket.on('data', (chunk: Buffer) => {
      const text = chunk.toString('latin1');
      record.received += text;
      onBytes(record, text);
    });
  };
  const server: Server =
    options.tls === undefined
      ? createServer({ allowHalfOpen: true }, onConnection)
      : createTlsServer(options.tls, onConnection);
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    close: () => {
      for (const { socket } of connections) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** Answers each complete bodyless request with `answer`. */
export function answering(
  answer: string | ((record: OriginConnectionRecord, count: number) => string | null),
): OnBytes {
  const counts = new Map<number, number>();
  return (record, chunk) => {
    if (!chunk.endsWith('\r\n\r\n')) return;
    const count = (counts.get(record.index) ?? 0) + 1;
    counts.set(record.index, count);
    const text = typeof answer === 'string' ? answer : answer(record, count);
    if (text !== null) record.socket.write(text, 'latin1');
  };
}

export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
