/**
 * The published Python clients of three systems, unmodified, against a real port. Registered only where
 * python3 with venv is: `.ci/run` installs it.
 */
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startAdmin, type AdminListener } from '../../admin-api/start.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/limits.ts';
import { startAdminFixture, type AdminFixture } from '../admin-api/admin-fixture.ts';
import { runTool } from '../support/tool.ts';
import { hasPython, preparePython } from './python-environment.ts';

const INSTALL_TIMEOUT_MS = 300_000;
const CLIENT_TIMEOUT_MS = 60_000;

if (hasPython()) describe('published Python clients', definePythonTests);
else {
  test('python3 with venv is there, or this is nobody’s proof', () => {
    process.stdout.write('no python3 with venv: the published Python clients are not driven\n');
    expect(process.env['CI']).toBeUndefined();
  });
}

function definePythonTests(): void {
  let python: string;
  let admin: AdminFixture;
  let listener: AdminListener;

  beforeAll(async () => {
    python = await preparePython();
    admin = await startAdminFixture();
    for (const name of ['workspace1', 'workspace2']) {
      await admin.call('POST', '/workspaces', { name });
    }
    listener = await startAdmin({
      handler: admin.handler,
      listen: { host: '127.0.0.1', port: 0 },
      logger: admin.deps.logger,
      limits: DEFAULT_LIMITS,
    });
  }, INSTALL_TIMEOUT_MS);

  afterAll(async () => {
    await listener.close();
    await admin[Symbol.asyncDispose]();
  });

  async function drive(script: string): Promise<void> {
    const file = path.join(import.meta.dirname, 'clients', script);
    const env = {
      API: `http://${listener.address}`,
      KEY: admin.key,
      NO_PROXY: '*',
      PYTHONDONTWRITEBYTECODE: '1',
      HOME: '/nonexistent',
    };
    const result = await runTool(python, [file], { env, timeoutMs: CLIENT_TIMEOUT_MS });
    expect(result.code === 0 ? result.stdout : result.stderr).toMatch(/ok\n$/);
  }

  test(
    'instabase-aihub: create, list, update, delete',
    async () => {
      await drive('drive_instabase.py');
      const left = await admin.call('GET', '/secrets/py_left');
      expect(left.json).toMatchObject({ auth_kind: 'none', usable: false });
    },
    CLIENT_TIMEOUT_MS,
  );

  test(
    'truefoundry: all nine calls of secrets and secret groups',
    async () => {
      await drive('drive_truefoundry.py');
      expect((await admin.call('GET', '/secrets/py-left:A')).status).toBe(200);
    },
    CLIENT_TIMEOUT_MS,
  );

  test(
    'superserve: secrets, providers, sandboxes, bindings, logs',
    async () => {
      await drive('drive_superserve.py');
    },
    CLIENT_TIMEOUT_MS,
  );
}
