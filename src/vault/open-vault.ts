/**
 * Opens the vault at start: finds the master key, and proves with a sealed check item in the database
 * that it is the one this database was sealed with. Otherwise no start, with a sentence that says
 * whether the key is missing or wrong (I8).
 */
import { StartError } from '../kernel/errors.ts';
import type { Limits } from '../kernel/limits.ts';
import type { InstanceStore } from '../store/instance-store.ts';
import { EnvelopeFault, readKeyId } from './envelope.ts';
import { Keyring } from './keyring.ts';
import { nameOfSource, readMasterKeys } from './master-key.ts';
import type { MasterKeySource } from './master-key.ts';
import { Vault } from './vault.ts';

export interface VaultOptions extends MasterKeySource {
  readonly instance: InstanceStore;
  readonly limits: Pick<Limits, 'openedValuesMax'>;
}

/** Proves the master key at every start. */
export const CHECK_ITEM = 'vault.key_check';

/** Makes the key file if nothing was ever sealed here. Throws StartError. */
export async function openVault(options: VaultOptions): Promise<Vault> {
  const stored = await options.instance.readInstanceItem(CHECK_ITEM);
  const keyring = new Keyring(readMasterKeys(options, { mayMint: stored === undefined }));
  const vault = new Vault(keyring, options.limits);
  const check =
    stored ??
    (await options.instance.insertInstanceItem(
      CHECK_ITEM,
      vault.sealItem(CHECK_ITEM, Buffer.from(CHECK_ITEM)),
    ));
  prove(vault, keyring, check, nameOfSource(options));
  return vault;
}

function prove(vault: Vault, keyring: Keyring, check: Uint8Array, source: string): void {
  try {
    vault.openItem(CHECK_ITEM, check);
  } catch (cause) {
    if (cause instanceof EnvelopeFault && cause.reason === 'unknown_key') {
      throw new StartError(
        `The master key is wrong: this database was sealed with key ${readKeyId(check)}, ${source} holds ${keyring.ids.join(', ')}.`,
        'Use the key this database was made with, or another data_dir.',
        { cause },
      );
    }
    throw new StartError(
      'The key check in the database is damaged; it cannot be shown that the master key fits.',
      'Restore the database from a backup.',
      { cause },
    );
  }
}
