/**
 * Every row of the catalogue against the rules that an admin's own secret must pass, and against the rule
 * that no row reaches hosts of strangers: no wildcard, and tenant variables that fill one label.
 */
import { describe, expect, test } from 'vitest';
import { isSettableField } from '../../src/inject/settable-fields.ts';
import { ControlError } from '../../src/kernel/errors.ts';
import { loadCatalogue, type Provider } from '../../src/providers/catalogue.ts';
import { applySecretInput, BLANK_DEFINITION } from '../../src/secrets/secret-definition.ts';

const catalogue = loadCatalogue();
const providers = catalogue.list();

/** A good value for each tenant variable, by its name. */
const SAMPLES: Readonly<Record<string, string>> = {
  account: 'acme',
  api: 'weather',
  app: 'ABC123DEF4',
  cloud: 'aws',
  email: 'me@acme.example',
  endpoint: 'logs-1',
  environment: 'aped-1',
  host: 'git.acme.example',
  index: 'docs-a1',
  instance: 'acme',
  instance_id: '42',
  location: 'europe-west1',
  org: 'acme',
  organization: 'acme',
  product: 'verify',
  ref: 'abcdefghijklmnopqrst',
  region: 'us',
  registry: 'acmereg',
  resource: 'acme',
  service: 'compute',
  shop: 'acme',
  sid: `SK${'0'.repeat(32)}`,
  site: 'acme',
  stack: 'acme',
  subdomain: 'acme',
  token_id: 'tid123',
  username: 'octocat',
};
/** Where one name means something else. */
const EXCEPTIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  bedrock: { region: 'us-east-1' },
  'datadog-api': { site: 'datadoghq.eu' },
  'datadog-app': { site: 'datadoghq.eu' },
  'huggingface-endpoint': { region: 'us-east-1' },
};

function paramsOf(provider: Provider): Record<string, string> {
  const chosen = Object.keys(provider.params).map((name) => [
    name,
    EXCEPTIONS[provider.name]?.[name] ?? SAMPLES[name] ?? '',
  ]);
  return Object.fromEntries(chosen) as Record<string, string>;
}

/** All texts of a row in which a variable can stand. */
function textsOf({ hosts, auth, companionHeaders }: Provider): string {
  return JSON.stringify([hosts, auth, companionHeaders]);
}

describe.each(providers.map((provider) => ({ name: provider.name, provider })))(
  '$name',
  ({ provider }) => {
    const params = paramsOf(provider);

    test('makes a definition that the rules for secrets accept', () => {
      const input = { provider: provider.name, providerParams: params };
      const made = applySecretInput(BLANK_DEFINITION, input, catalogue);
      const { alsoStrip, companionHeaders, hosts, auth } = made;
      expect(
        applySecretInput(
          BLANK_DEFINITION,
          { hosts, auth: auth ?? undefined, alsoStrip, companionHeaders },
          catalogue,
        ),
      ).toEqual({ ...made, provider: null, providerParams: {} });
      for (const header of [...alsoStrip.headers, ...Object.keys(companionHeaders)]) {
        expect(isSettableField(header)).toBe(true);
      }
      expect(JSON.stringify([hosts, auth, companionHeaders])).not.toMatch(/\{\w+\}/);
    });

    test('reaches no host of a stranger', () => {
      expect(provider.hosts.join(' ')).not.toContain('*');
      for (const [name, { pattern }] of Object.entries(provider.params)) {
        expect(textsOf(provider)).toMatch(new RegExp(`\\{+ ?${name} ?\\}+`));
        expect(pattern).not.toMatch(/\.[*+]/);
      }
    });

    test('uses each of its variables, and has a variable for each mark', () => {
      const marks = [...textsOf(provider).matchAll(/\{+\s*(\w+)\s*\}+/g)].map((found) => found[1]);
      const used = new Set(marks.filter((mark) => mark !== 'value'));
      expect(used).toEqual(new Set(Object.keys(provider.params)));
    });
  },
);

/** Every variable that stands in a host, with the row it stands in. */
const HOST_PARAMS = providers.flatMap((provider) =>
  Object.keys(provider.params)
    .filter((param) => provider.hosts.some((host) => host.includes(`{${param}}`)))
    .map((param) => ({ name: provider.name, param, provider })),
);

test('some rows have a variable in a host', () => {
  expect(HOST_PARAMS.length).toBeGreaterThan(25);
});

describe.each(HOST_PARAMS)('$name: {$param} in a host', ({ param, provider }) => {
  const BAD = [
    '',
    '*',
    '*.acme',
    'a/b',
    'a@b',
    'a:443',
    'a?b',
    'a#b',
    'acme\n',
    'a b',
    '-a',
    'a-',
    '{site}',
    'ä',
  ];
  // A whole host of one's own may have dots; a fixed list has its own.
  const DOTTED = param === 'host' ? [] : ['evil.example', 'a.b', '.', 'acme.', '.acme'];

  test.each([...BAD, ...DOTTED])('%j is refused', (text) => {
    const params = { ...paramsOf(provider), [param]: text };
    expect(() => catalogue.fillPreset(provider.name, params)).toThrow(ControlError);
  });
});

describe('user names and companions', () => {
  const others = providers.flatMap((provider) =>
    Object.keys(provider.params)
      .filter((param) => !provider.hosts.some((host) => host.includes(`{${param}}`)))
      .map((param) => ({ name: provider.name, param, provider })),
  );
  test.each(others)(
    '$name: {$param} cannot carry what would end a field',
    ({ param, provider }) => {
      for (const text of ['', 'a:b', 'a\r\nX: y', 'a\nb', ' a', '{{ value }}', 'é']) {
        const params = { ...paramsOf(provider), [param]: text };
        expect(() => catalogue.fillPreset(provider.name, params)).toThrow(ControlError);
      }
    },
  );
});

test('a variable of the environment stands for one provider', () => {
  const names = providers.flatMap(({ env }) => env);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toContain('OPENAI_API_KEY');
});
