import { X509Certificate, createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openCertificateAuthority } from '../../src/ca/authority.ts';
import { readElements } from '../../src/ca/der.ts';
import { StartError } from '../../src/kernel/errors.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/limits.ts';
import { openVault } from '../../src/vault/open-vault.ts';
import { openStore, temporaryDirectory } from '../store/temporary-store.ts';
import { LEAF_HOSTS } from './leaf-names.ts';
import { openAuthority } from './open-authority.ts';

const HOUR_MS = 3_600_000;
const NOW_MS = Date.UTC(2027, 4, 6, 7, 8, 9);
const api = { kind: 'name', text: 'api.example.com' } as const;

const clockAt = (nowMs: number) => ({ nowMs: () => nowMs, monotonicMs: () => 0 });

/** Issuer and subject as they stand in the certificate, byte for byte. */
function rawNames(pem: string): { issuer: Buffer; subject: Buffer } {
  const [tbs] = readElements(new X509Certificate(pem).raw);
  const parts = readElements(tbs ?? Buffer.alloc(0));
  return { issuer: Buffer.from(parts[3] ?? []), subject: Buffer.from(parts[5] ?? []) };
}

describe('the root', () => {
  test('is a P-256 CA that may sign leaves only, for about ten years', async () => {
    const authority = await openAuthority({ clock: clockAt(NOW_MS) });
    const root = new X509Certificate(authority.caPem);
    expect(root.ca).toBe(true);
    expect(root.subject).toMatch(/^CN=Sallyport CA [0-9a-f]{8}$/);
    expect(root.verify(root.publicKey)).toBe(true);
    expect(root.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
    expect(root.validFromDate.getTime()).toBe(NOW_MS - HOUR_MS);
    expect(root.validToDate.getUTCFullYear()).toBe(2037);
  });

  test('is the same at the next start', async () => {
    const dataDir = temporaryDirectory();
    const first = await openAuthority({ dataDir });
    const second = await openAuthority({ dataDir });
    expect(second.caPem).toBe(first.caPem);
    const leaf = new X509Certificate((await second.mintLeaf(api)).certPem);
    expect(leaf.verify(new X509Certificate(first.caPem).publicKey)).toBe(true);
  });

  test('is the same for two nodes that start at once', async () => {
    const { instance } = await openStore(temporaryDirectory());
    const dataDir = temporaryDirectory();
    const vault = await openVault({
      instance,
      limits: DEFAULT_LIMITS,
      masterKey: null,
      keyFile: null,
      dataDir,
    });
    const options = { instance, vault, limits: DEFAULT_LIMITS, clock: clockAt(NOW_MS) };
    const [first, second] = await Promise.all([
      openCertificateAuthority(options),
      openCertificateAuthority(options),
    ]);
    expect(second.caPem).toBe(first.caPem);
    const leaf = new X509Certificate((await second.mintLeaf(api)).certPem);
    expect(leaf.verify(new X509Certificate(first.caPem).publicKey)).toBe(true);
  });

  test('I3 its key is nowhere in the files in clear', async () => {
    const dataDir = temporaryDirectory();
    const authority = await openAuthority({ dataDir });
    const files = readdirSync(dataDir).map((name) => readFileSync(path.join(dataDir, name)));
    const certificate = authority.caPem.split('\n')[3] ?? 'no line';
    for (const bytes of files) {
      expect(bytes.includes('PRIVATE KEY')).toBe(false);
      expect(bytes.includes(certificate)).toBe(false);
    }
  });

  test('under another master key does not start, and says what to check', async () => {
    const { instance } = await openStore(temporaryDirectory());
    const vaultOf = async () =>
      openVault({
        instance: (await openStore(temporaryDirectory())).instance,
        limits: DEFAULT_LIMITS,
        masterKey: null,
        keyFile: null,
        dataDir: temporaryDirectory(),
      });
    const options = { instance, limits: DEFAULT_LIMITS, clock: clockAt(NOW_MS) };
    await openCertificateAuthority({ ...options, vault: await vaultOf() });
    const again = openCertificateAuthority({ ...options, vault: await vaultOf() });
    await expect(again).rejects.toThrow(StartError);
    await expect(again).rejects.toThrow('key of the certificate authority cannot be opened');
  });

  test('that is over opens, and mints nothing', async () => {
    const dataDir = temporaryDirectory();
    const first = await openAuthority({ dataDir, clock: clockAt(NOW_MS) });
    expect(first.endedAtMs).toBeNull();
    const later = await openAuthority({ dataDir, clock: clockAt(NOW_MS + 4_000 * 24 * HOUR_MS) });
    expect(later.endedAtMs).toBe(Date.parse(new X509Certificate(first.caPem).validTo));
    const host = { kind: 'name', text: 'api.example.com' } as const;
    await expect(later.mintLeaf(host)).rejects.toMatchObject({ code: 'credential_unavailable' });
    await expect(later.mintLeaf(host)).rejects.toThrow('ended on 2037-');
  });
});

describe('a leaf', () => {
  test.each(LEAF_HOSTS)('for $text names it in the SAN alone', async (host) => {
    const authority = await openAuthority();
    const leaf = new X509Certificate((await authority.mintLeaf(host)).certPem);
    expect(rawNames(leaf.toString()).subject.toString('hex')).toBe('3000');
    const matches = host.kind === 'name' ? leaf.checkHost(host.text) : leaf.checkIP(host.text);
    expect(matches).toBe(host.text);
    expect(leaf.checkHost('other.example.com')).toBeUndefined();
    expect(leaf.ca).toBe(false);
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  });

  test('has the issuer as the raw bytes of the root, and verifies with its key', async () => {
    const authority = await openAuthority();
    const { certPem } = await authority.mintLeaf(api);
    const root = new X509Certificate(authority.caPem);
    expect(rawNames(certPem).issuer.equals(rawNames(authority.caPem).subject)).toBe(true);
    const leaf = new X509Certificate(certPem);
    expect(leaf.checkIssued(root)).toBe(true);
    expect(leaf.verify(root.publicKey)).toBe(true);
  });

  test('is backdated an hour, lives as configured, never longer than the root', async () => {
    const dataDir = temporaryDirectory();
    const authority = await openAuthority({ dataDir, clock: clockAt(NOW_MS) });
    const { certPem, notAfterMs } = await authority.mintLeaf(api);
    const leaf = new X509Certificate(certPem);
    expect(leaf.validFromDate.getTime()).toBe(NOW_MS - HOUR_MS);
    expect(leaf.validToDate.getTime()).toBe(NOW_MS + DEFAULT_LIMITS.leafLifeMs);
    expect(notAfterMs).toBe(leaf.validToDate.getTime());
    const rootEndMs = new X509Certificate(authority.caPem).validToDate.getTime();
    const late = await openAuthority({ dataDir, clock: clockAt(rootEndMs - HOUR_MS) });
    expect((await late.mintLeaf(api)).notAfterMs).toBe(rootEndMs);
  });

  test('serials are positive, long and never the same', async () => {
    const authority = await openAuthority();
    const serials = new Set<string>();
    for (let count = 0; count < 200; count += 1) {
      serials.add(new X509Certificate((await authority.mintLeaf(api)).certPem).serialNumber);
    }
    expect(serials.size).toBe(200);
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
  });

  test('comes with its key, which all leaves of the process share and the root does not', async () => {
    const authority = await openAuthority();
    const first = await authority.mintLeaf(api);
    const second = await authority.mintLeaf({ kind: 'name', text: 'other.example.com' });
    expect(second.keyPem).toBe(first.keyPem);
    const leaf = new X509Certificate(first.certPem);
    expect(leaf.checkPrivateKey(createPrivateKey(first.keyPem))).toBe(true);
    const root = new X509Certificate(authority.caPem);
    expect(createPublicKey(first.keyPem).equals(root.publicKey)).toBe(false);
  });
});
