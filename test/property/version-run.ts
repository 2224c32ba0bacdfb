/**
 * The versions of one secret told twice: through the API, and as a small model. `VersionRun` does a step to
 * both and compares what the API shows, what the store keeps and what the proxy would use.
 */
import { expect } from 'vitest';
import type { AdminFixture } from '../admin-api/admin-fixture.ts';

/** As `secrets.versions_kept` of the fixture. */
export const KEPT = 3;

export type Step =
  | { readonly kind: 'rotate'; readonly overlaps: boolean }
  | { readonly kind: 'widen' | 'disable' | 'enable' | 'describe' }
  | { readonly kind: 'rollback' | 'pin'; readonly version: number }
  | { readonly kind: 'unpin'; readonly index: number };

interface Pin {
  readonly sandboxId: string;
  readonly version: number;
}

class Model {
  active = 1;
  highest = 1;
  oldestUsable = 1;
  overlap: number | null = null;
  disabled = false;
  readonly living = new Set([1]);
  pins: Pin[] = [];

  rotate(overlaps: boolean): void {
    this.overlap = overlaps ? this.active : null;
    this.highest += 1;
    this.active = this.highest;
    this.living.add(this.active);
    const newest = [...this.living].toSorted((one, other) => other - one).slice(0, KEPT);
    const used = [this.active, this.overlap, ...this.pins.map((pin) => pin.version)];
    for (const one of this.living) {
      if (!newest.includes(one) && !used.includes(one)) this.living.delete(one);
    }
  }

  /** The answer to a rollback. */
  rollbackStatus(to: number): number {
    if (to === this.active) return 200;
    if (to > this.highest) return 400;
    return this.living.has(to) && to >= this.oldestUsable ? 200 : 409;
  }
}

export class VersionRun {
  readonly model = new Model();
  readonly name: string;
  readonly #admin: AdminFixture;
  #hosts = 1;

  constructor(admin: AdminFixture, name: string) {
    this.#admin = admin;
    this.name = name;
  }

  async apply(one: Step): Promise<void> {
    const { model } = this;
    switch (one.kind) {
      case 'rotate': {
        const overlaps = one.overlaps && !model.disabled;
        await this.#patch({ value: 'new', ...(overlaps ? { overlap_seconds: 600 } : {}) });
        model.rotate(overlaps);
        return;
      }
      case 'widen':
        this.#hosts += 1;
        await this.#patch({ value: 'new', hosts: this.#hostNames() });
        model.oldestUsable = model.highest + 1;
        model.rotate(false);
        return;
      case 'disable':
      case 'enable':
        model.disabled = one.kind === 'disable';
        if (model.disabled) model.overlap = null;
        await this.#patch({ disabled: model.disabled });
        return;
      case 'describe':
        await this.#patch({ description: 'said again' });
        return;
      case 'rollback':
        await this.#rollBack(one.version);
        return;
      case 'pin':
        await this.#pin(one.version);
        return;
      case 'unpin':
        await this.#unpin(one.index);
    }
  }

  async check(): Promise<void> {
    const { model } = this;
    const secret = (await this.#admin.call('GET', `/secrets/${this.name}`)).json;
    same([secret.version, secret.overlap_ends_at !== null], [model.active, model.overlap !== null]);
    const rows = (await this.#admin.call('GET', `/secrets/${this.name}/versions`))
      .json as readonly {
      readonly version: number;
      readonly active: boolean;
      readonly destroyed: boolean;
    }[];
    const numbers = Array.from({ length: model.highest }, (_, index) => model.highest - index);
    same(
      rows.map((row) => row.version),
      numbers,
    );
    same(
      rows.filter((row) => row.active).map((row) => row.version),
      [model.active],
    );
    const living = rows.filter((row) => !row.destroyed).map((row) => row.version);
    same(
      living.toReversed(),
      [...model.living].toSorted((one, other) => one - other),
    );
    for (const pin of model.pins) await this.#checkPolicy(pin.sandboxId, pin.version, null);
  }

  /** What the proxy would use for a sandbox. */
  async #checkPolicy(sandboxId: string, used: number, overlap: number | null): Promise<void> {
    const snapshot = await this.#admin.feed.snapshotOf(sandboxId);
    const binding = snapshot?.bindings[0];
    same(binding?.version?.version, used);
    same(binding?.overlap?.version.version ?? null, overlap);
    const isCutOff = used < this.model.oldestUsable;
    const expected = isCutOff
      ? 'credential_revoked'
      : this.model.disabled
        ? 'credential_disabled'
        : null;
    same(binding?.tombstone, expected);
  }

  checkFollower(sandboxId: string): Promise<void> {
    return this.#checkPolicy(sandboxId, this.model.active, this.model.overlap);
  }

  async #rollBack(to: number): Promise<void> {
    const { model } = this;
    const path = `/secrets/${this.name}/rollback`;
    const { status } = await this.#admin.call('POST', path, { version: to });
    same(status, model.rollbackStatus(to));
    if (status !== 200 || to === model.active) return;
    model.active = to;
    model.overlap = null;
  }

  async #pin(to: number): Promise<void> {
    const { model } = this;
    const secrets = { KEY: `default:default:${this.name}:${to}` };
    const { status, json } = await this.#admin.call('POST', '/sandboxes', {
      name: 'pinned',
      secrets,
    });
    const isPossible = model.living.has(to) && to >= model.oldestUsable;
    same(status, isPossible ? 201 : 400);
    if (isPossible) model.pins.push({ sandboxId: json.id, version: to });
  }

  async #unpin(index: number): Promise<void> {
    const pin = this.model.pins[index];
    if (pin === undefined) return;
    const { status } = await this.#admin.call('DELETE', `/sandboxes/${pin.sandboxId}`);
    same(status, 204);
    this.model.pins = this.model.pins.filter((other) => other !== pin);
  }

  async #patch(body: Readonly<Record<string, unknown>>): Promise<void> {
    const { status } = await this.#admin.call('PATCH', `/secrets/${this.name}`, body);
    same(status, 200);
  }

  #hostNames(): string[] {
    return Array.from({ length: this.#hosts }, (_, index) => `h${index}.example.com`);
  }
}

function same(actual: unknown, expected: unknown): void {
  expect(actual).toEqual(expected);
}
