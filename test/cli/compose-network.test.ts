/** What the composition root reads from files of certificates: what cannot be used keeps it from starting. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { composeDialer, parseParentUrl } from '../../cli/compose-dialer.ts';
import { composeProxyTls } from '../../cli/compose-proxy-tls.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { StartError } from '../../src/kernel/errors.ts';
import { loadSettings } from '../../src/settings/load-settings.ts';
import { TestAuthority } from '../support/test-authority.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-compose-test-'));
const authority = new TestAuthority();
const one = authority.mintLeaf(['proxy.example.test']);
const other = authority.mintLeaf(['proxy.example.test']);
const FILES = {
  'ca.pem': authority.caPem,
  'ca.crl': authority.mintCrl([]),
  'one.pem': one.certPem,
  'one.key': one.keyPem,
  'other.key': other.keyPem,
  'text.pem': 'nothing of the kind',
};
for (const [name, text] of Object.entries(FILES)) writeFileSync(join(directory, name), text);
afterAll(() => rmSync(directory, { recursive: true }));

function settingsOf(flags: Readonly<Record<string, unknown>>) {
  return loadSettings({ file: null, env: {}, flags, cwd: directory }).settings;
}

function openDialer(flags: Readonly<Record<string, unknown>>) {
  return composeDialer({
    settings: settingsOf(flags),
    guard: { classify: () => null },
    resolver: { resolve: () => ({ addresses: [], dialPort: null }) },
    parentCredentials: null,
    clock: systemClock,
  });
}

function tlsWith(cert: string, key: string) {
  const files = { 'proxy.tls.cert_file': cert, 'proxy.tls.key_file': key };
  const leaves = {
    checkAuthority: () => undefined,
    contextFor: () => Promise.reject(new Error('not asked')),
  };
  return composeProxyTls(settingsOf({ 'proxy.tls_listen': '127.0.0.1:0', ...files }), leaves);
}

describe('I8: no start with', () => {
  test.each([
    ['a CA that is not there', { 'egress.extra_ca': ['gone.pem'] }, 'egress.extra_ca'],
    ['a CA that is none', { 'egress.extra_ca': ['text.pem'] }, 'egress.extra_ca'],
    ['a CA of a host that is none', { 'egress.host_ca': { 'a.test': ['text.pem'] } }, 'host_ca'],
    ['a list that is none', { 'egress.host_crl': { 'a.test': ['ca.pem'] } }, 'egress.host_crl'],
    ['a list that is not there', { 'egress.host_crl': { 'a.test': ['x'] } }, 'egress.host_crl'],
  ])('%s', (_, flags, setting) => {
    expect(() => openDialer(flags)).toThrow(StartError);
    expect(() => openDialer(flags)).toThrow(setting);
  });

  test.each([
    ['a certificate that is not there', 'gone.pem', 'one.key'],
    ['a certificate that is none', 'text.pem', 'one.key'],
    ['the key of another certificate', 'one.pem', 'other.key'],
  ])('%s', (_, cert, key) => {
    expect(() => tlsWith(cert, key)).toThrow('proxy.tls');
    expect(tlsWith('one.pem', 'one.key')?.names).toEqual(['localhost']);
  });
});

test('hosts with a CA or a list of their own share no connection with the others', () => {
  const dialer = openDialer({
    'egress.host_ca': { '*.corp.test': ['ca.pem'] },
    'egress.host_crl': { 'a.corp.test': ['ca.crl'] },
  });
  const keyOf = (host: string) => dialer.tlsKey({ host, clientIdentity: null });
  const keys = ['api.test', 'corp.test', 'b.corp.test', 'c.b.corp.test', 'a.corp.test'].map(keyOf);
  expect(keys[0]).toBe(keys[1]);
  expect(keys[2]).toBe(keys[3]);
  expect(new Set(keys).size).toBe(3);
});

test.each([
  ['http://proxy.test', 'http', 'proxy.test', 80],
  ['https://proxy.test', 'https', 'proxy.test', 443],
  ['http://[::1]:3128', 'http', '::1', 3128],
])('the parent of %s', (url, scheme, host, port) => {
  const parsed = parseParentUrl(url);
  expect([parsed.scheme, parsed.authority.host.text, parsed.authority.port]).toEqual([
    scheme,
    host,
    port,
  ]);
});
