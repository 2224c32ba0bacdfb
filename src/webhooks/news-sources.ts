/**
 * What is news: an audit event that was a misuse or the first use of a secret, a credential that an origin
 * refused, a rotation. Listens; changes nothing and throws nothing to those it listens to.
 */
import type { ActivityEvent } from '../activity/activity.ts';
import type { AuditEvent } from '../audit/event.ts';
import type { AuditCode } from '../kernel/errors.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Logger } from '../kernel/logger.ts';
import type { AuthFailure } from '../usage/usage-store.ts';
import type { NewsDesk } from './news-desk.ts';
import type { WebhookStore } from './webhook-store.ts';

/** A credential was sent, or would have gone, where it may not. */
const MISUSE: ReadonlySet<AuditCode> = new Set([
  'credential_host_mismatch',
  'credential_not_permitted',
  'credential_revoked',
  'plaintext_refused',
]);

export interface NewsSourcesDeps {
  readonly desk: Pick<NewsDesk, 'tell' | 'tellRepeated'>;
  readonly store: Pick<WebhookStore, 'claimFirstUses'>;
  readonly logger: Logger;
}

export class NewsSources {
  readonly #deps: NewsSourcesDeps;
  /** Asked on every use: a set, forgotten as a whole when it is full. */
  readonly #used = new Set<string>();

  constructor(deps: NewsSourcesDeps) {
    this.#deps = deps;
  }

  noteEvent(event: AuditEvent): void {
    if (event.secrets.length === 0) return;
    if (event.code !== null && MISUSE.has(event.code)) this.#noteMisuse(event);
    else if (event.kind === 'exchange' && event.upstreamStatus !== null) this.#noteUse(event);
  }

  noteAuthFailure(failure: AuthFailure): void {
    const { organizationId, sandboxId, secretId, version, host, kind } = failure;
    this.#deps.desk.tellRepeated(organizationId, 'secret.auth_failed', `${secretId} ${kind}`, {
      secret_id: secretId,
      version,
      kind,
      host,
      sandbox_id: sandboxId,
    });
  }

  noteActivity(event: ActivityEvent): void {
    if (event.action !== 'secret.rotate') return;
    const version = event.after?.['version'];
    this.#deps.desk.tell(event.organizationId, 'secret.rotated', {
      secret_id: event.targetId,
      secret_name: event.targetName,
      version: typeof version === 'number' ? version : null,
      subject: event.subject,
    });
  }

  #noteMisuse(event: AuditEvent): void {
    const [first] = event.secrets;
    const { organizationId, sandboxId, code, host, port, requestId } = event;
    const secretId = first?.secretId ?? null;
    const key = `${sandboxId} ${secretId} ${code} ${host}`;
    this.#deps.desk.tellRepeated(organizationId, 'misuse.refused', key, {
      code,
      secret_id: secretId,
      sandbox_id: sandboxId,
      host,
      port,
      method: event.kind === 'exchange' ? event.method : 'CONNECT',
      path: event.kind === 'exchange' ? event.path : null,
      request_id: requestId,
    });
  }

  #noteUse(event: AuditEvent): void {
    const unknown = event.secrets.filter(({ secretId }) => !this.#used.has(secretId));
    if (unknown.length === 0) return;
    if (this.#used.size >= FIXED.usedSecretsMax) this.#used.clear();
    for (const { secretId } of unknown) this.#used.add(secretId);
    this.#claim(
      event,
      unknown.map(({ secretId }) => secretId),
    ).catch((error: unknown) => {
      // Asked again at the next use.
      for (const { secretId } of unknown) this.#used.delete(secretId);
      this.#deps.logger.warn({ err: error }, 'a first use could not be looked up');
    });
  }

  async #claim(event: AuditEvent, secretIds: readonly string[]): Promise<void> {
    const { organizationId, tsMs, sandboxId, host } = event;
    const first = await this.#deps.store.claimFirstUses(organizationId, secretIds, tsMs);
    for (const secretId of first) {
      this.#deps.desk.tell(organizationId, 'secret.first_used', {
        secret_id: secretId,
        sandbox_id: sandboxId,
        host,
        first_used_at: new Date(tsMs).toISOString(),
      });
    }
  }
}
