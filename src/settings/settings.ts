/**
 * The settings as the rest of the house sees them: parsed, absolute, defaults filled in. Made by
 * `load-settings.ts` and nowhere else; never changed afterwards. Spec: issue scope "Settings" and
 * proxy sections 1 and 3. File keys are the same words in snake_case.
 */
import type { Limits } from '../kernel/limits.ts';

/** Where a listener binds. */
export interface ListenAddress {
  /** `null`: every address of the machine, IPv4 and IPv6. IPv6 without brackets. */
  readonly host: string | null;
  /** 0: the system chooses. */
  readonly port: number;
}

/** Both ends included. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
}

export interface ProxyTlsSettings {
  readonly listen: ListenAddress;
  /** `null`: certified by our own CA for `names`. */
  readonly files: { readonly certFile: string; readonly keyFile: string } | null;
  /** Never empty. The first is for clients that name no host. */
  readonly names: readonly string[];
}

export interface ParentProxySettings {
  /** `http://HOST:PORT` or `https://HOST:PORT`. */
  readonly url: string;
  readonly username: string | null;
  readonly passwordSecret: string | null;
  /** Host patterns, addresses and CIDRs. */
  readonly bypass: readonly string[];
  readonly connectTo: 'name' | 'address';
  /** `parent` excludes `connectTo: address`. */
  readonly resolve: 'here' | 'parent';
}

export interface Settings {
  /** Absolute. */
  readonly dataDir: string;
  readonly proxy: {
    readonly listen: ListenAddress;
    /** `http://HOST[:PORT]` or `https://…` as sandboxes reach it; `null`: where it listens. */
    readonly publicUrl: string | null;
    /** `null`: no listener over TLS. */
    readonly tls: ProxyTlsSettings | null;
    readonly identifyBySource: boolean;
  };
  readonly admin: {
    readonly listen: ListenAddress;
    readonly tls: { readonly certFile: string; readonly keyFile: string } | null;
  };
  readonly metrics: { readonly listen: ListenAddress | null };
  /** `null`: the embedded database in the data directory. May contain a password: never log it. */
  readonly store: { readonly url: string | null };
  /** `null`: `master.key` in the data directory. */
  readonly vault: { readonly keyFile: string | null };
  readonly egress: {
    readonly default: 'allow' | 'deny';
    readonly mode: 'enforce' | 'observe';
    readonly tunnelSni: 'off' | 'check';
    /** Canonical CIDRs and single addresses. */
    readonly allowPrivate: readonly string[];
    /** Absolute paths of PEM files. */
    readonly extraCa: readonly string[];
    /** Host pattern → absolute paths of PEM files. */
    readonly hostCa: Readonly<Record<string, readonly string[]>>;
    readonly hostCrl: Readonly<Record<string, readonly string[]>>;
    readonly parentProxy: ParentProxySettings | null;
    /** Name → `address`, `address:port` or `[v6]:port`. */
    readonly hosts: Readonly<Record<string, string>>;
    readonly dns: {
      readonly servers: readonly string[] | null;
      readonly mode: 'resolver' | 'system';
    };
    readonly ports: readonly PortRange[];
    readonly neverIntercept: readonly string[];
    /** Canonical host patterns; `*.` stands for any depth. */
    readonly http1Only: readonly string[];
    readonly poolScope: 'organization' | 'sandbox';
  };
  readonly ca: {
    /** `null`: an admin switches. */
    readonly rotationOverlapMs: number | null;
  };
  readonly secrets: {
    readonly allowReveal: boolean;
    readonly allowWidening: boolean;
    readonly versionsKept: number;
  };
  readonly webhooks: { readonly allowHttp: boolean };
  readonly compat: { readonly instabase: boolean; readonly truefoundry: boolean };
  readonly audit: {
    readonly sink: 'none' | 'stdout' | 'file';
    /** Absolute; only with `sink: file`. */
    readonly file: string | null;
    readonly chain: 'off' | 'on';
    readonly onFull: 'drop' | 'refuse';
    readonly retentionDays: number;
    /** Uses and refusals kept per organization. */
    readonly retentionRows: number;
    /** Exchanges that used no secret, kept per organization. */
    readonly retentionPlainRows: number;
  };
  readonly limits: Limits;
  readonly log: { readonly level: LogLevel; readonly format: 'json' | 'pretty' };
}

type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Where a setting's value came from. */
export type SettingSource = 'default' | 'file' | 'environment' | 'flag';
