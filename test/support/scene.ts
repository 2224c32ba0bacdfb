/**
 * The usual stage of a system test: one authority, one HTTPS origin that answers for several names, and
 * the product that reaches it by those names. Dispose it; the origin and the product go with it.
 */
import { Origin } from './origin.ts';
import type { OriginOptions } from './origin.ts';
import { startProduct } from './product.ts';
import type { Product, SettingsTree } from './product.ts';
import { TestAuthority } from './test-authority.ts';

export interface SceneOptions extends Omit<OriginOptions, 'leaf'> {
  /** Names the origin has a certificate for and the product resolves to it. */
  readonly names: readonly string[];
  readonly settings?: SettingsTree;
  /** More `egress.hosts`. */
  readonly hosts?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Scene extends AsyncDisposable {
  readonly authority: TestAuthority;
  readonly origin: Origin;
  readonly product: Product;
}

export async function startScene(options: SceneOptions): Promise<Scene> {
  const authority = new TestAuthority();
  const origin = await Origin.start({ ...options, leaf: authority.mintLeaf(options.names) });
  const hosts = Object.fromEntries(options.names.map((name) => [name, origin.address]));
  const product = await startProduct({
    hosts: { ...hosts, ...options.hosts },
    originCa: authority.caPem,
    ...(options.settings === undefined ? {} : { settings: options.settings }),
    ...(options.env === undefined ? {} : { env: options.env }),
  }).catch(async (error: unknown) => {
    await origin.close();
    throw error;
  });
  return {
    authority,
    origin,
    product,
    async [Symbol.asyncDispose]() {
      await product[Symbol.asyncDispose]();
      await origin.close();
    },
  };
}
