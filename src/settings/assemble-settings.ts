/**
 * From parsed rows to the typed settings: names in camelCase, paths absolute, the limits gathered. The
 * rules that need two settings at once are here; each throws a StartError that names both.
 */
import { resolve } from 'node:path';
import type { z } from 'zod';
import { StartError } from '../kernel/errors.ts';
import type { Limits } from '../kernel/limits.ts';
import { LIMIT_NAMES, limitPath } from './setting-table.ts';
import type { SETTINGS, SettingPath } from './setting-table.ts';
import type { ListenAddress, ParentProxySettings, Settings } from './settings.ts';

type Output<P extends SettingPath> = z.output<(typeof SETTINGS)[P]['schema']>;

/** `parsed` holds the output of every row's schema, by path. */
export function assembleSettings(parsed: ReadonlyMap<string, unknown>, cwd: string): Settings {
  const read = <P extends SettingPath>(path: P): Output<P> => parsed.get(path) as Output<P>;
  const dataDir = resolve(cwd, read('data_dir'));
  const absolute = (path: string | null): string | null =>
    path === null ? null : resolve(cwd, path);
  return {
    dataDir,
    proxy: {
      listen: read('proxy.listen'),
      publicUrl: read('proxy.public_url'),
      tls: proxyTls(
        read('proxy.tls_listen'),
        certificateFiles(
          'proxy.tls',
          absolute(read('proxy.tls.cert_file')),
          absolute(read('proxy.tls.key_file')),
        ),
        read('proxy.tls.names'),
      ),
      identifyBySource: read('proxy.identify_by_source'),
    },
    admin: {
      listen: read('admin.listen'),
      tls: certificateFiles(
        'admin.tls',
        absolute(read('admin.tls.cert_file')),
        absolute(read('admin.tls.key_file')),
      ),
    },
    metrics: { listen: read('metrics.listen') },
    store: { url: read('store.url') },
    vault: { keyFile: absolute(read('vault.key_file')) },
    egress: {
      default: read('egress.default'),
      mode: read('egress.mode'),
      tunnelSni: read('egress.tunnel_sni'),
      allowPrivate: read('egress.allow_private'),
      extraCa: read('egress.extra_ca').map((file) => resolve(cwd, file)),
      hostCa: absoluteFiles(read('egress.host_ca'), cwd),
      hostCrl: absoluteFiles(read('egress.host_crl'), cwd),
      parentProxy: parentProxy({
        url: read('egress.parent_proxy.url'),
        username: read('egress.parent_proxy.username'),
        passwordSecret: read('egress.parent_proxy.password_secret'),
        bypass: read('egress.parent_proxy.bypass'),
        connectTo: read('egress.parent_proxy.connect_to'),
        resolve: read('egress.parent_proxy.resolve'),
      }),
      hosts: read('egress.hosts'),
      dns: { servers: read('egress.dns.servers'), mode: read('egress.dns.mode') },
      ports: read('egress.ports'),
      neverIntercept: read('egress.never_intercept'),
      http1Only: read('egress.http1_only'),
      poolScope: read('egress.pool_scope'),
    },
    ca: { rotationOverlapMs: read('ca.rotation_overlap') },
    secrets: {
      allowReveal: read('secrets.allow_reveal'),
      allowWidening: read('secrets.allow_widening'),
      versionsKept: read('secrets.versions_kept'),
    },
    webhooks: { allowHttp: read('webhooks.allow_http') },
    compat: { instabase: read('compat.instabase'), truefoundry: read('compat.truefoundry') },
    audit: {
      sink: read('audit.sink'),
      file: auditFile(read('audit.sink'), absolute(read('audit.file')), dataDir),
      chain: read('audit.chain'),
      onFull: read('audit.on_full'),
      retentionDays: read('audit.retention_days'),
      retentionRows: read('audit.retention_rows'),
      retentionPlainRows: read('audit.retention_plain_rows'),
    },
    limits: limits(parsed, read('policy.inflight_grace')),
    log: { level: read('log.level'), format: read('log.format') },
  };
}

function absoluteFiles(
  files: Readonly<Record<string, readonly string[]>>,
  cwd: string,
): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    Object.entries(files).map(([host, paths]) => [host, paths.map((file) => resolve(cwd, file))]),
  );
}

function certificateFiles(
  section: 'admin.tls' | 'proxy.tls',
  certFile: string | null,
  keyFile: string | null,
): Settings['admin']['tls'] {
  if (certFile === null && keyFile === null) return null;
  if (certFile !== null && keyFile !== null) return { certFile, keyFile };
  const missing = certFile === null ? 'cert_file' : 'key_file';
  throw new StartError(
    `${section}.${missing}: expected a file, because the other half of ${section} is set.`,
    `Set both ${section}.cert_file and ${section}.key_file, or neither.`,
  );
}

function proxyTls(
  listen: ListenAddress | null,
  files: Settings['admin']['tls'],
  names: readonly string[],
): Settings['proxy']['tls'] {
  if (listen === null && files !== null) {
    throw new StartError(
      'proxy.tls_listen: expected an address, because proxy.tls names a certificate.',
      'Set proxy.tls_listen, or remove proxy.tls.cert_file and proxy.tls.key_file.',
    );
  }
  if (listen === null) return null;
  if (files === null && names.length === 0) {
    throw new StartError(
      'proxy.tls.names: expected at least one name, because proxy.tls has no certificate.',
      'Name the hosts by which sandboxes reach proxy.tls_listen, or set proxy.tls.cert_file and proxy.tls.key_file.',
    );
  }
  return { listen, files, names };
}

interface ParentProxyParts extends Omit<ParentProxySettings, 'url'> {
  readonly url: string | null;
}

function parentProxy({ url, ...rest }: ParentProxyParts): ParentProxySettings | null {
  const { username, passwordSecret } = rest;
  if (passwordSecret !== null && username === null) {
    throw new StartError(
      'egress.parent_proxy.username: expected a name beside password_secret.',
      'Set both egress.parent_proxy.username and egress.parent_proxy.password_secret, or neither.',
    );
  }
  if (rest.resolve === 'parent' && rest.connectTo === 'address') {
    throw new StartError(
      'egress.parent_proxy.connect_to: expected name, because egress.parent_proxy.resolve is parent.',
      'Only names that are resolved here can be asked for by address: set one of the two back.',
    );
  }
  if (url !== null) return { url, ...rest };
  if (username === null && rest.bypass.length === 0 && rest.resolve === 'here') return null;
  throw new StartError(
    'egress.parent_proxy.url: expected a URL, because other settings of egress.parent_proxy are set.',
    'Set egress.parent_proxy.url, or remove them.',
  );
}

function auditFile(sink: string, file: string | null, dataDir: string): string | null {
  if (sink === 'file') return file ?? resolve(dataDir, 'audit.ndjson');
  if (file === null) return null;
  throw new StartError(
    `audit.file: expected only with audit.sink: file, but audit.sink is ${sink}.`,
    'Set audit.sink to file, or remove audit.file.',
  );
}

function limits(parsed: ReadonlyMap<string, unknown>, inflightGraceMs: number): Limits {
  const named = LIMIT_NAMES.map((name) => [name, parsed.get(limitPath(name))]);
  return { ...(Object.fromEntries(named) as Omit<Limits, 'inflightGraceMs'>), inflightGraceMs };
}
