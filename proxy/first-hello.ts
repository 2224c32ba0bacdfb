/**
 * Waits for the ClientHello a client sends first and puts every byte back: what is read here still goes to
 * whoever reads the socket next. The time runs from the client's first byte, so a protocol in which the
 * server speaks first is not hurried.
 */
import type { Socket } from 'node:net';
import { readClientHello } from '../src/wire/client-hello.ts';
import type { HelloReading } from '../src/wire/client-hello.ts';

/** `silent`: the client ended without a byte. */
export type FirstHello =
  | Exclude<HelloReading, { kind: 'incomplete' }>
  | { readonly kind: 'silent' };

/** Resolves once; never when the socket breaks. Never rejects. */
export function readFirstHello(socket: Socket, timeoutMs: number): Promise<FirstHello> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let timer: NodeJS.Timeout | undefined;
    const finish = (found: FirstHello): void => {
      clearTimeout(timer);
      socket.off('readable', onReadable);
      socket.off('end', onEnd);
      socket.off('close', onClose);
      if (chunks.length > 0 && !socket.readableEnded) socket.unshift(Buffer.concat(chunks));
      resolve(found);
    };
    const onReadable = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      timer ??= setTimeout(onSlow, timeoutMs);
      chunks.push(chunk);
      const reading = readClientHello(chunks.length === 1 ? chunk : Buffer.concat(chunks));
      if (reading.kind !== 'incomplete') finish(reading);
    };
    const onEnd = (): void => {
      finish(chunks.length === 0 ? { kind: 'silent' } : cutShort('it breaks off'));
    };
    const onSlow = (): void => {
      finish(cutShort('it took too long'));
    };
    const onClose = (): void => {
      clearTimeout(timer);
    };
    socket.on('readable', onReadable);
    socket.once('end', onEnd);
    socket.once('close', onClose);
    onReadable();
  });
}

function cutShort(reason: string): FirstHello {
  return { kind: 'malformed', reason };
}
