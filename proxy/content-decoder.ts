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

/** How many bodies may be decoded at once (I7): `FIXED.responseDecodersMax`. */
export class DecoderRoom {
  readonly #max: number;
  #taken = 0;

  constructor(max: number = FIXED.responseDecodersMax) {
    this.#max = max;
  }

  /** False when it is full. */
  take(): boolean {
    if (this.#taken >= this.#max) return false;
    this.#taken += 1;
    return true;
  }

  give(): void {
    this.#taken -= 1;
  }
}
