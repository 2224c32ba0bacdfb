/**
 * Options of HTTP/2 connections of clients. Node's defaults leave most floods to the machine's memory:
 * every bound is set here, from `limits.ts`.
 */
import type { ServerOptions } from 'node:http2';
import { FIXED } from '../src/kernel/limits.ts';
import type { Limits } from '../src/kernel/limits.ts';

/** What is refused with an answer must first be received; what is larger than that is reset. */
const RECEIVED_PER_ALLOWED = 2;
/** HPACK's estimate of a block is larger than its lines. */
const SENT_PER_RECEIVED = 4;

export function http2Options(limits: Limits): ServerOptions {
  return {
    settings: {
      maxConcurrentStreams: limits.http2StreamsMax,
      initialWindowSize: FIXED.http2ClientStreamWindowBytes,
      maxHeaderListSize: limits.headBytesMax * RECEIVED_PER_ALLOWED,
      // No WebSocket over HTTP/2 (RFC 8441): such clients open a connection of their own for it.
      enableConnectProtocol: false,
    },
    maxHeaderListPairs: limits.headFieldsMax * RECEIVED_PER_ALLOWED,
    maxSendHeaderBlockLength: limits.headBytesMax * SENT_PER_RECEIVED,
    maxSessionMemory: FIXED.http2SessionMemoryMb,
    maxSettings: FIXED.http2SettingsMax,
    maxSessionInvalidFrames: FIXED.http2InvalidFramesMax,
    maxSessionRejectedStreams: FIXED.http2RejectedStreamsMax,
    streamResetBurst: FIXED.http2ResetBurst * 2,
    streamResetRate: FIXED.http2ResetsPerSecond * 2,
    // What an origin sends twice the client gets twice.
    strictSingleValueFields: false,
  };
}
