/**
 * The vault: values go in by `sealValue`, and come out only against a permit (I2). Opened values that can
 * be placed on a request stay in a bounded cache by version, so a warm request costs no decryption; the
 * permit is asked for every time. Never logs, never names a value in an error.
 */
import { BoundedMap } from '../kernel/bounded-map.ts';
import { ControlError, Refusal } from '../kernel/errors.ts';
import { Hidden } from '../kernel/hidden.ts';
import { FIXED } from '../kernel/limits.ts';
import type { Limits } from '../kernel/limits.ts';
import { Permit } from '../policy/permit.ts';
import type { ValueOpener } from '../policy/value-opener.ts';
import type { SealedVersion } from '../secrets/secret.ts';
import type { ValueReader } from '../secrets/value-reader.ts';
import type { ValueContext, ValueSealer } from '../secrets/value-sealer.ts';
import { EnvelopeFault, encodeContext, openEnvelope, sealEnvelope } from './envelope.ts';
import type { SealedPlace } from './envelope-store.ts';
import { webhookItem } from './webhook-signer.ts';
import type { Keyring, MasterKey } from './keyring.ts';

interface OpenedValue {
  readonly organizationId: string;
  readonly secretId: string;
  readonly value: Hidden;
}

/** Sealed blobs of the instance itself, bound to their name. */
interface ItemVault {
  sealItem(name: string, content: Uint8Array): Uint8Array;
  /** Throws EnvelopeFault. */
  openItem(name: string, sealed: Uint8Array): Uint8Array;
}

export class Vault implements ValueSealer, ValueOpener, ValueReader, ItemVault {
  #keyring: Keyring;
  readonly #opened: BoundedMap<string, OpenedValue>;

  constructor(keyring: Keyring, limits: Pick<Limits, 'openedValuesMax'>) {
    this.#keyring = keyring;
    this.#opened = new BoundedMap(limits.openedValuesMax);
  }

  get activeKeyId(): string {
    return this.#keyring.active.id;
  }

  holdsKey(id: string): boolean {
    return this.#keyring.readKey(id) !== undefined;
  }

  /** From now on the first of these seals. Those known before go on opening: snapshots may hold envelopes of theirs. */
  useKeys(keys: readonly MasterKey[]): void {
    this.#keyring = this.#keyring.succeededBy(keys);
  }

  /** What is sealed there, sealed anew with the active key. Throws EnvelopeFault. */
  reseal(place: SealedPlace): Uint8Array {
    const { id, organizationId, secretId, sealed } = place;
    const context =
      place.kind === 'version'
        ? contextOf({ organizationId, secretId, versionId: id })
        : encodeContext('item', place.kind === 'webhook' ? webhookItem(id) : id);
    const content = openEnvelope(this.#keyring, context, sealed);
    const anew = sealEnvelope(this.#keyring, context, content);
    content.fill(0);
    return anew;
  }

  /** ControlError `bad_request` for text that UTF-8 cannot carry unchanged. */
  sealValue(context: ValueContext, value: Hidden): Uint8Array {
    const text = value.reveal();
    if (!text.isWellFormed()) {
      throw new ControlError('bad_request', {
        message: 'The value is not valid Unicode text.',
        details: [{ path: 'value', message: 'expected text without lone surrogates' }],
      });
    }
    const bytes = Buffer.from(text, 'utf8');
    const sealed = sealEnvelope(this.#keyring, contextOf(context), bytes);
    bytes.fill(0);
    return sealed;
  }

  /** Refusal `credential_unavailable` when the permit is not one, or the envelope does not open. */
  openValue(permit: Permit): Hidden {
    if (!isGenuine(permit)) throw unavailable('not a permit', undefined);
    const { organizationId, secretId, version } = permit.scope;
    if (version.organizationId !== organizationId || version.secretId !== secretId) {
      throw unavailable('the permit names another secret', undefined);
    }
    const warm = this.#opened.get(version.id);
    if (warm?.organizationId === organizationId && warm.secretId === secretId) return warm.value;
    const value = this.openVersion(version);
    if (value.reveal().length <= FIXED.placeableValueBytesMax) {
      this.#opened.set(version.id, { organizationId, secretId, value });
    }
    return value;
  }

  /**
   * Without a permit, for an admin's `reveal` alone (control plane, configured, audited); uncached.
   * Refusal `credential_unavailable`.
   */
  openVersion(version: SealedVersion): Hidden {
    const { organizationId, secretId, id: versionId } = version;
    try {
      const context = contextOf({ organizationId, secretId, versionId });
      const bytes = openEnvelope(this.#keyring, context, version.sealed);
      const value = new Hidden(bytes.toString('utf8'));
      bytes.fill(0);
      return value;
    } catch (cause) {
      throw unavailable(cause instanceof EnvelopeFault ? cause.reason : 'unknown reason', cause);
    }
  }

  /** What does not open is not the same: it can still be written over. */
  isSameValue(version: SealedVersion, value: Hidden): boolean {
    try {
      return this.openVersion(version).reveal() === value.reveal();
    } catch (error) {
      if (error instanceof Refusal) return false;
      throw error;
    }
  }

  sealItem(name: string, content: Uint8Array): Uint8Array {
    return sealEnvelope(this.#keyring, encodeContext('item', name), content);
  }

  openItem(name: string, sealed: Uint8Array): Uint8Array {
    return openEnvelope(this.#keyring, encodeContext('item', name), sealed);
  }
}

function contextOf({ organizationId, secretId, versionId }: ValueContext): Buffer {
  return encodeContext('value', organizationId, secretId, versionId);
}

function isGenuine(permit: Permit): boolean {
  try {
    return Permit.isGenuine(permit);
  } catch {
    return false;
  }
}

function unavailable(auditDetail: string, cause: unknown): Refusal {
  return new Refusal('credential_unavailable', { auditDetail, cause });
}
