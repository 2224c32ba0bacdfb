/**
 * The composition root, first half: opens the core and, while the store's thread opens the database, loads
 * the code of both planes; then starts them. Everything is taken down in the reverse order (connections,
 * then usage and audit, then the store).
 */
import type { Logger } from '../src/kernel/logger.ts';
import type { Settings } from '../src/settings/settings.ts';
import { composeCore } from './compose-core.ts';
import type { Sallyport } from './sallyport.ts';

export interface SallyportOptions {
  readonly settings: Settings;
  readonly environment: {
    /** `SALLYPORT_BOOTSTRAP_KEY`: the first admin key instead of a minted one. */
    readonly bootstrapKey: string | null;
    /** `SALLYPORT_ROOT_KEY`: a key that acts on every organization. */
    readonly rootKey?: string | null;
    /** `SALLYPORT_MASTER_KEY`: base64 of 32 bytes, instead of the key file. */
    readonly masterKey: string | null;
  };
}

/** Starts everything. Rejects with StartError, after closing what was already open. */
export async function startSallyport(options: SallyportOptions): Promise<Sallyport> {
  const { settings, environment } = options;
  const opening = composeCore(settings, environment.masterKey);
  // Loading them takes as long as opening the database in its own thread: both at once.
  const loading = import('./compose-planes.ts');
  const [core, { startPlanes }] = await Promise.all([opening, loading]);
  const closers: (() => Promise<void>)[] = [() => core.close()];
  const stopGuard = guardProcess(core.logger);
  closers.unshift(async () => {
    stopGuard();
  });
  const closeAll = async (): Promise<void> => {
    for (const close of closers.toReversed()) await close();
  };
  try {
    const { bootstrapKey, rootKey = null } = environment;
    return await startPlanes({ settings, core, closers, bootstrapKey, rootKey });
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/**
 * The last resort: an error that no part foresaw ends what it happened in, not the connections of everybody
 * else. Every exchange keeps its own state, so nothing shared is left half-done. Tests fail on this line.
 */
function guardProcess(logger: Logger): () => void {
  const onError = (error: unknown): void => {
    logger.error({ err: error }, 'unforeseen error');
  };
  process.on('uncaughtException', onError);
  process.on('unhandledRejection', onError);
  return () => {
    process.off('uncaughtException', onError);
    process.off('unhandledRejection', onError);
  };
}
