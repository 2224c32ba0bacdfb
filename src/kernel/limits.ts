/**
 * Every bound in the product: name (unit last), default, reason. Nothing that is held in memory or kept
 * open without traffic is outside this table (I7). `Limits` is what the `limits:` block of the settings
 * overrides; `FIXED` is what the wire formats and the spec fix for everybody.
 */
export interface Limits {
  /** Client connections to the proxy at once; beyond: `too_many_connections`. */
  readonly connectionsMax: number;
  /** The same for one sandbox, so that one cannot starve the others. */
  readonly connectionsPerSandboxMax: number;
  /** Bytes of one request head, request line included. */
  readonly headBytesMax: number;
  /** Field lines in one head. */
  readonly headFieldsMax: number;
  /** A started head must be complete within this time: bounds slow-loris, outside and inside tunnels. */
  readonly headTimeoutMs: number;
  readonly tlsHandshakeTimeoutMs: number;
  /** A connection with no request on it. */
  readonly idleTimeoutMs: number;
  /** A tunnel or an upgraded connection with no byte in either direction. */
  readonly tunnelSilenceTimeoutMs: number;
  readonly tcpKeepAliveMs: number;
  readonly dnsTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** From the request's end to the response head. Calls to language models are slow. */
  readonly responseHeadTimeoutMs: number;
  /** Silence inside a request or response body. There is no cap on total time or size. */
  readonly bodySilenceTimeoutMs: number;
  /** How long a shutdown waits for exchanges in flight. */
  readonly drainTimeoutMs: number;
  readonly leafLifeMs: number;
  readonly leafCacheMax: number;
  readonly upstreamConnectionsPerPoolMax: number;
  readonly upstreamConnectionsMax: number;
  /** An unused connection to an origin that announced no `Keep-Alive: timeout`. */
  readonly upstreamIdleTimeoutMs: number;
  /** Streams at once on one HTTP/2 connection; one sandbox takes a quarter of those to an origin. */
  readonly http2StreamsMax: number;
  /** DNS look-ups one sandbox may have in flight. */
  readonly dnsLookupsPerSandboxMax: number;
  readonly dnsCacheMax: number;
  /** Events the audit trail holds in memory before it drops or refuses. */
  readonly auditQueueMax: number;
  /** Compiled snapshots of sandboxes kept warm. */
  readonly snapshotCacheMax: number;
  /** Opened values kept warm behind permits. */
  readonly openedValuesMax: number;
  /** How long an ordinary response in flight may go on after its secret was taken away. */
  readonly inflightGraceMs: number;
  /** JSON body of one admin request. */
  readonly adminBodyBytesMax: number;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const DEFAULT_LIMITS: Limits = {
  connectionsMax: 20_000,
  connectionsPerSandboxMax: 512,
  headBytesMax: 64 * 1024,
  headFieldsMax: 256,
  headTimeoutMs: 30 * SECOND,
  tlsHandshakeTimeoutMs: 15 * SECOND,
  idleTimeoutMs: 5 * MINUTE,
  tunnelSilenceTimeoutMs: HOUR,
  tcpKeepAliveMs: 30 * SECOND,
  dnsTimeoutMs: 5 * SECOND,
  connectTimeoutMs: 10 * SECOND,
  responseHeadTimeoutMs: 10 * MINUTE,
  bodySilenceTimeoutMs: 10 * MINUTE,
  drainTimeoutMs: 30 * SECOND,
  leafLifeMs: 7 * DAY,
  leafCacheMax: 4_096,
  upstreamConnectionsPerPoolMax: 64,
  upstreamConnectionsMax: 4_096,
  upstreamIdleTimeoutMs: 30 * SECOND,
  http2StreamsMax: 128,
  dnsLookupsPerSandboxMax: 16,
  dnsCacheMax: 10_000,
  auditQueueMax: 50_000,
  snapshotCacheMax: 20_000,
  openedValuesMax: 20_000,
  inflightGraceMs: 60 * SECOND,
  adminBodyBytesMax: 1024 * 1024,
};

export const FIXED = {
  /** RFC 1035: 253 characters of name, brackets, colon, port. */
  connectAuthorityBytesMax: 259,
  /** What a tunnel's TLS hello may take before its server name is known; post-quantum ones take 2 KiB. */
  clientHelloBytesMax: 16 * 1024,
  bindingsPerSandboxMax: 32,
  /** Detached or dead bindings remembered per sandbox, so that their placeholders are refused by name. */
  tombstonesPerSandboxMax: 64,
  /** Secrets that a sandbox with `secrets_mode: all` may have; in an organization with more it is refused. */
  secretsInAllModeMax: 20_000,
  /** Organizations whose secrets are held compiled for such sandboxes. */
  organizationsInAllModeMax: 64,
  hostsPerSecretMax: 16,
  /** Longest overlap of a rotation: 7 days. */
  rotationOverlapSecondsMax: 7 * 24 * 60 * 60,
  /** `POST /secrets/{name}/test`: per organization and minute, and at once. */
  secretTestsPerMinute: 30,
  secretTestsAtOnceMax: 8,
  secretTestTimeoutMs: 20 * SECOND,
  headersPerAuthMax: 8,
  secretNameCharsMax: 128,
  /** Largest value a header can carry everywhere (nginx and Apache both stop at 8 KiB). */
  placeableValueBytesMax: 8_192,
  /** PEM of a client certificate: a chain of ten, and an RSA key of 4096 bits. */
  clientCertificateBytesMax: 32 * 1024,
  clientCertificateChainMax: 10,
  /** TLS contexts with a client certificate kept; each holds the roots again, about 1 MiB. */
  clientCertificateContextsMax: 64,
  /** Largest value the store keeps (façades store multi-line documents). */
  storedValueBytesMax: 256 * 1024,
  /** Characters of a value through a façade. */
  facadeValueCharsMax: 45_000,
  /** Rows in one statement of the trail or the usage book: longer ones block the store thread. */
  storeBatchRowsMax: 500,
  /** A call to the store that is not answered by then is a store that does not answer. */
  storeCallTimeoutMs: 10_000,
  storePingTimeoutMs: 2_000,
  /** Calls waiting for the store thread; beyond, they fail at once. */
  storeCallsMax: 10_000,
  /** Unknown proxy tokens from one address in a minute before their 407 is delayed. */
  unknownTokensPerMinute: 20,
  unknownTokenDelayMs: 1_000,
  /** Addresses watched for unknown tokens. */
  watchedAddressesMax: 10_000,
  /** Sandboxes whose requests of the last minute are remembered; the least recently active leave first. */
  meteredSandboxesMax: 20_000,
  /** A tunnel without a byte for so long does not hold up a shutdown. */
  tunnelQuietMs: SECOND,
  /** "Closed within 1 s" when a policy change takes something open away; half of it is the sweep. */
  policySweepMs: 500,
  /** A DNS answer is kept at least and at most this long, whatever its TTL says. */
  dnsTtlMinMs: 1_000,
  dnsTtlMaxMs: 60_000,
  dnsNegativeTtlMs: 2_000,
  /** getaddrinfo tells no TTL. */
  dnsSystemTtlMs: 10_000,
  /** Once A or AAAA has answered, how long the other is waited for. */
  dnsSecondFamilyGraceMs: 1_000,
  hostsFileCheckMs: 1_000,
  /** RFC 8305 section 8: Connection Attempt Delay. */
  connectAttemptDelayMs: 250,
  /** Head of what a parent proxy answers to a CONNECT. */
  parentHeadBytesMax: 16 * 1024,
  /** How long the password of the parent proxy is used without asking for it again. */
  parentCredentialMs: SECOND,
  /** Files of `egress.host_crl` are looked at this often. */
  revocationCheckMs: SECOND,
  /** TLS sessions to origins kept for resumption. */
  upstreamTlsSessionsMax: 1_024,
  /** How long after a certificate was verified its session may be resumed. */
  upstreamTlsSessionMs: 10 * MINUTE,
  /**
   * HTTP/2 receive windows (RFC 9113 6.9): what a peer may send of a body that nobody takes, of one stream
   * and of all streams of a connection. 64 KiB, the protocol's own, holds a stream to 1 MB/s at 60 ms.
   */
  http2StreamWindowBytes: 1024 * 1024,
  http2SessionWindowBytes: 8 * 1024 * 1024,
  /**
   * What the runtime holds for one HTTP/2 connection: heads, streams, bodies that wait for a window (up to
   * 192 KiB of each of 128 streams). Beyond it, it resets streams. Megabytes.
   */
  http2SessionMemoryMb: 32,
  /** Entries in one SETTINGS frame; there are eight settings. */
  http2SettingsMax: 32,
  /** How long more than one stream of a new connection to an origin waits for its SETTINGS. */
  http2SettingsWaitMs: 5_000,
  /** PING and SETTINGS frames of one peer in a second, with nothing useful between them. */
  http2ControlFramesPerSecond: 100,
  /**
   * The window of one stream of a client. Smaller than an origin's, because one sandbox may have so many
   * of them and the way between is short: with it 16 MB/s at 16 ms.
   */
  http2ClientStreamWindowBytes: 256 * 1024,
  /** Streams of one sandbox at once, on all its HTTP/2 connections; beyond: `too_many_connections`. */
  http2StreamsPerSandboxMax: 1_024,
  /** Bodies from HTTP/2 origins that wait for one sandbox; beyond, streams that wait are reset. */
  http2UnreadBytesPerSandboxMax: 128 * 1024 * 1024,
  /** A stream that holds no more than this is never reset for it: so much every stream may hold. */
  http2UnreadBytesFree: 64 * 1024,
  /** Streams that a client may break off at once, and a second (CVE-2023-44487 and its kin). */
  http2ResetBurst: 512,
  http2ResetsPerSecond: 32,
  /** PING and SETTINGS frames of a client at once; then `http2ControlFramesPerSecond`. */
  http2ControlFrameBurst: 1_024,
  /** Control frames that one body chunk to the client makes up for: gRPC measures with a PING a round. */
  http2ControlFramesPerChunk: 2,
  /** Malformed frames and empty DATA frames in the life of one client's connection. */
  http2InvalidFramesMax: 1_000,
  /** Streams beyond the announced number, in a row. */
  http2RejectedStreamsMax: 128,
  /** How often an HTTP/2 connection is asked whether it still has a peer. */
  http2PeerCheckMs: 2 * SECOND,
  /** Time for a GOAWAY to arrive before the connection is cut. */
  http2LingerMs: SECOND,
  /** Informational responses to one request. */
  informationalMax: 32,
  /** Origins of which is remembered which HTTP version they chose, and for how long. */
  originProtocolsMax: 4_096,
  originProtocolMs: 10 * MINUTE,
  /** Request body kept for the one retry that an `Idempotency-Key` allows. */
  replayBodyBytesMax: 64 * 1024,
  /** Open `/events` streams: of the instance, and of one API key. */
  watchersMax: 64,
  watchersPerKeyMax: 8,
  webhooksPerOrganizationMax: 16,
  /** Undelivered to one webhook; beyond, news is not kept for it. */
  webhookPendingMax: 1_000,
  /** Delivered and given up, kept for looking at. */
  webhookSettledKept: 500,
  /** News in memory before the store has it. */
  webhookQueueMax: 1_000,
  /** Repetitions of one misuse or refused credential are told at most this often, with their count. */
  webhookRepeatMs: 60 * SECOND,
  webhookRepeatsMax: 5_000,
  webhookTimeoutMs: 15 * SECOND,
  webhookAtOnceMax: 8,
  /** A webhook that failed for so long without one success is switched off. */
  webhookFailingMs: 5 * DAY,
  /** Secrets known to have been used, so that the store is not asked again. */
  usedSecretsMax: 50_000,
  /** Shortest value that response masking touches: shorter ones occur by chance. */
  maskedValueBytesMin: 16,
  /** Characters of a secret part that must match before masking can be noticed: fewer can be guessed. */
  heldCharsMin: 8,
  /** Of a Basic user name, which a client may choose, responses are searched for so much with the value. */
  maskedUsernameBytesMax: 120,
  /** Longer texts are looked for in fewer spellings: compiling them takes time of everybody. */
  manySpellingsCharsMax: 2_048,
  /** Compiled spellings of values kept for the next response. */
  maskMatcherBytesMax: 32 * 1024 * 1024,
  /**
   * Windows of compressed responses being decoded for masking: 64 of br, 128 of zstd, 8,192 of gzip at once;
   * a quarter of that for one sandbox.
   */
  responseDecoderBytesMax: 1024 * 1024 * 1024,
  /** RFC 9659: a zstd window on the web has at most 2^23 bytes. */
  zstdWindowBitsMax: 23,
} as const;
