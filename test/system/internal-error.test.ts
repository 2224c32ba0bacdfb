/**
 * `internal_error` (spec section 11, last row): what nobody foresaw says nothing outside and everything in
 * the log, is not forwarded, and leaves its event. Composed in this process, with an opener that breaks.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { composeCore } from '../../cli/compose-core.ts';
import { composeDataPlane } from '../../cli/compose-data-plane.ts';
import { startPlanes } from '../../cli/compose-planes.ts';
import type { Core } from '../../cli/compose-core.ts';
import { loadSettings } from '../../src/settings/load-settings.ts';
import { AdminClient } from '../support/admin.ts';
import { openTunnel } from '../support/client.ts';
import { Origin } from '../support/origin.ts';
import { TestAuthority } from '../support/test-authority.ts';

const HOST = 'api.example.test';
const ADMIN_KEY = 'not-a-real-admin-key';

test('I2, I4: a broken opener: 500, nothing forwarded, one event, no detail outside', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-internal-'));
  const authority = new TestAuthority();
  await using origin = await Origin.start({ leaf: authority.mintLeaf([HOST]) });
  const caFile = path.join(directory, 'origin-ca.pem');
  writeFileSync(caFile, authority.caPem);
  const { settings } = loadSettings({
    file: null,
    env: {},
    cwd: directory,
    flags: {
      data_dir: path.join(directory, 'data'),
      'proxy.listen': '127.0.0.1:0',
      'admin.listen': '127.0.0.1:0',
      'egress.hosts': { [HOST]: origin.address },
      'egress.allow_private': ['127.0.0.0/8'],
      'egress.extra_ca': [caFile],
      'log.level': 'silent',
    },
  });
  const whole = await composeCore(settings, null);
  const logged: unknown[] = [];
  const logger = {
    ...silent,
    error: (fields: Record<string, unknown>) => logged.push(fields['err']),
  };
  const core: Core = { ...whole, logger };
  const closers: (() => Promise<void>)[] = [() => whole.close()];
  const planes = await startPlanes({ settings, core, closers, bootstrapKey: ADMIN_KEY });
  const broken = await composeDataPlane({
    ...core,
    settings,
    neverIntercept: [],
    parentCredentials: null,
    publicPrefixes: [],
    opener: {
      openValue() {
        throw new TypeError('a secret detail of the inside');
      },
    },
  });
  closers.push(() => broken.close());
  const admin = new AdminClient(`http://${planes.adminAddress}`, ADMIN_KEY);
  const value = 'not-a-real-key-0123456789';
  await admin.post('/secrets', { name: 'api', value, auth: { type: 'bearer' }, hosts: [HOST] });
  const made = (await admin.post('/sandboxes', { name: 'box', secrets: { KEY: 'api' } })).json as {
    id: string;
    proxy_token: string;
  };
  const tunnel = await openTunnel({
    proxy: broken.proxy.address,
    authority: `${HOST}:443`,
    token: made.proxy_token,
    ca: core.authority.caPem,
  });

  const response = await tunnel.request({ method: 'GET', path: '/' });

  expect([response.status, response.field('x-should-retry')]).toEqual([500, 'false']);
  expect(response.json()).toMatchObject({ error: { code: 'internal_error', retryable: false } });
  expect(response.text()).not.toContain('secret detail');
  expect(logged.map(String)).toEqual([expect.stringContaining('a secret detail of the inside')]);
  expect(origin.requests).toEqual([]);
  tunnel.destroy();
  await core.trail.flush();
  const log = (await admin.get(`/sandboxes/${made.id}/network`)).json as {
    data: { error_code?: string }[];
  };
  expect(log.data.map((row) => row.error_code)).toEqual(['internal_error']);
  for (const close of closers.toReversed()) await close();
  rmSync(directory, { recursive: true, force: true });
});

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child() {
    return this;
  },
};
