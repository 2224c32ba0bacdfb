/**
 * The nineteen frozen providers, one row each: a secret made from the shortcut alone, a request that
 * carries the placeholder as that provider's client would, and what arrived. The expectations are written
 * from the specification, not read from the catalogue.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import { valuesOf } from '../support/origin.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

interface ProviderRow {
  readonly provider: string;
  readonly host: string;
  /** Field that carries the credential. */
  readonly field: string;
  readonly format: (value: string) => string;
  /** Placeholder: prefix and length after it. */
  readonly shape: readonly [prefix: string, length: number];
}

const bearer = (value: string): string => `Bearer ${value}`;
const raw = (value: string): string => value;
const gitBasic = (value: string): string =>
  `Basic ${Buffer.from(`x-access-token:${value}`).toString('base64')}`;

function row(
  provider: string,
  host: string,
  shape: readonly [string, number],
  field = 'authorization',
  format = bearer,
): ProviderRow {
  return { provider, host, field, format, shape };
}

const ROWS: readonly ProviderRow[] = [
  row('anthropic', 'api.anthropic.com', ['sk-ant-api03-', 48], 'x-api-key', raw),
  row('asana', 'app.asana.com', ['', 32]),
  row('cloudflare', 'api.cloudflare.com', ['', 40]),
  row('exa', 'api.exa.ai', ['', 32], 'x-api-key', raw),
  row('firecrawl', 'api.firecrawl.dev', ['fc-', 36]),
  row('gemini', 'generativelanguage.googleapis.com', ['AIza', 35], 'x-goog-api-key', raw),
  row('github', 'api.github.com', ['ghp_', 36]),
  row('github', 'github.com', ['ghp_', 36], 'authorization', gitBasic),
  row('gitlab', 'gitlab.com', ['glpat-', 20], 'private-token', raw),
  row('linear', 'api.linear.app', ['lin_api_', 32], 'authorization', raw),
  row('notion', 'api.notion.com', ['ntn_', 43]),
  row('openai', 'api.openai.com', ['sk-proj-', 64]),
  row('openrouter', 'openrouter.ai', ['sk-or-v1-', 64]),
  row('perplexity', 'api.perplexity.ai', ['pplx-', 48]),
  row('resend', 'api.resend.com', ['re_', 24]),
  row('sentry', 'sentry.io', ['sntrys_', 32]),
  row('slack', 'slack.com', ['xoxb-', 43]),
  row('stripe', 'api.stripe.com', ['sk_test_', 24]),
  row('vercel', 'api.vercel.com', ['vcp_', 24]),
  row('xai', 'api.x.ai', ['xai-', 80]),
];

const PROVIDERS = [...new Set(ROWS.map(({ provider }) => provider))];
const values = new Map(PROVIDERS.map((provider) => [provider, mintCanary()]));
let scene: Scene;

beforeAll(async () => {
  scene = await startScene({ names: [...ROWS.map(({ host }) => host), 'cdn.example.test'] });
  for (const [provider, value] of values) {
    await scene.product.createSecret(`${provider}_key`, value, { provider });
  }
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

test('the catalogue lists the nineteen with exactly these hosts', async () => {
  const listed = (await scene.product.admin.must('GET', '/providers')) as {
    name: string;
    hosts: string[];
  }[];
  expect(PROVIDERS).toHaveLength(19);
  for (const provider of PROVIDERS) {
    const hosts = ROWS.filter((row) => row.provider === provider).map(({ host }) => host);
    expect(listed.find(({ name }) => name === provider)?.hosts.toSorted()).toEqual(
      hosts.toSorted(),
    );
  }
});

describe.each(ROWS)('$provider on $host', ({ provider, host, field, format, shape }) => {
  const value = values.get(provider) ?? '';

  test('the placeholder has the shape of the real key and becomes it', async () => {
    const { product, origin } = scene;
    const sandbox = await product.createSandbox({ secrets: { API_KEY: `${provider}_key` } });
    const placeholder = sandbox.placeholders['API_KEY'] ?? '';
    expect(placeholder.startsWith(shape[0])).toBe(true);
    expect(placeholder).toHaveLength(shape[0].length + shape[1]);
    using tunnel = await product.openTunnel(sandbox, `${host}:443`);
    const answer = await tunnel.request({ path: '/v1', fields: [field, format(placeholder)] });
    expect(answer.status).toBe(200);
    const { rawHeaders } = origin.last;
    expect(valuesOf(rawHeaders, field)).toEqual([format(value)]);
    expect(valuesOf(rawHeaders, 'host')).toEqual([host]);
    expect(rawHeaders.join('\n')).not.toContain(placeholder);
    await product.assertNoLeak(value);
  });

  test("the sandbox's own key does not go out, in any spelling of the field", async () => {
    const { product, origin } = scene;
    const sandbox = await product.createSandbox({ secrets: { API_KEY: `${provider}_key` } });
    using tunnel = await product.openTunnel(sandbox, `${host}:443`);
    const shout = field.toUpperCase();
    const underscored = field.replaceAll('-', '_');
    const fields = [shout, 'own-key-1', field, 'own-key-2', underscored, 'own-key-3'];
    await tunnel.request({ path: '/v1', fields });
    const { rawHeaders } = origin.last;
    expect(valuesOf(rawHeaders, field)).toEqual([format(value)]);
    expect(rawHeaders.join('\n')).not.toContain('own-key');
  });

  test('goes to no other host', async () => {
    const { product, origin, authority } = scene;
    const sandbox = await product.createSandbox({ secrets: { API_KEY: `${provider}_key` } });
    using tunnel = await product.openTunnel(sandbox, 'cdn.example.test:443', authority.caPem);
    await tunnel.request({ path: '/download' });
    expect(origin.last.rawHeaders.join('\n')).not.toContain(value);
    expect(valuesOf(origin.last.rawHeaders, field)).toEqual([]);
  });
});

describe('what the catalogue adds', () => {
  test('anthropic gets its version only where the client sent none', async () => {
    const { product, origin } = scene;
    const sandbox = await product.createSandbox({ secrets: { API_KEY: 'anthropic_key' } });
    using tunnel = await product.openTunnel(sandbox, 'api.anthropic.com:443');
    await tunnel.request({ path: '/v1/messages' });
    expect(valuesOf(origin.last.rawHeaders, 'anthropic-version')).toEqual(['2023-06-01']);
    await tunnel.request({ path: '/v1/messages', fields: ['anthropic-version', '2099-01-01'] });
    expect(valuesOf(origin.last.rawHeaders, 'anthropic-version')).toEqual(['2099-01-01']);
  });

  test('anthropic: an own bearer token is stripped beside the key', async () => {
    const { product, origin } = scene;
    const sandbox = await product.createSandbox({ secrets: { API_KEY: 'anthropic_key' } });
    using tunnel = await product.openTunnel(sandbox, 'api.anthropic.com:443');
    await tunnel.request({ path: '/v1/messages', fields: ['Authorization', 'Bearer own'] });
    expect(valuesOf(origin.last.rawHeaders, 'authorization')).toEqual([]);
  });

  test('gemini: a key in the query is stripped, the rest of the query travels', async () => {
    const { product, origin } = scene;
    const sandbox = await product.createSandbox({ secrets: { API_KEY: 'gemini_key' } });
    using tunnel = await product.openTunnel(sandbox, 'generativelanguage.googleapis.com:443');
    await tunnel.request({ path: '/v1/models?pageSize=5&key=own-key&%6bey=own-key-2&a=%2F' });
    expect(origin.last.url).toBe('/v1/models?pageSize=5&a=%2F');
    expect(valuesOf(origin.last.rawHeaders, 'x-goog-api-key')).toEqual([values.get('gemini')]);
  });

  test('gemini: the placeholder in the query selects the secret and becomes the header', async () => {
    const { product, origin } = scene;
    const sandbox = await product.createSandbox({ secrets: { API_KEY: 'gemini_key' } });
    const placeholder = sandbox.placeholders['API_KEY'] ?? '';
    using tunnel = await product.openTunnel(sandbox, 'generativelanguage.googleapis.com:443');
    const answer = await tunnel.request({ path: `/v1/models?key=${placeholder}` });
    expect(answer.status).toBe(200);
    expect(origin.last.url).toBe('/v1/models');
    expect(valuesOf(origin.last.rawHeaders, 'x-goog-api-key')).toEqual([values.get('gemini')]);
  });
});
