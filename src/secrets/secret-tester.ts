/**
 * `POST /secrets/{name}/test`: does an origin take this secret? One real request through the data plane, on
 * behalf of nobody's sandbox or of the one named; who asked and for what is recorded before it leaves. It is
 * no use of the secret and says nothing about its health; the value is in no part of what comes back.
 */
import type { DeedRecorder } from '../activity/activity-journal.ts';
import { BoundedMap } from '../kernel/bounded-map.ts';
import type { Clock } from '../kernel/clock.ts';
import { ControlError } from '../kernel/errors.ts';
import type { RefusalCode } from '../kernel/errors.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Actor } from '../organizations/actor.ts';
import { checkRole } from '../organizations/roles.ts';
import type { RequestHead } from '../policy/request-head.ts';
import type { AuthFailureKind } from '../usage/auth-failure.ts';
import { splitQuery } from '../wire/query-keys.ts';
import type { Secret } from './secret.ts';

/** Whose network rules and bindings count: those of a sandbox, or of nobody in a workspace. */
export type ProbeHolder =
  | { readonly sandboxId: string }
  /** `null`: in one that may use the secret, where there is any. */
  | { readonly sandboxId: null; readonly workspaceId: string | null };

export interface ProbeQuery {
  readonly organizationId: string;
  readonly secretId: string;
  readonly holder: ProbeHolder;
  readonly head: RequestHead;
}

export interface ProbeAnswer {
  /** What the origin answered; `null`: it was not asked, or said nothing. */
  readonly status: number | null;
  /** Why it was not asked, or did not answer. */
  readonly code: RefusalCode | null;
  /** `null`: the answer does not tell. */
  readonly isAccepted: boolean | null;
  readonly kind: AuthFailureKind | null;
  /** The version that was sent; `null`: none was. */
  readonly version: number | null;
  /** To the head of the answer, connecting included. */
  readonly latencyMs: number;
  /** A full sentence of ours; nothing that the origin sent. */
  readonly detail: string;
}

export interface SecretTesterDeps {
  /** Sends the request. Made by the composition root: the control plane dials nothing itself. */
  readonly probe: (query: ProbeQuery) => Promise<ProbeAnswer>;
  readonly activity: DeedRecorder;
  readonly clock: Clock;
}

const MINUTE_MS = 60_000;

export class SecretTester {
  readonly #deps: SecretTesterDeps;
  /** When an organization's minute began, and tests in it. */
  readonly #minutes = new BoundedMap<string, { beganMs: number; count: number }>(
    FIXED.watchedAddressesMax,
  );
  #running = 0;

  constructor(deps: SecretTesterDeps) {
    this.#deps = deps;
  }

  /** `secret` was found for `actor`. ControlError `forbidden`, `rate_limited`. */
  async test(
    actor: Actor,
    secret: Secret,
    head: RequestHead,
    sandboxId: string | null,
  ): Promise<ProbeAnswer> {
    checkRole(actor, 'operate');
    this.#admit(actor.organizationId);
    this.#running += 1;
    try {
      await this.#deps.activity.recordFirst(actor, {
        action: 'secret.test',
        targetId: secret.id,
        targetName: secret.name,
        before: null,
        after: { method: head.method, url: shownUrl(head), sandbox_id: sandboxId },
      });
      const { organizationId } = actor;
      const holder = sandboxId === null ? workspaceFor(actor, secret) : { sandboxId };
      return await this.#deps.probe({ organizationId, secretId: secret.id, holder, head });
    } finally {
      this.#running -= 1;
    }
  }

  #admit(organizationId: string): void {
    const nowMs = this.#deps.clock.monotonicMs();
    const known = this.#minutes.get(organizationId);
    const minute =
      known === undefined || nowMs - known.beganMs >= MINUTE_MS
        ? { beganMs: nowMs, count: 0 }
        : known;
    const isFull = minute.count >= FIXED.secretTestsPerMinute;
    if (isFull || this.#running >= FIXED.secretTestsAtOnceMax) {
      const leftMs = isFull ? minute.beganMs + MINUTE_MS - nowMs : 1_000;
      throw new ControlError('rate_limited', {
        message: 'Too many tests of secrets.',
        retryAfterS: Math.ceil(leftMs / 1_000),
      });
    }
    this.#minutes.set(organizationId, { ...minute, count: minute.count + 1 });
  }
}

/**
 * Where to ask when no URL is given: the first host that is named exactly, a path that the secret permits.
 * `undefined`: there is none.
 */
export function readTestUrl({ hosts, ports, paths }: Secret): string | undefined {
  const host = hosts.find((one) => !one.includes('*'));
  const path = paths === null ? '/' : paths.find((one) => !one.includes('*'));
  const [port] = ports.includes(443) ? [443] : ports;
  if (host === undefined || path === undefined || port === undefined) return undefined;
  return `https://${host}${port === 443 ? '' : `:${port}`}${path}`;
}

/** A workspace the key reaches and the secret allows. */
function workspaceFor(actor: Actor, secret: Secret): ProbeHolder {
  const allowed =
    secret.allowedWorkspacesType === 'SOME'
      ? secret.allowedWorkspaces.filter((id) => actor.workspaceIds?.includes(id) ?? true)
      : (actor.workspaceIds ?? []);
  return { sandboxId: null, workspaceId: allowed[0] ?? null };
}

/** As the audit shows paths: without the query, where a credential could stand. */
function shownUrl({ scheme, host, port, target }: RequestHead): string {
  return `${scheme}://${host.text}:${port}${splitQuery(target).path}`;
}
