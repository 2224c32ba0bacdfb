/**
 * I6: whatever is given for a tenant variable, a provider's hosts stay where its row puts them: the same
 * number of labels, the same labels around the variable, no wildcard.
 */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ControlError } from '../../src/kernel/errors.ts';
import { loadCatalogue, type Provider } from '../../src/providers/catalogue.ts';
import { parseSecretHosts } from '../../src/secrets/secret-hosts.ts';

const catalogue = loadCatalogue();
const rows = catalogue
  .list()
  // A whole host of one's own is what it says.
  .filter(({ params }) => Object.keys(params).length > 0 && params['host'] === undefined)
  .map((provider) => ({ name: provider.name, provider }));

const texts = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: fc.constantFrom(...'aZ0-.*/@:#?_%{} \n'.split('')), maxLength: 8 }),
  fc.constantFrom('acme', 'a.b', 'evil.example', '*', 'ACME', 'xn--80ak6aa92e', '①'),
);

function isWithin(host: string, template: string): boolean {
  const pattern = template
    .split(/\{\w+\}/)
    .map((part) => part.replaceAll('.', String.raw`\.`))
    .join('[a-z0-9-]+');
  return new RegExp(`^${pattern}$`).test(host);
}

function check(provider: Provider, params: Record<string, string>): boolean {
  let hosts: readonly string[];
  try {
    hosts = parseSecretHosts(catalogue.fillPreset(provider.name, params).hosts);
  } catch (error) {
    if (error instanceof ControlError) return true;
    throw error;
  }
  // Datadog's site is one of a list, dots and all.
  if (provider.params['site']?.pattern.includes('datadoghq') === true) {
    return hosts.every((host) =>
      /^api\.(?:\w+\.)?(?:datadoghq\.(?:com|eu)|ddog-gov\.com)$/.test(host),
    );
  }
  return hosts.every((host, index) => isWithin(host, provider.hosts[index] ?? ''));
}

describe.each(rows)('$name', ({ provider }) => {
  const params = fc.record(
    Object.fromEntries(Object.keys(provider.params).map((name) => [name, texts])),
  );

  test('no text leads elsewhere', () => {
    fc.assert(
      fc.property(params, (given) => {
        expect(check(provider, given)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

test('the rows with variables are there', () => {
  expect(rows.length).toBeGreaterThan(30);
});
