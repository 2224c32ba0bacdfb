/**
 * Every native auth type, from outside: what a sandbox sends with its placeholder or with nothing, and
 * exactly which credential fields arrive at the origin.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { valuesOf } from '../support/origin.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

interface AuthCase {
  readonly name: string;
  readonly host: string;
  readonly secret: Readonly<Record<string, unknown>>;
  /** The field the placeholder is sent in, as a client of that API would. */
  readonly sent: (placeholder: string) => readonly [field: string, value: string];
  /** What has to arrive: field (lower case) → its only value. */
  readonly arrives: (value: string) => Readonly<Record<string, string>>;
}

const CASES: readonly AuthCase[] = [
  {
    name: 'bearer',
    host: 'bearer.example.test',
    secret: { auth: { type: 'bearer' } },
    sent: (placeholder) => ['Authorization', `Bearer ${placeholder}`],
    arrives: (value) => ({ authorization: `Bearer ${value}` }),
  },
  {
    name: 'basic with a username',
    host: 'basic.example.test',
    secret: { auth: { type: 'basic', username: 'ci-bot' } },
    sent: (placeholder) => ['Authorization', basic('somebody', placeholder)],
    arrives: (value) => ({ authorization: basic('ci-bot', value) }),
  },
  {
    name: 'basic keeps the name beside the placeholder',
    host: 'basic-free.example.test',
    secret: { auth: { type: 'basic' } },
    sent: (placeholder) => ['Authorization', basic('alice', placeholder)],
    arrives: (value) => ({ authorization: basic('alice', value) }),
  },
  {
    name: 'api-key',
    host: 'key.example.test',
    secret: { auth: { type: 'api-key', header: 'X-Api-Key' } },
    sent: (placeholder) => ['x-api-key', placeholder],
    arrives: (value) => ({ 'x-api-key': value }),
  },
  {
    name: 'api-key with a prefix',
    host: 'prefix.example.test',
    secret: { auth: { type: 'api-key', header: 'Authorization', prefix: 'Token token=' } },
    sent: (placeholder) => ['Authorization', `Token token=${placeholder}`],
    arrives: (value) => ({ authorization: `Token token=${value}` }),
  },
  {
    name: 'custom',
    host: 'custom.example.test',
    secret: {
      auth: {
        type: 'custom',
        headers: { 'X-Auth-Key': '{{ value }}', 'X-Auth-Line': 'v1;{{ value }};end' },
      },
    },
    sent: (placeholder) => ['X-Auth-Key', placeholder],
    arrives: (value) => ({ 'x-auth-key': value, 'x-auth-line': `v1;${value};end` }),
  },
  {
    name: 'per_host, first rule',
    host: 'api.per-host.example.test',
    secret: {
      auth: {
        per_host: [
          { hosts: ['api.per-host.example.test'], type: 'bearer' },
          { hosts: ['git.per-host.example.test'], type: 'basic', username: 'x-access-token' },
        ],
      },
      hosts: ['api.per-host.example.test', 'git.per-host.example.test'],
    },
    sent: (placeholder) => ['Authorization', `token ${placeholder}`],
    arrives: (value) => ({ authorization: `Bearer ${value}` }),
  },
  {
    name: 'per_host, second rule',
    host: 'git.per-host-2.example.test',
    secret: {
      auth: {
        per_host: [
          { hosts: ['api.per-host-2.example.test'], type: 'bearer' },
          { hosts: ['git.per-host-2.example.test'], type: 'basic', username: 'x-access-token' },
        ],
      },
      hosts: ['api.per-host-2.example.test', 'git.per-host-2.example.test'],
    },
    sent: (placeholder) => ['Authorization', basic('git', placeholder)],
    arrives: (value) => ({ authorization: basic('x-access-token', value) }),
  },
];

let scene: Scene;
const values = CASES.map(() => mintCanary());

beforeAll(async () => {
  scene = await startScene({ names: CASES.map(({ host }) => host) });
  for (const [i, { host, secret }] of CASES.entries()) {
    await scene.product.createSecret(`secret_${i}`, values[i] ?? '', { hosts: [host], ...secret });
  }
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

describe.each(CASES.map((authCase, i) => ({ ...authCase, i })))('$name', (row) => {
  const value = values[row.i] ?? '';

  test('is set in the place of the placeholder', async () => {
    const { product, origin } = scene;
    const sandbox = await product.createSandbox({ secrets: { THE_KEY: `secret_${row.i}` } });
    const placeholder = sandbox.placeholders['THE_KEY'] ?? '';
    using tunnel = await product.openTunnel(sandbox, `${row.host}:443`);
    const answer = await tunnel.request({ path: '/v1', fields: row.sent(placeholder) });
    expect(answer.status).toBe(200);
    const { rawHeaders } = origin.last;
    for (const [name, expected] of Object.entries(row.arrives(value))) {
      expect(valuesOf(rawHeaders, name)).toEqual([expected]);
    }
    expect(rawHeaders.join('\n')).not.toContain(placeholder);
    expect(valuesOf(rawHeaders, 'proxy-authorization')).toEqual([]);
    await product.assertNoLeak(value);
  });

  test('is injected by host, and what the client put there is gone', async () => {
    const { product, origin } = scene;
    const sandbox = await product.createSandbox({ secrets: { THE_KEY: `secret_${row.i}` } });
    using tunnel = await product.openTunnel(sandbox, `${row.host}:443`);
    const fields = Object.keys(row.arrives('')).flatMap((name) => [
      name.toUpperCase(),
      'own-one',
      name,
      'own-two',
      name.replaceAll('-', '_'),
      'own-three',
    ]);
    const answer = await tunnel.request({ path: '/v1', fields });
    expect(answer.status).toBe(200);
    const { rawHeaders } = origin.last;
    expect(rawHeaders.join('\n')).not.toContain('own-');
    for (const [name, arrived] of Object.entries(row.arrives(value))) {
      const expected = row.name.startsWith('basic keeps') ? basic('x', value) : arrived;
      expect(valuesOf(rawHeaders, name)).toEqual([expected]);
    }
  });
});
