/**
 * An exchange whose answer must be readable, so that it can be masked: what the origin compressed all the
 * same is decoded on the way. Between the egress seam and whoever forwards; an exchange to the one and an
 * observer to the other, with backpressure both ways. A body that does not decode ends the exchange.
 */
import type { Transform } from 'node:stream';
import type {
  UpstreamExchange,
  UpstreamObserver,
  UpstreamResponseHead,
} from '../src/egress/upstream.ts';
import { Refusal } from '../src/kernel/errors.ts';
import { contentCodings, decodedFields } from '../src/wire/content-codings.ts';
import { decoderFor } from './content-decoder.ts';
import type { DecoderRoom, GiveBack } from './content-decoder.ts';
import type { DataPlane } from './data-plane.ts';
import type { Prepared } from './exchange-context.ts';

class DecodedExchange implements UpstreamObserver, UpstreamExchange {
  readonly #observer: UpstreamObserver;
  readonly #method: string;
  readonly #sandboxId: string;
  readonly #room: DecoderRoom;
  #exchange: UpstreamExchange | null = null;
  #coding: string | null = null;
  #giveBack: GiveBack | undefined;
  #decoder: Transform | null = null;
  #trailers: readonly string[] | null = null;
  /** The coded stream has ended; the origin may not have. */
  #isDecoded = false;
  #isOver = false;

  constructor(
    observer: UpstreamObserver,
    { method, origin }: Prepared['request'],
    room: DecoderRoom,
  ) {
    this.#observer = observer;
    this.#method = method;
    this.#sandboxId = origin.sandboxId;
    this.#room = room;
  }

  /** The exchange that this one observes. */
  attach(exchange: UpstreamExchange): void {
    this.#exchange = exchange;
  }

  resume(): void {
    if (this.#decoder === null) this.#exchange?.resume();
    else this.#decoder.resume();
  }

  abort(http2ErrorCode?: number): void {
    this.#finish();
    this.#exchange?.abort(http2ErrorCode);
  }

  onHeadWritten(): void {
    this.#observer.onHeadWritten();
  }

  onInformation(head: UpstreamResponseHead): void {
    this.#observer.onInformation(head);
  }

  onResponse(head: UpstreamResponseHead): void {
    const coding = readCoding(head);
    if (coding === null) {
      this.#observer.onResponse(head);
      return;
    }
    if (this.#method !== 'HEAD') {
      this.#giveBack = this.#room.take(this.#sandboxId, coding);
      if (this.#giveBack === undefined) {
        this.#exchange?.abort();
        this.#fail(new Refusal('too_many_connections', { message: FULL }));
        return;
      }
      this.#coding = coding;
    }
    this.#observer.onResponse({ ...head, fields: decodedFields(head.fields) });
  }

  onData(chunk: Buffer): boolean {
    if (this.#coding === null) return this.#observer.onData(chunk);
    // What some servers send after the end of the coded stream is part of nothing.
    if (this.#isOver || this.#isDecoded || chunk.length === 0) return true;
    this.#decoder ??= this.#openDecoder(this.#coding, chunk[0] ?? 0);
    return this.#decoder.write(chunk);
  }

  onEnd(trailers: readonly string[]): void {
    if (this.#coding === null) {
      this.#observer.onEnd(trailers);
      return;
    }
    if (this.#isOver) return;
    this.#trailers = decodedFields(trailers);
    // No byte at all is no body, whatever its coding.
    if (this.#decoder === null || this.#isDecoded) this.#end();
    else this.#decoder.end();
  }

  onFailure(refusal: Refusal, http2ErrorCode?: number): void {
    if (this.#isOver) return;
    this.#finish();
    this.#observer.onFailure(refusal, http2ErrorCode);
  }

  #openDecoder(coding: string, firstByte: number): Transform {
    const decoder = decoderFor(coding)?.(firstByte);
    if (decoder === undefined) throw new Error('a coding that was chosen has a decoder');
    decoder.on('data', (chunk: Buffer) => {
      if (!this.#isOver && !this.#observer.onData(chunk)) decoder.pause();
    });
    decoder.on('drain', () => this.#exchange?.resume());
    decoder.on('end', () => {
      this.#isDecoded = true;
      if (this.#trailers !== null) this.#end();
      else this.#exchange?.resume();
    });
    decoder.on('error', () => {
      if (this.#isOver) return;
      this.#exchange?.abort();
      this.#fail(new Refusal('upstream_protocol_error', { message: UNDECODABLE }));
    });
    return decoder;
  }

  #end(): void {
    if (this.#isOver) return;
    this.#finish();
    this.#observer.onEnd(this.#trailers ?? []);
  }

  #fail(refusal: Refusal): void {
    this.#finish();
    this.#observer.onFailure(refusal);
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#decoder?.destroy();
    this.#giveBack?.();
  }
}

/** Sends a request; the answer comes decoded where values are looked for in it. */
export function dispatchPrepared(
  plane: Pick<DataPlane, 'upstream' | 'decoders'>,
  { request, mask }: Pick<Prepared, 'request' | 'mask'>,
  observer: UpstreamObserver,
): UpstreamExchange {
  return dispatchReadable(plane, { request, mask }, observer, (readable) =>
    plane.upstream.dispatch(request, readable),
  );
}

/** The same for what is sent another way. */
export function dispatchReadable(
  { decoders }: Pick<DataPlane, 'decoders'>,
  { request, mask }: Pick<Prepared, 'request' | 'mask'>,
  observer: UpstreamObserver,
  dispatch: (observer: UpstreamObserver) => UpstreamExchange,
): UpstreamExchange {
  if (mask === undefined || mask.matcher === null) return dispatch(observer);
  const decoded = new DecodedExchange(observer, request, decoders);
  decoded.attach(dispatch(decoded));
  return decoded;
}

const FULL = 'Too many compressed responses are being decoded for masking.';
const UNDECODABLE = 'The origin sent a body that is not in the coding it names.';

/** The coding to undo; `null` where there is none, no body, a part of one, or a coding not known here. */
function readCoding({ status, fields }: UpstreamResponseHead): string | null {
  if (status === 204 || status === 304 || status === 206) return null;
  const codings = contentCodings(fields);
  const [coding] = codings;
  if (coding === undefined || codings.length > 1 || decoderFor(coding) === undefined) return null;
  return coding;
}
