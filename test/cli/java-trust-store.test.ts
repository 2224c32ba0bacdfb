import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeJavaTrustStore } from '../../cli/java-trust-store.ts';
import { lacks } from '../support/missing-tools.ts';
import { TestAuthority } from '../support/test-authority.ts';

const bundle = [new TestAuthority('one'), new TestAuthority('two')].map((ca) => ca.caPem).join('');

/** The certificates a JKS reader finds, read by the published layout. */
function readCertificates(store: Buffer): string[] {
  let at = 0;
  const uint32 = (): number => store.readUInt32BE((at += 4) - 4);
  const text = (): string => {
    const length = store.readUInt16BE(at);
    at += 2 + length;
    return store.toString('latin1', at - length, at);
  };
  expect([uint32(), uint32()]).toEqual([0xfeedfeed, 2]);
  const found = Array.from({ length: uint32() }, () => {
    expect(uint32()).toBe(2);
    text();
    at += 8;
    expect(text()).toBe('X.509');
    const length = uint32();
    at += length;
    return store.toString('base64', at - length, at);
  });
  expect(store.length - at).toBe(20);
  return found;
}

describe('the trust store for the JVM', () => {
  test('holds every certificate of the bundle', () => {
    const bodies = bundle.replaceAll('\n', '').match(/(?<=CERTIFICATE-----)[^-]+(?=-----END)/g);
    expect(bodies).toHaveLength(2);
    expect(readCertificates(makeJavaTrustStore(bundle))).toEqual(bodies);
  });

  // The JVM of the machine is the better judge; without one the layout above has to do.
  test.skipIf(lacks('keytool'))('is read by the JVM of this machine', () => {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-jks-'));
    try {
      const file = join(directory, 'trust.jks');
      writeFileSync(file, makeJavaTrustStore(bundle));
      const listed = execFileSync('keytool', ['-list', '-keystore', file], {
        input: '\n',
        stdio: ['pipe', 'pipe', 'ignore'],
      }).toString();
      expect(listed.match(/trustedCertEntry/g)).toHaveLength(2);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
