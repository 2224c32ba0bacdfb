/**
 * Every provider of the catalogue beside the nineteen, one by one through the real proxy: a secret made
 * from the shortcut, a request as that provider's client sends it, and what arrived. Expectations are in
 * `provider-rows.ts`.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintCanary } from '../support/canary.ts';
import type { HttpConnection } from '../support/client.ts';
import { valuesOf } from '../support/origin.ts';
import type { TestSandbox } from '../support/product.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { PROVIDER_ROWS, type ProviderRow } from './provider-rows.ts';

const NINETEEN =
  'anthropic asana cloudflare exa firecrawl gemini github gitlab linear notion openai openrouter perplexity resend sentry slack stripe vercel xai'.split(
    ' ',
  );
const names = [...new Set(PROVIDER_ROWS.flatMap(({ host, foreign }) => [host, ...foreign]))];
let scene: Scene;

interface Bound {
  readonly value: string;
  readonly sandbox: TestSandbox;
  readonly placeholder: string;
}

/** A few, because looking for each in everything is slow; a sandbox here has one secret. */
const CANARIES = Array.from({ length: 4 }, mintCanary);

/** One secret and one sandbox per provider, made when its first row asks. */
const bound = new Map<string, Promise<Bound>>();

function bind(provider: string, params: ProviderRow['params']): Promise<Bound> {
  const known = bound.get(provider);
  if (known !== undefined) return known;
  const made = (async () => {
    const value = CANARIES[bound.size % CANARIES.length] ?? '';
    const name = `${provider}_key`;
    const more = params === undefined ? {} : { provider_params: params };
    await scene.product.createSecret(name, value, { provider, ...more });
    const sandbox = await scene.product.createSandbox({ secrets: { API_KEY: name } });
    return { value, sandbox, placeholder: sandbox.placeholders['API_KEY'] ?? '' };
  })();
  bound.set(provider, made);
  return made;
}

beforeAll(async () => {
  scene = await startScene({ names: [...names, 'cdn.example.test'] });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

test('the rows are the catalogue, no more and no less', async () => {
  const listed = (await scene.product.admin.must('GET', '/providers')) as { name: string }[];
  const tested = new Set(PROVIDER_ROWS.map(({ provider }) => provider));
  expect(listed.map(({ name }) => name).filter((name) => !NINETEEN.includes(name))).toEqual(
    [...tested].toSorted(),
  );
});

/** The request as the provider's own client makes it, with `credential` where the key goes. */
async function send(
  tunnel: HttpConnection,
  row: ProviderRow,
  credential: string | null,
  more: readonly string[] = [],
  moreQuery: readonly string[] = [],
): Promise<number> {
  const fields = credential === null ? [] : Object.entries(row.fields).slice(0, 1);
  const sent = fields.flatMap(([name, format]) => [name, format(credential ?? '')]);
  const pairs = moreQuery.map((key) => `${key}=own-key`);
  if (row.query !== null && credential !== null) pairs.push(`${row.query}=${credential}`);
  const path = row.path.replace('VALUE', credential ?? 'nothing');
  const joint = path.includes('?') ? '&' : '?';
  const target = pairs.length === 0 ? path : `${path}${joint}${pairs.join('&')}`;
  return (await tunnel.request({ path: target, fields: [...sent, ...more] })).status;
}

/** Exactly our value, exactly where it belongs. */
function expectPlaced(row: ProviderRow, value: string): void {
  const { rawHeaders, url } = scene.origin.last;
  for (const [name, format] of Object.entries(row.fields)) {
    expect(valuesOf(rawHeaders, name)).toEqual([format(value)]);
  }
  expect(valuesOf(rawHeaders, 'host')).toEqual([row.host]);
  const joint = row.path.includes('?') ? '&' : '?';
  const pair = row.query === null ? '' : `${joint}${row.query}=${value}`;
  expect(url).toBe(row.path.replace('VALUE', value) + pair);
  for (const [name, text] of Object.entries({ ...row.companions, ...row.forced })) {
    expect(valuesOf(rawHeaders, name)).toEqual([text]);
  }
}

describe.each(PROVIDER_ROWS)('$provider on $host at $path', (row) => {
  test('I2: the placeholder becomes the value, in its place', async () => {
    const { value, sandbox, placeholder } = await bind(row.provider, row.params);
    using tunnel = await scene.product.openTunnel(sandbox, `${row.host}:443`);
    expect(await send(tunnel, row, placeholder)).toBe(200);
    expectPlaced(row, value);
    const { rawHeaders, url } = scene.origin.last;
    expect(`${url}\n${rawHeaders.join('\n')}`).not.toContain(placeholder);
  });
});

describe.each(PROVIDER_ROWS.filter(({ isInPath }) => !isInPath))(
  '$provider on $host at $path, without its placeholder',
  (row) => {
    test('own credentials, wherever this provider takes them, stay behind', async () => {
      const { value, sandbox } = await bind(row.provider, row.params);
      const places = [...Object.keys(row.fields), ...row.stripped, ...Object.keys(row.forced)];
      const fields = places.flatMap((name) => [name.toUpperCase(), 'own-key']);
      const keys = row.query === null ? row.strippedQuery : [row.query, ...row.strippedQuery];
      using tunnel = await scene.product.openTunnel(sandbox, `${row.host}:443`);
      expect(await send(tunnel, row, null, fields, keys)).toBe(200);
      expectPlaced(row, value);
      const { rawHeaders, url } = scene.origin.last;
      expect(`${url}\n${rawHeaders.join('\n')}`).not.toContain('own-key');
    });
  },
);

describe.each(PROVIDER_ROWS.filter(({ companions }) => Object.keys(companions).length > 0))(
  '$provider on $host',
  (row) => {
    test('what the client says stands before a companion', async () => {
      const { value, sandbox } = await bind(row.provider, row.params);
      const fields = Object.keys(row.companions).flatMap((name) => [name, 'mine']);
      using tunnel = await scene.product.openTunnel(sandbox, `${row.host}:443`);
      await send(tunnel, row, null, fields);
      const { rawHeaders } = scene.origin.last;
      expect(rawHeaders.join('\n')).toContain(value);
      for (const name of Object.keys(row.companions)) {
        expect(valuesOf(rawHeaders, name)).toEqual(['mine']);
      }
    });
  },
);

describe.each(PROVIDER_ROWS.filter(({ foreign }) => foreign.length > 0))(
  '$provider beside $host',
  (row) => {
    test.each(row.foreign)('nothing goes to %s, and its own credential passes', async (host) => {
      const { value, sandbox } = await bind(row.provider, row.params);
      const { product, authority, origin } = scene;
      using tunnel = await product.openTunnel(sandbox, `${host}:443`, authority.caPem);
      const fields = ['Authorization', 'Bearer own-key'];
      expect((await tunnel.request({ path: '/v2/a', fields })).status).toBe(200);
      const { rawHeaders } = origin.last;
      expect(valuesOf(rawHeaders, 'host')).toEqual([host]);
      expect(valuesOf(rawHeaders, 'authorization')).toEqual(['Bearer own-key']);
      expect(rawHeaders.join('\n')).not.toContain(value);
    });
  },
);

describe.each(PROVIDER_ROWS.filter(({ foreignPath }) => foreignPath !== null))(
  '$provider on other paths of $host',
  (row) => {
    test('nothing is placed, the client’s own credential passes, the placeholder does not', async () => {
      const { value, sandbox, placeholder } = await bind(row.provider, row.params);
      const path = row.foreignPath ?? '';
      using tunnel = await scene.product.openTunnel(sandbox, `${row.host}:443`);
      const own = ['Authorization', 'Bearer own-key'];
      expect((await tunnel.request({ path, fields: own })).status).toBe(200);
      const { rawHeaders } = scene.origin.last;
      expect(valuesOf(rawHeaders, 'authorization')).toEqual(['Bearer own-key']);
      expect(rawHeaders.join('\n')).not.toContain(value);
      const fields = ['Authorization', `Bearer ${placeholder}`];
      expect((await tunnel.request({ path, fields })).status).toBe(403);
    });
  },
);

describe('two of one host', () => {
  interface Pair {
    readonly host: string;
    readonly path: string;
    readonly one: readonly [provider: string, params?: Record<string, string>];
    readonly other: readonly [provider: string, params?: Record<string, string>];
    readonly arrives: (one: string, other: string) => readonly string[];
  }
  const site = { site: 'us3.datadoghq.com' };
  const atlassian = { site: 'acme', email: 'me@acme.example' };
  const basic = (user: string, value: string): string =>
    `Basic ${Buffer.from(`${user}:${value}`).toString('base64')}`;
  const PAIRS: readonly Pair[] = [
    {
      host: 'api.us3.datadoghq.com',
      path: '/api/v1/query',
      one: ['datadog-api', site],
      other: ['datadog-app', site],
      arrives: (one, other) => [`DD-API-KEY: ${one}`, `DD-APPLICATION-KEY: ${other}`],
    },
    {
      host: 'api.trello.com',
      path: '/1/members/me',
      one: ['trello-key'],
      other: ['trello-token'],
      arrives: (one, other) => [`key=${one}`, `token=${other}`],
    },
    {
      host: 'slack.com',
      path: '/api/apps.connections.open',
      one: ['slack'],
      other: ['slack-app'],
      arrives: (_one, other) => [`Authorization: Bearer ${other}`],
    },
    {
      host: 'slack.com',
      path: '/api/chat.postMessage',
      one: ['slack'],
      other: ['slack-app'],
      arrives: (one) => [`Authorization: Bearer ${one}`],
    },
    {
      host: 'acme.atlassian.net',
      path: '/wiki/api/v2/spaces',
      one: ['jira', atlassian],
      other: ['confluence', atlassian],
      arrives: (_one, other) => [`Authorization: ${basic('me@acme.example', other)}`],
    },
    {
      host: 'gitlab.com',
      path: '/a/b.git/info/refs',
      one: ['gitlab'],
      other: ['gitlab-git'],
      arrives: (_one, other) => [`Authorization: ${basic('oauth2', other)}`],
    },
    {
      host: 'www.googleapis.com',
      path: '/drive/v3/files',
      one: ['google-calendar'],
      other: ['google-drive'],
      arrives: (_one, other) => [`Authorization: Bearer ${other}`],
    },
    {
      host: 'discord.com',
      path: '/api/v10/users/@me',
      one: ['discord'],
      other: ['discord-webhook'],
      arrives: (one) => [`Authorization: Bot ${one}`],
    },
  ];

  test.each(PAIRS)('$one.0 and $other.0 on $host at $path', async (pair) => {
    const { product, origin } = scene;
    const made = [pair.one, pair.other].map(async ([provider, params], index) => {
      const value = mintCanary();
      const name = `pair_${index}_${value.slice(-12).replaceAll(/\W/g, '_')}`;
      const more = params === undefined ? {} : { provider_params: params };
      await product.createSecret(name, value, { provider, ...more });
      return { name, value };
    });
    const [one, other] = await Promise.all(made);
    if (one === undefined || other === undefined) throw new Error('two were made');
    const sandbox = await product.createSandbox({ secrets: { ONE: one.name, OTHER: other.name } });
    using tunnel = await product.openTunnel(sandbox, `${pair.host}:443`);
    expect((await tunnel.request({ path: pair.path })).status).toBe(200);
    const { rawHeaders, url } = origin.last;
    const pairs = rawHeaders.flatMap((text, i) =>
      i % 2 === 0 ? [`${text}: ${rawHeaders[i + 1]}`] : [],
    );
    const seen = `${url.replace('?', '\n').replaceAll('&', '\n')}\n${pairs.join('\n')}`.split('\n');
    const expected = pair.arrives(one.value, other.value);
    expect(seen).toEqual(expect.arrayContaining([...expected]));
    const unexpected = [one.value, other.value].filter((value) => !expected.join().includes(value));
    for (const value of unexpected) expect(seen.join('\n')).not.toContain(value);
  });
});

describe('what a row asks for', () => {
  test('a Jira secret without an e-mail address takes the one beside the placeholder', async () => {
    const { product, origin } = scene;
    const value = mintCanary();
    const params = { provider: 'jira', provider_params: { site: 'acme' } };
    await product.createSecret('jira_any', value, params);
    const sandbox = await product.createSandbox({ secrets: { JIRA: 'jira_any' } });
    const sent = Buffer.from(`you@acme.example:${sandbox.placeholders['JIRA']}`).toString('base64');
    using tunnel = await product.openTunnel(sandbox, 'acme.atlassian.net:443');
    await tunnel.request({ path: '/rest', fields: ['Authorization', `Basic ${sent}`] });
    const arrives = Buffer.from(`you@acme.example:${value}`).toString('base64');
    expect(valuesOf(origin.last.rawHeaders, 'authorization')).toEqual([`Basic ${arrives}`]);
  });

  test.each([
    ['jira', {}],
    ['jira', { site: '*' }],
    ['jira', { site: 'mallory.example/' }],
    ['jira', { site: 'a.b' }],
    ['supabase-secret', { ref: '*' }],
    ['shopify', { shop: '*.acme' }],
    ['okta', { org: 'acme.evil.example#' }],
    ['azure-openai', { resource: '' }],
    ['datadog-api', { site: 'evil.example' }],
    ['grafana-self-managed', { host: '*.grafana.net' }],
  ])('%s with %j is refused', async (provider, params) => {
    const body = { name: 'refused', value: mintCanary(), provider, provider_params: params };
    const answer = await scene.product.admin.post('/secrets', body);
    expect(answer.status).toBe(400);
    expect(answer.json.error.code).toBe('bad_request');
    expect(answer.text).toContain('provider_params.');
  });

  test('I3: no value is anywhere it should not be', async () => {
    expect(bound.size).toBeGreaterThan(100);
    await scene.product.assertNoLeak(CANARIES);
  });
});
