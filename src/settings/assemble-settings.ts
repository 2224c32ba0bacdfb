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
import type { Settings } from './settings.ts';

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
      identifyBySource: read('proxy.identify_by_source'),
    },
    admin: {
      listen: read('admin.listen'),
      tls: adminTls(absolute(read('admin.tls.cert_file')), absolute(read('admin.tls.key_file'))),
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
      hosts: read('egress.hosts'),
      dns: { servers: read('egress.dns.servers'), mode: read('egress.dns.mode') },
      ports: read('egress.ports'),
      neverIntercept: read('egress.never_intercept'),
      http1Only: read('egress.http1_only'),
      poolScope: read('egress.pool_scope'),
    },
    secrets: {
      allowReveal: read('secrets.allow_reveal'),
      allowWidening: read('secrets.allow_widening'),
    },
    compat: { instabase: read('compat.instabase'), truefoundry: read('compat.truefoundry') },
    audit: {
      sink: read('audit.sink'),
      file: auditFile(read('audit.sink'), absolute(read('audit.file')), dataDir),
      onFull: read('audit.on_full'),
      retentionDays: read('audit.retention_days'),
      retentionRows: read('audit.retention_rows'),
      retentionPlainRows: read('audit.retention_plain_rows'),
    },
    limits: limits(parsed, read('policy.inflight_grace')),
    log: { level: read('log.level'), format: read('log.format') },
  };
}

function adminTls(certFile: string | null, keyFile: string | null): Settings['admin']['tls'] {
  if (certFile === null && keyFile === null) return null;
  if (certFile !== null && keyFile !== null) return { certFile, keyFile };
  const missing = certFile === null ? 'cert_file' : 'key_file';
  throw new StartError(
    `admin.tls.${missing}: expected a file, because the other half of admin.tls is set.`,
    'Set both admin.tls.cert_file and admin.tls.key_file, or neither.',
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
