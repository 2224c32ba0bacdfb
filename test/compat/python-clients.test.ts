/**
 * The published Python clients of three systems, unmodified, against a real port: each script in
 * `clients/` makes its own assertions. Without python3 and venv they are not registered, which CI refuses.
 */
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAdmin, type AdminListener } from '../../admin-api/start.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/limits.ts';
import { startAdminFixture, type AdminFixture } from '../admin-api/admin-fixture.ts';
import { runTool, type ToolResult } from '../support/tool.ts';
import { hasPython, preparePython } from './python-environment.ts';

const INSTALL_TIMEOUT_MS = 300_000;
const CLIENT_TIMEOUT_MS = 60_000;
const isHere = hasPython();

let python: string | null = null;
let admin: AdminFixture;
let listener: AdminListener;

beforeAll(async () => {
  if (isHere) python = await preparePython();
  else process.stdout.write('no python3 with venv: the published Python clients are not driven\n');
  admin = await startAdminFixture();
  for (const name of ['workspace1', 'workspace2'])
    await admin.call('POST', '/workspaces', { name });
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

function drive(script: string): Promise<ToolResult> {
  const env = {
    API: `http://${listener.address}`,
    KEY: admin.key,
    NO_PROXY: '*',
    PYTHONDONTWRITEBYTECODE: '1',
    HOME: '/nonexistent',
  };
  const file = path.join(import.meta.dirname, 'clients', script);
  return runTool(python ?? 'python3', [file], { env, timeoutMs: CLIENT_TIMEOUT_MS });
}

test('CI has python3 with venv', () => {
  expect(isHere || process.env['CI'] === undefined).toBe(true);
});

const CLIENTS = [
  ['instabase-aihub', 'drive_instabase.py', 'py_left'],
  ['truefoundry', 'drive_truefoundry.py', 'py-left:A'],
  ['superserve', 'drive_superserve.py', 'py-left'],
] as const;

test.each(isHere ? CLIENTS : [])(
  '%s: every call its documentation shows of secrets',
  async (_client, script, left) => {
    const { code, stdout, stderr } = await drive(script);
    expect(code === 0 ? stdout : stderr).toMatch(/ok\n$/);
    expect((await admin.call('GET', `/secrets/${left}`)).status).toBe(200);
  },
  CLIENT_TIMEOUT_MS,
);
