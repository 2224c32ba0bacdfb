import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { isSettableField } from '../../src/inject/settable-fields.ts';
import { ControlError, StartError } from '../../src/kernel/errors.ts';
import { loadCatalogue, ProviderCatalogue, type Provider } from '../../src/providers/catalogue.ts';
import { CUSTOM_SHAPE, mintPlaceholder } from '../../src/providers/token-shape.ts';
import { parseAuth } from '../../src/secrets/auth-rules.ts';
import type { Auth } from '../../src/secrets/auth.ts';
import { parseSecretHosts } from '../../src/secrets/secret-hosts.ts';

const catalogue = loadCatalogue();
const bearer: Auth = { type: 'bearer' };
const key = (header: string): Auth => ({ type: 'api-key', header });
const github: Auth = {
  perHost: [
    { type: 'bearer', hosts: ['api.github.com'] },
    { type: 'basic', username: 'x-access-token', hosts: ['github.com'] },
  ],
};

/** Name, hosts, auth, what a placeholder looks like: as frozen in the specification. */
const FROZEN: readonly [name: string, hosts: readonly string[], auth: Auth, shape: RegExp][] = [
  ['anthropic', ['api.anthropic.com'], key('x-api-key'), /^sk-ant-api03-[A-Za-z0-9]{48}$/],
  ['asana', ['app.asana.com'], bearer, /^[A-Za-z0-9]{32}$/],
  ['cloudflare', ['api.cloudflare.com'], bearer, /^[A-Za-z0-9]{40}$/],
  ['exa', ['api.exa.ai'], key('x-api-key'), /^[A-Za-z0-9]{32}$/],
  ['firecrawl', ['api.firecrawl.dev'], bearer, /^fc-[A-Za-z0-9]{36}$/],
  ['gemini', ['generativelanguage.googleapis.com'], key('x-goog-api-key'), /^AIza[\w-]{35}$/],
  ['github', ['api.github.com', 'github.com'], github, /^ghp_[A-Za-z0-9]{36}$/],
  ['gitlab', ['gitlab.com'], key('PRIVATE-TOKEN'), /^glpat-[A-Za-z0-9]{20}$/],
  ['linear', ['api.linear.app'], key('Authorization'), /^lin_api_[A-Za-z0-9]{32}$/],
  ['notion', ['api.notion.com'], bearer, /^ntn_[A-Za-z0-9]{43}$/],
  ['openai', ['api.openai.com'], bearer, /^sk-proj-[A-Za-z0-9]{64}$/],
  ['openrouter', ['openrouter.ai'], bearer, /^sk-or-v1-[A-Za-z0-9]{64}$/],
  ['perplexity', ['api.perplexity.ai'], bearer, /^pplx-[A-Za-z0-9]{48}$/],
  ['resend', ['api.resend.com'], bearer, /^re_[A-Za-z0-9]{24}$/],
  ['sentry', ['sentry.io'], bearer, /^sntrys_[A-Za-z0-9]{32}$/],
  ['slack', ['slack.com'], bearer, /^xoxb-[\w-]{43}$/],
  ['stripe', ['api.stripe.com'], bearer, /^sk_test_[A-Za-z0-9]{24}$/],
  ['vercel', ['api.vercel.com'], bearer, /^vcp_[A-Za-z0-9]{24}$/],
  ['xai', ['api.x.ai'], bearer, /^xai-[A-Za-z0-9]{80}$/],
];

test('the nineteen are there, and the list is by name', () => {
  const names = catalogue.list().map((provider) => provider.name);
  expect(names).toEqual(names.toSorted());
  expect(FROZEN).toHaveLength(19);
  for (const [name] of FROZEN) expect(names).toContain(name);
});

describe.each(FROZEN)('%s', (name, hosts, auth, shape) => {
  const preset = catalogue.fillPreset(name, {});

  test('has exactly its hosts and auth', () => {
    expect(preset).toMatchObject({ hosts, auth });
  });

  test('passes the rules that an admin’s secret must pass', () => {
    expect(parseAuth(preset.auth, parseSecretHosts(preset.hosts))).toEqual(auth);
    for (const header of [...preset.alsoStrip.headers, ...Object.keys(preset.companionHeaders)]) {
      expect(isSettableField(header)).toBe(true);
    }
  });

  test('makes placeholders of its shape, each another', () => {
    const one = mintPlaceholder(catalogue.shapeOf(name));
    expect(one).toMatch(shape);
    expect(mintPlaceholder(catalogue.shapeOf(name))).not.toBe(one);
  });
});

test('custom auth has placeholders of ours', () => {
  expect(catalogue.shapeOf(null)).toBe(CUSTOM_SHAPE);
  expect(mintPlaceholder(CUSTOM_SHAPE)).toMatch(/^sallyport_[\w-]{43}$/);
});

describe('tenant variables', () => {
  const jira: Provider = {
    name: 'jira',
    display: 'Jira',
    docs: 'https://example.com/',
    source: 'a test',
    env: [],
    note: null,
    hosts: ['{site}.atlassian.net'],
    auth: {
      perHost: [
        {
          type: 'basic',
          username: '{email}',
          hosts: ['{site}.atlassian.net'],
          paths: ['/rest/**'],
        },
      ],
    },
    alsoStrip: { headers: [], query: [] },
    companionHeaders: { 'X-Site': '{site}' },
    tokenShape: CUSTOM_SHAPE,
    params: {
      site: { description: 'the site', pattern: '[a-z0-9-]+' },
      email: { description: 'the account', pattern: '[^:@]+@[^:@]+' },
    },
  };
  const own = new ProviderCatalogue([jira]);

  test('are filled in everywhere', () => {
    expect(own.fillPreset('jira', { site: 'acme', email: 'a@b.example' })).toMatchObject({
      hosts: ['acme.atlassian.net'],
      auth: {
        perHost: [{ username: 'a@b.example', hosts: ['acme.atlassian.net'], paths: ['/rest/**'] }],
      },
      companionHeaders: { 'X-Site': 'acme' },
    });
  });

  test('are written with two braces in templates, and leave the value alone', () => {
    const headers = { 'X-Pair': '{{ email }}:{{ value }}', 'X-Site': '{{site}} {{value}}' };
    const custom = new ProviderCatalogue([{ ...jira, auth: { type: 'custom', headers } }]);
    const { auth } = custom.fillPreset('jira', { site: 'acme', email: 'a@b.example' });
    expect(auth).toEqual({
      type: 'custom',
      headers: { 'X-Pair': 'a@b.example:{{ value }}', 'X-Site': 'acme {{value}}' },
    });
  });

  test('an optional one leaves the user name to the client, and is checked where it is given', () => {
    const email = { description: 'the account', pattern: '[a-z]+', optional: true } as const;
    const lax = new ProviderCatalogue([{ ...jira, params: { ...jira.params, email } }]);
    const { auth } = lax.fillPreset('jira', { site: 'acme' });
    expect(auth).toEqual({
      perHost: [{ type: 'basic', hosts: ['acme.atlassian.net'], paths: ['/rest/**'] }],
    });
    expect(() => lax.fillPreset('jira', { site: 'acme', email: '1' })).toThrow(ControlError);
  });

  test('stand in a prefix', () => {
    const auth: Auth = { type: 'api-key', header: 'Authorization', prefix: '{site}:' };
    const prefixed = new ProviderCatalogue([{ ...jira, auth }]);
    const preset = prefixed.fillPreset('jira', { site: 'acme', email: 'a@b.example' });
    expect(preset.auth).toEqual({ ...auth, prefix: 'acme:' });
  });

  test.each([
    [{ email: 'a@b' }],
    [{ site: '*', email: 'a@b' }],
    [{ site: 'evil.example/', email: 'a@b' }],
    [{ site: 'acme\n', email: 'a@b' }],
    [{ site: 'acme', email: 'a@b', more: 'x' }],
    [{ site: 'acme', email: 'a@b', constructor: 'x' }],
  ])('%j is refused', (params) => {
    expect(() => own.fillPreset('jira', params as Record<string, string>)).toThrow(ControlError);
  });
});

test('a catalogue with an unknown key does not start', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sallyport-catalogue-'));
  const file = path.join(folder, 'providers.json');
  const [provider] = catalogue.list();
  await writeFile(file, JSON.stringify({ providers: [{ ...provider, strip: [] }] }));
  expect(() => loadCatalogue(pathToFileURL(file))).toThrow(StartError);
  await rm(folder, { recursive: true });
});
