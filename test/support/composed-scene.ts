/**
 * The product composed in the process of the test, so that a test can reach its seams: break the Nth call to
 * the store, the Nth dial, the Nth write, or turn the clock. The same parts as `serve`, no process around them.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { composeCore } from '../../cli/compose-core.ts';
import type { Core } from '../../cli/compose-core.ts';
import { startPlanes } from '../../cli/compose-planes.ts';
import { loadSettings } from '../../src/settings/load-settings.ts';
import { AdminClient } from './admin.ts';
import type { Endpoint } from './client.ts';
import type { TestSandbox } from './product.ts';

const ADMIN_KEY = 'not-a-real-admin-key';

export interface ComposedOptions {
  /** Test names → `HOST:PORT` of local origins. */
  readonly hosts: Readonly<Record<string, string>>;
  /** PEM of the authority the origins' certificates come from. */
  readonly originCa: string;
  /** Dotted keys. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

export interface ComposedScene extends AsyncDisposable {
  readonly core: Core;
  readonly admin: AdminClient;
  readonly proxy: Endpoint;
  readonly caPem: string;
  readonly dataDirectory: string;
  readonly clientBytes: Buffer[];
  /** `secrets`: names by environment variable; `more`: other fields of `POST /sandboxes`. */
  createSandbox(
    secrets: Readonly<Record<string, string>>,
    more?: Readonly<Record<string, unknown>>,
  ): Promise<TestSandbox>;
}

export async function composeScene(options: ComposedOptions): Promise<ComposedScene> {
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-composed-'));
  const caFile = path.join(directory, 'origin-ca.pem');
  writeFileSync(caFile, options.originCa);
  const { settings } = loadSettings({
    file: null,
    env: {},
    cwd: directory,
    flags: {
      data_dir: path.join(directory, 'data'),
      'proxy.listen': '127.0.0.1:0',
      'admin.listen': '127.0.0.1:0',
      'egress.hosts': options.hosts,
      'egress.allow_private': ['127.0.0.0/8'],
      'egress.extra_ca': [caFile],
      'log.level': 'silent',
      ...options.settings,
    },
  });
  const core = await composeCore(settings, null);
  const closers: (() => Promise<void>)[] = [() => core.close()];
  const planes = await startPlanes({ settings, core, closers, bootstrapKey: ADMIN_KEY });
  const [host = '', port = ''] = planes.proxyAddress.split(':');
  const admin = new AdminClient(`http://${planes.adminAddress}`, ADMIN_KEY);
  return {
    core,
    admin,
    proxy: { host, port: Number(port) },
    caPem: core.authority.caPem,
    dataDirectory: settings.dataDir,
    clientBytes: [],
    createSandbox: async (secrets, more) => {
      const made = await admin.must('POST', '/sandboxes', {
        name: `box-${core.clock.nowMs()}`,
        secrets,
        ...more,
      });
      const {
        id,
        env,
        files,
        proxy_token: token,
      } = made as {
        readonly id: string;
        readonly env: Readonly<Record<string, string>>;
        readonly files: Readonly<Record<string, string>>;
        readonly proxy_token: string;
      };
      const proxyUrl = `http://sandbox:${token}@${host}:${port}`;
      return { id, token, env, files, placeholders: env, proxyUrl };
    },
    async [Symbol.asyncDispose]() {
      await planes.close({ hasten: true });
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
