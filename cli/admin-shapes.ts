/**
 * What the admin API answers, as far as the command line reads it. Fields as on the wire; anything else in
 * an answer is passed to `--json` untouched.
 */
export interface SecretView {
  readonly id: string;
  readonly name: string;
  readonly auth_type: string;
  readonly auth_kind: string;
  readonly auth_config: unknown;
  readonly hosts: readonly string[];
  readonly ports: readonly number[];
  readonly methods: readonly string[] | null;
  readonly paths: readonly string[] | null;
  readonly provider_shortcut: string | null;
  readonly description: string | null;
  readonly version: number;
  readonly usable: boolean;
  readonly disabled: boolean;
  readonly expires_at: string | null;
  readonly allowed_workspaces_type: 'ALL' | 'SOME' | 'NONE';
  readonly allowed_workspaces: readonly string[];
  readonly created_at: string;
  readonly updated_at: string;
  readonly rotated_at: string;
  readonly last_used_at: string | null;
  readonly overlap_ends_at: string | null;
  readonly auth_failures: number;
  readonly last_auth_failure_at: string | null;
  readonly auth_failure_kind: string | null;
  readonly warnings?: readonly string[];
}

interface HealthView {
  readonly auth_failures: number;
  readonly auth_failure_kind: string | null;
}

export interface VersionView extends HealthView {
  readonly version: number;
  readonly created_at: string;
  readonly created_by: string;
  readonly active: boolean;
  readonly destroyed: boolean;
  readonly last_used_at: string | null;
}

interface RolloutRow extends HealthView {
  readonly version: number;
  readonly requests_since_rotation: number;
  readonly last_used_at: string | null;
  readonly pinned_bindings: number;
}

export interface RolloutView {
  readonly rotated_at: string;
  readonly active_version: number;
  readonly overlap_ends_at: string | null;
  readonly versions: readonly RolloutRow[];
  readonly safe_to_revoke: boolean;
  readonly reason: string;
}

export interface SecretTestView {
  readonly url: string;
  readonly method: string;
  readonly status: number | null;
  readonly code: string | null;
  readonly auth_ok: boolean | null;
  readonly classification: string | null;
  readonly version: number | null;
  readonly latency_ms: number;
  readonly detail: string;
}

export interface SandboxView {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly created_at: string;
  readonly expires_at?: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly secrets: readonly {
    readonly env_key: string;
    readonly secret_name: string;
    readonly revoked: boolean;
  }[];
  readonly network: { readonly allow_out: readonly string[]; readonly deny_out: readonly string[] };
}

/** `POST /sandboxes`: the only answer that carries the token. */
export interface CreatedSandbox extends SandboxView {
  readonly proxy_token: string;
  readonly env: Readonly<Record<string, string>>;
  readonly files: unknown;
  readonly warnings?: readonly string[];
}

export interface ProviderView {
  readonly name: string;
  readonly display: string;
  readonly auth_type: string;
  readonly auth_kind: string;
  readonly auth_config: unknown;
  readonly hosts: readonly string[];
  readonly token_shape: string;
  readonly provider_params: Readonly<
    Record<string, { readonly description: string; readonly required: boolean }>
  >;
  readonly env: readonly string[];
  readonly note: string | null;
  readonly docs: string;
}

export interface AuditRow {
  readonly id: number;
  readonly ts: string;
  readonly sandbox_name: string | null;
  readonly sandbox_id: string;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly status: number;
  readonly upstream_status: number | null;
  readonly latency_ms: number;
  readonly error_code: string | null;
  readonly version: number;
}

interface NetworkRow {
  readonly kind: 'connection' | 'request';
  readonly id: number;
  readonly ts: string;
  readonly host: string;
  readonly dst_port?: number;
  readonly verdict?: string;
  readonly match_rule?: string | null;
  readonly method?: string;
  readonly path?: string;
  readonly status?: number;
  readonly latency_ms?: number;
  readonly error_code?: string | null;
  readonly would_refuse?: string;
}

export interface TrailRow {
  readonly id: number;
  readonly ts: string;
  readonly kind: 'connection' | 'request';
  readonly sandbox_id: string;
  readonly sandbox_name: string | null;
  readonly host: string;
  readonly port: number;
  readonly code: string | null;
  readonly latency_ms: number;
  readonly method?: string;
  readonly path?: string;
  readonly status?: number;
  readonly verdict?: string;
  readonly match_rule?: string | null;
  /** With `egress.mode: observe`: the code that would have refused it. */
  readonly would_refuse?: string;
}

export interface TrailPage {
  readonly data: readonly TrailRow[];
}

export interface NetworkPage {
  readonly data: readonly NetworkRow[];
  readonly next_cursor: string | null;
  readonly has_more: boolean;
}

export interface WebhookView {
  readonly id: string;
  readonly url: string;
  readonly events: readonly string[];
  readonly description: string | null;
  readonly disabled: boolean;
  readonly disabled_reason: string | null;
  readonly failing_since: string | null;
  readonly created_at: string;
  readonly updated_at: string;
  readonly created_by: string;
}

/** `POST /webhooks`: the only answer with the signing secret. */
export interface CreatedWebhook extends WebhookView {
  readonly signing_secret: string;
}

export interface DeliveryView {
  readonly seq: number;
  readonly id: string;
  readonly event: string;
  readonly state: 'pending' | 'delivered' | 'failed';
  readonly attempts: number;
  readonly next_attempt_at: string | null;
  readonly last_status: number | null;
  readonly last_error: string | null;
  readonly created_at: string;
}

export interface WebhookTestView {
  readonly delivered: boolean;
  readonly status: number | null;
  readonly error: string | null;
  readonly latency_ms: number;
}

export interface KeyUseView {
  readonly key_id: string;
  readonly active: boolean;
  readonly held: boolean;
  readonly envelopes: number;
}

export interface RewrapProgress {
  readonly key_id: string;
  readonly done: number;
  readonly total: number;
  readonly failed: number;
  readonly complete: boolean;
}

export interface ChainReportView {
  readonly chain: string;
  readonly rows: number;
  readonly intact: boolean | null;
  readonly broken_id: number | null;
  readonly unknown_heads: readonly string[];
  readonly head: string | null;
}
