/**
 * Decodes a body that an origin compressed although it was asked not to: gzip, deflate, br, zstd (RFC 9110
 * 8.4.1, 7932, 8878). Streams: what can be decoded comes out at once, whatever the origin flushed; memory
 * is bounded by the window of the coding, however much comes out.
 */
import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { FIXED } from '../src/kernel/limits.ts';

const { Z_SYNC_FLUSH, BROTLI_OPERATION_FLUSH, ZSTD_e_flush, ZSTD_d_windowLogMax } = zlib.constants;

type OpenDecoder = (firstByte: number) => Transform;

const DECODERS: Readonly<Record<string, OpenDecoder>> = {
  gzip: () => zlib.createGunzip({ flush: Z_SYNC_FLUSH }),
  'x-gzip': () => zlib.createGunzip({ flush: Z_SYNC_FLUSH }),
  // With the wrapper it should have (RFC 1950), or without, as some servers send it.
  deflate: (firstByte) =>
    (firstByte & 0x0f) === 8
      ? zlib.createInflate({ flush: Z_SYNC_FLUSH })
      : zlib.createInflateRaw({ flush: Z_SYNC_FLUSH }),
  br: () => zlib.createBrotliDecompress({ flush: BROTLI_OPERATION_FLUSH }),
  zstd: () =>
    zlib.createZstdDecompress({
      flush: ZSTD_e_flush,
      params: { [ZSTD_d_windowLogMax]: FIXED.zstdWindowBitsMax },
    }),
};

/** `undefined` for a coding that is not one of ours. The first byte tells two kinds of deflate apart. */
export function decoderFor(coding: string): OpenDecoder | undefined {
  return Object.hasOwn(DECODERS, coding) ? DECODERS[coding] : undefined;
}

/** Gives the room back; once. */
export type GiveBack = () => void;

/**
 * What the bodies decoded at once may take in memory (I7): the largest window of each one's coding, since
 * the stream says how large it is only when it is too late to refuse. One sandbox gets a quarter, so that
 * it cannot keep the others from theirs.
 */
export class DecoderRoom {
  readonly #bytesMax: number;
  readonly #bytesOf = new Map<string, number>();
  #bytes = 0;

  constructor(bytesMax: number = FIXED.responseDecoderBytesMax) {
    this.#bytesMax = bytesMax;
  }

  /** `undefined` when there is none for this sandbox. `coding`: one that `decoderFor` knows. */
  take(sandboxId: string, coding: string): GiveBack | undefined {
    const bytes = WINDOW_BYTES[coding] ?? this.#bytesMax;
    const own = this.#bytesOf.get(sandboxId) ?? 0;
    if (own + bytes > this.#bytesMax / 4 || this.#bytes + bytes > this.#bytesMax) return undefined;
    this.#bytes += bytes;
    this.#bytesOf.set(sandboxId, own + bytes);
    return () => {
      this.#bytes -= bytes;
      const left = (this.#bytesOf.get(sandboxId) ?? bytes) - bytes;
      if (left === 0) this.#bytesOf.delete(sandboxId);
      else this.#bytesOf.set(sandboxId, left);
    };
  }
}

const KIB = 1024;

/** The largest the coding may ask for (RFC 1951, 7932 9.1, `zstdWindowBitsMax`), with what is around it. */
const WINDOW_BYTES: Readonly<Record<string, number>> = {
  gzip: 128 * KIB,
  'x-gzip': 128 * KIB,
  deflate: 128 * KIB,
  br: 16 * KIB * KIB,
  zstd: 2 ** FIXED.zstdWindowBitsMax,
};
