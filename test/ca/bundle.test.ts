import { rootCertificates } from 'node:tls';
import { expect, test } from 'vitest';
import { makeBundle } from '../../src/ca/bundle.ts';
import { openAuthority } from './open-authority.ts';

function certificatesIn(pem: string): readonly string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----\n[^-]+\n-----END CERTIFICATE-----\n/g) ?? [];
}

test('the bundle holds the roots of the system and ours, each on lines of its own', async () => {
  const { caPem } = await openAuthority();
  const system = rootCertificates.slice(0, 5);
  const bundle = certificatesIn(makeBundle(system.join('\n'), caPem));
  expect(bundle).toHaveLength(6);
  expect(bundle.at(-1)).toBe(caPem);
});

test('without system roots it is our CA alone', async () => {
  const { caPem } = await openAuthority();
  expect(makeBundle('', caPem)).toBe(caPem);
});
