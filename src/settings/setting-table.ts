/**
 * Every setting, once: its path in the file, its format, its default as a file would write it, and one
 * sentence. Environment names, `config show`, the reference file and the README table follow from these
 * rows. A limit cannot be forgotten: the rows of `limits.*` are made from `DEFAULT_LIMITS`.
 */
import { z } from 'zod';
import { DEFAULT_LIMITS } from '../kernel/limits.ts';
import type { Limits } from '../kernel/limits.ts';
import {
  addressRange,
  addressWithPort,
  bypassEntry,
  duration,
  flag,
  hostName,
  hostPattern,
  listenAddress,
  oneOf,
  parentProxyUrl,
  portRange,
  proxyUrl,
  serverName,
  text,
  wholeNumber,
} from './setting-formats.ts';

/** How the text of an environment variable or a flag becomes what a file would contain. */
export type SettingKind = 'text' | 'number' | 'boolean' | 'list' | 'map';

export interface SettingRow<S extends z.ZodType = z.ZodType> {
  readonly kind: SettingKind;
  readonly schema: S;
  /** As a file would write it; `null`: not set. */
  readonly fallback: unknown;
  readonly description: string;
  /** May contain a password: shown as `[hidden]`. */
  readonly hidden: boolean;
}

function row<S extends z.ZodType>(
  kind: SettingKind,
  schema: S,
  fallback: unknown,
  description: string,
  hidden = false,
): SettingRow<S> {
  return { kind, schema, fallback, description, hidden };
}

function listOf<S extends z.ZodType>(item: S) {
  return z.array(item, { error: 'expected a list' });
}

const listen = listenAddress;
const hostsMap = z.record(hostName, addressWithPort, {
  error: (issue) => (issue.code === 'invalid_type' ? 'expected a map of name: address' : undefined),
});

const filesByHost = z.record(hostPattern, listOf(text).min(1, 'expected at least one file'), {
  error: (issue) =>
    issue.code === 'invalid_type' ? 'expected a map of host: [file, …]' : undefined,
});

export const SETTINGS = {
  data_dir: row('text', text, './data', 'Where the database, the master key and the CA live.'),
  'proxy.listen': row('text', listen, '127.0.0.1:3128', 'Where sandboxes connect to.'),
  'proxy.public_url': row(
    'text',
    proxyUrl.nullable(),
    null,
    'How sandboxes reach the proxy, `http://HOST:PORT` or `https://…`; not set: where it listens.',
  ),
  'proxy.identify_by_source': row(
    'boolean',
    flag,
    false,
    'Who sends no token is known by address: the one sandbox whose `source_cidrs` contain it.',
  ),
  'proxy.tls_listen': row(
    'text',
    listen.nullable(),
    null,
    'A second listener, the same proxy over TLS; for sandboxes that are not on this machine.',
  ),
  'proxy.tls.cert_file': row('text', text.nullable(), null, 'PEM chain of that listener.'),
  'proxy.tls.key_file': row('text', text.nullable(), null, 'PEM key of that certificate.'),
  'proxy.tls.names': row(
    'list',
    listOf(serverName),
    ['localhost'],
    'Without a certificate: names and addresses of that listener, certified by our own CA.',
  ),
  'admin.listen': row('text', listen, '127.0.0.1:3129', 'Where the admin API listens.'),
  'admin.tls.cert_file': row('text', text.nullable(), null, 'PEM chain: the admin API over TLS.'),
  'admin.tls.key_file': row('text', text.nullable(), null, 'PEM key of that certificate.'),
  'metrics.listen': row(
    'text',
    listen.nullable(),
    null,
    'A listener of its own for `/metrics`, without a key.',
  ),
  'store.url': row(
    'text',
    text.nullable(),
    null,
    '`sqlite:PATH`; not set: `sallyport.db` in `data_dir`.',
    true,
  ),
  'vault.key_file': row(
    'text',
    text.nullable(),
    null,
    'File with the master key; not set: `master.key` in `data_dir`, made at first start.',
  ),
  'egress.default': row(
    'text',
    oneOf(['allow', 'deny']),
    'allow',
    'What happens to hosts no rule names. `allow` does not stop data leaving.',
  ),
  'egress.mode': row(
    'text',
    oneOf(['enforce', 'observe']),
    'enforce',
    '`observe` lets pass what network rules and the default refuse, and records it. Internal addresses and credentials are judged all the same.',
  ),
  'egress.tunnel_sni': row(
    'text',
    oneOf(['off', 'check']),
    'off',
    '`check` reads the server name in the TLS hello of a tunnel and closes it when rules would refuse that name.',
  ),
  'egress.allow_private': row(
    'list',
    listOf(addressRange),
    [],
    'Internal ranges that may be dialled; metadata services only by exact address.',
  ),
  'egress.extra_ca': row('list', listOf(text), [], 'PEM files of CAs that origins may use.'),
  'egress.host_ca': row(
    'map',
    filesByHost,
    {},
    'Host or `*.suffix` → PEM files of CAs that these hosts alone may use.',
  ),
  'egress.host_crl': row(
    'map',
    filesByHost,
    {},
    'Host or `*.suffix` → PEM revocation lists; a chain no current list covers is refused.',
  ),
  'egress.parent_proxy.url': row(
    'text',
    parentProxyUrl.nullable(),
    null,
    'A proxy all egress goes through, by CONNECT: `http://HOST:PORT` or `https://…`.',
  ),
  'egress.parent_proxy.username': row('text', text.nullable(), null, 'User name there.'),
  'egress.parent_proxy.password_secret': row(
    'text',
    text.nullable(),
    null,
    'Name of the secret of organization `default` that is the password there.',
  ),
  'egress.parent_proxy.bypass': row(
    'list',
    listOf(bypassEntry),
    [],
    'Hosts, `*.suffix`, addresses and ranges that are dialled directly.',
  ),
  'egress.parent_proxy.connect_to': row(
    'text',
    oneOf(['name', 'address']),
    'name',
    'What it is asked for: the name (it resolves again), or the address that was checked here.',
  ),
  'egress.parent_proxy.resolve': row(
    'text',
    oneOf(['here', 'parent']),
    'here',
    'Who resolves names. `parent`: names without an address here are judged by name alone.',
  ),
  'egress.hosts': row(
    'map',
    hostsMap,
    {},
    'Name → address or address:port, like a hosts file; certificates keep the name.',
  ),
  'egress.dns.servers': row(
    'list',
    listOf(addressWithPort).nullable(),
    null,
    'DNS servers; not set: those of the system.',
  ),
  'egress.dns.mode': row(
    'text',
    oneOf(['resolver', 'system']),
    'resolver',
    '`resolver` asks DNS itself, `system` asks getaddrinfo.',
  ),
  'egress.ports': row(
    'list',
    listOf(portRange),
    [80, 443, '1024-65535'],
    'Ports open for egress, beside those of bound secrets.',
  ),
  'egress.never_intercept': row(
    'list',
    listOf(hostPattern),
    [],
    'Hosts whose TLS is never looked into; no secret can be bound to them.',
  ),
  'egress.http1_only': row(
    'list',
    listOf(hostPattern),
    [],
    'Hosts that are spoken to, and spoken for, over HTTP/1.1 only.',
  ),
  'egress.pool_scope': row(
    'text',
    oneOf(['organization', 'sandbox']),
    'organization',
    'Who shares connections to origins.',
  ),
  'ca.rotation_overlap': row(
    'text',
    duration.nullable(),
    null,
    'How long after `ca rotate` the new CA signs by itself; not set: when `ca rotate --switch` says so.',
  ),
  'secrets.allow_reveal': row('boolean', flag, false, 'Lets an admin read values back; audited.'),
  'secrets.versions_kept': row(
    'number',
    wholeNumber(1),
    10,
    'Values kept of each secret; older ones are destroyed when it is rotated.',
  ),
  'secrets.allow_widening': row(
    'boolean',
    flag,
    false,
    'Lets a change send a value further without giving the value again.',
  ),
  'webhooks.allow_http': row(
    'boolean',
    flag,
    false,
    'Webhooks may go to http:// URLs. What they say is signed, not hidden.',
  ),
  'compat.instabase': row(
    'boolean',
    flag,
    true,
    'Also serves the secrets API of Instabase AI Hub, `/api/v2/aihub/secrets`.',
  ),
  'compat.truefoundry': row(
    'boolean',
    flag,
    true,
    'Also serves the secrets API of TrueFoundry, `/api/svc/v1/…`.',
  ),
  'policy.inflight_grace': row(
    'text',
    duration,
    '60s',
    'How long a response in flight may go on after its secret was taken away.',
  ),
  'audit.sink': row(
    'text',
    oneOf(['none', 'stdout', 'file']),
    'none',
    'Also writes every event as a line of JSON.',
  ),
  'audit.file': row(
    'text',
    text.nullable(),
    null,
    'For `audit.sink: file`; not set: `audit.ndjson` in `data_dir`.',
  ),
  'audit.chain': row(
    'text',
    oneOf(['off', 'on']),
    'off',
    'on: each row of the trail carries a hash over itself and the one before; `sallyport audit verify`.',
  ),
  'audit.on_full': row(
    'text',
    oneOf(['drop', 'refuse']),
    'drop',
    'When the trail is full: drop (and count) events, or refuse requests.',
  ),
  'audit.retention_days': row('number', wholeNumber(1), 90, 'Older events are removed.'),
  'audit.retention_rows': row(
    'number',
    wholeNumber(1),
    1_000_000,
    'Uses and refusals kept per organization.',
  ),
  'audit.retention_plain_rows': row(
    'number',
    wholeNumber(1),
    200_000,
    'Events without a secret kept per organization.',
  ),
  'log.level': row(
    'text',
    oneOf(['debug', 'info', 'warn', 'error', 'silent']),
    'info',
    'The least serious log line that is written.',
  ),
  'log.format': row('text', oneOf(['json', 'pretty']), 'json', 'For programs or for people.'),
} as const;

export type SettingPath = keyof typeof SETTINGS;

/** Limits with a key under `limits`; the grace has its own, `policy.inflight_grace`. */
export type LimitName = Exclude<keyof Limits, 'inflightGraceMs'>;

const LIMIT_NOTES: Readonly<Record<LimitName, string>> = {
  connectionsMax: 'Client connections at once.',
  connectionsPerSandboxMax: 'Client connections of one sandbox at once.',
  headBytesMax: 'Bytes of one request head.',
  headFieldsMax: 'Field lines of one head.',
  headTimeoutMs: 'Time a started head has to be complete.',
  tlsHandshakeTimeoutMs: 'Time a TLS handshake has.',
  idleTimeoutMs: 'A client connection without a request.',
  tunnelSilenceTimeoutMs: 'A tunnel or upgraded connection without a byte.',
  tcpKeepAliveMs: 'TCP keep-alive of quiet connections.',
  dnsTimeoutMs: 'One name look-up.',
  connectTimeoutMs: 'Connecting to an origin, TLS included.',
  responseHeadTimeoutMs: 'From the end of the request to the response head.',
  bodySilenceTimeoutMs: 'Silence inside a body. Total time and size have no cap.',
  drainTimeoutMs: 'What a shutdown waits for exchanges in flight.',
  leafLifeMs: 'Life of a minted certificate.',
  leafCacheMax: 'Minted certificates kept.',
  upstreamConnectionsPerPoolMax: 'Connections to one origin.',
  upstreamConnectionsMax: 'Connections to all origins.',
  upstreamIdleTimeoutMs: 'An unused connection to an origin.',
  http2StreamsMax: 'HTTP/2 streams of one connection, to clients and to origins.',
  dnsLookupsPerSandboxMax: 'Name look-ups one sandbox has in flight.',
  dnsCacheMax: 'Names kept.',
  auditQueueMax: 'Events held in memory before the trail is full.',
  snapshotCacheMax: 'Policies of sandboxes kept warm.',
  openedValuesMax: 'Opened values kept warm.',
  adminBodyBytesMax: 'Body of one admin request.',
};

/** Timers of the runtime end at 2^31 − 1 ms; a longer one would fire at once. */
const TIMER_MS_MAX = 2_147_483_647;

/** `headBytesMax` → `limits.head_bytes_max`. */
export function limitPath(name: LimitName): string {
  return `limits.${name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
}

export const LIMIT_NAMES = Object.keys(LIMIT_NOTES) as readonly LimitName[];

function limitRow(name: LimitName): SettingRow {
  const bound = name.endsWith('Ms') ? TIMER_MS_MAX : Number.MAX_SAFE_INTEGER;
  const expected = `expected a whole number from 1 to ${bound}`;
  const schema = z.number({ error: expected }).int(expected).min(1, expected).max(bound, expected);
  return row('number', schema, DEFAULT_LIMITS[name], LIMIT_NOTES[name]);
}

/** Every row by its path, limits included. */
export const SETTING_ROWS: ReadonlyMap<string, SettingRow> = new Map<string, SettingRow>([
  ...Object.entries(SETTINGS),
  ...LIMIT_NAMES.map((name): [string, SettingRow] => [limitPath(name), limitRow(name)]),
]);

/** `proxy.listen` → `SALLYPORT_PROXY_LISTEN`. */
export function environmentName(path: string): string {
  return `SALLYPORT_${path.replaceAll('.', '_').toUpperCase()}`;
}
