/**
 * Schemathesis, which knows nothing of us but the OpenAPI document, against the whole product: no 5xx, no
 * status, content type or body that the document does not promise. Our own fuzzing (openapi-fuzz.test.ts)
 * goes deeper; this one does not share its mistakes. Without python3 and venv it is not registered, which CI
 * refuses (python-clients.test.ts).
 */
import { expect, test } from 'vitest';
import { startProduct } from '../support/product.ts';
import { STAGED_HOSTS, stageOrganization } from '../support/staged-organization.ts';
import { runTool } from '../support/tool.ts';
import { hasPython, preparePython } from './python-environment.ts';

const TIMEOUT_MS = 300_000;
const ROOT_KEY = 'sp_live_not-a-real-root-key-of-a-test-00000000';
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
];

test.each(hasPython() ? ['X-API-Key'] : [])(
  'the document is kept, as seen with %s',
  async (field) => {
    const python = await preparePython();
    await using product = await startProduct({
      hosts: STAGED_HOSTS,
      env: { SALLYPORT_ROOT_KEY: ROOT_KEY },
    });
    const { admin } = await stageOrganization(product.admin.withKey(ROOT_KEY), 'tenant');
    // The environment was moved to its place, so its scripts do not find their interpreter.
    const command = ['-m', 'schemathesis.cli', 'run', `${admin.origin}/openapi.json`];
    const who = ['--header', `${field}: ${admin.key}`];
    const what = ['--checks', CHECKS.join(','), '--phases', 'examples,fuzzing'];
    const much = ['--max-examples', '3', '--seed', '20261122', '--workers', '2', '--no-color'];
    // A stream without end is not an answer to wait for.
    const args = [...command, ...who, ...what, ...much, '--exclude-path', '/events'];
    const env = { NO_PROXY: '*', HOME: product.directory };
    const { stdout, stderr, code } = await runTool(python, args, {
      env,
      cwd: product.directory,
      timeoutMs: TIMEOUT_MS,
    });
    if (code !== 0) throw new Error(stdout + stderr);
    expect(stdout).toMatch(/Test cases:\n {2}\d{3,} generated, \d{3,} passed/);
  },
  TIMEOUT_MS,
);
