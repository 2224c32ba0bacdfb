/** A certificate authority on a real store and vault, in directories that end with the test. */
import { openCertificateAuthority } from '../../src/ca/authority.ts';
import type { CertificateAuthority } from '../../src/ca/authority.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/limits.ts';
import { openVault } from '../../src/vault/open-vault.ts';
import { openStore, temporaryDirectory } from '../store/temporary-store.ts';

export async function openAuthority(
  options: { readonly dataDir?: string; readonly clock?: Clock } = {},
): Promise<CertificateAuthority> {
  const dataDir = options.dataDir ?? temporaryDirectory();
  const store = await openStore(dataDir);
  const { instance } = store;
  const limits = DEFAULT_LIMITS;
  const vault = await openVault({ instance, limits, dataDir, masterKey: null, keyFile: null });
  const clock = options.clock ?? systemClock;
  try {
    return await openCertificateAuthority({ instance, vault, limits, clock });
  } finally {
    // The authority has read what it needs, and a test may open the same directory again.
    await store.close();
  }
}
