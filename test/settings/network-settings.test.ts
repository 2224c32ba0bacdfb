/** Settings that only make sense together: the parent proxy, the listener over TLS, files by host. */
import { describe, expect, test } from 'vitest';
import { loadSettings } from '../../src/settings/load-settings.ts';
import { StartError } from '../../src/kernel/errors.ts';

function settingsOf(flags: Readonly<Record<string, unknown>>) {
  return loadSettings({ file: null, env: {}, flags, cwd: '/etc/sallyport' }).settings;
}

const PARENT = 'egress.parent_proxy';

describe('the parent proxy', () => {
  test('is none by default', () => {
    expect(settingsOf({}).egress.parentProxy).toBeNull();
  });

  test('with all it has', () => {
    const given = settingsOf({
      [`${PARENT}.url`]: 'HTTPS://Proxy.Corp.example:8443/',
      [`${PARENT}.username`]: 'sallyport',
      [`${PARENT}.password_secret`]: 'corp',
      [`${PARENT}.bypass`]: '*.Corp.example,10.0.0.0/8,fd00::1',
      [`${PARENT}.connect_to`]: 'address',
    });
    expect(given.egress.parentProxy).toEqual({
      url: 'https://proxy.corp.example:8443',
      username: 'sallyport',
      passwordSecret: 'corp',
      bypass: ['*.corp.example', '10.0.0.0/8', 'fd00::1'],
      connectTo: 'address',
      resolve: 'here',
    });
  });

  test.each([
    ['a password in the URL', { url: 'http://me:not-a-real-password@proxy:3128' }, 'without user'],
    ['another scheme', { url: 'socks5://proxy:1080' }, 'expected http://host:port'],
    ['a path', { url: 'http://proxy:3128/pac' }, 'expected http://host:port'],
    ['a password without a name', { url: 'http://p:1', password_secret: 'x' }, 'username'],
    ['a name without a URL', { username: 'x' }, `${PARENT}.url`],
    ['a bypass without a URL', { bypass: ['a.example'] }, `${PARENT}.url`],
    ['a bypass that is nothing', { url: 'http://p:1', bypass: ['a b'] }, 'CIDR'],
    ['another choice', { url: 'http://p:1', connect_to: 'both' }, 'name, address'],
    ['resolving there without a URL', { resolve: 'parent' }, `${PARENT}.url`],
    [
      'an address of what is resolved there',
      { url: 'http://p:1', resolve: 'parent', connect_to: 'address' },
      `${PARENT}.connect_to`,
    ],
  ])('%s is refused', (_, settings, why) => {
    const flags = Object.fromEntries(
      Object.entries(settings).map(([key, value]) => [`${PARENT}.${key}`, value]),
    );
    expect(() => settingsOf(flags)).toThrow(StartError);
    expect(() => settingsOf(flags)).toThrow(why);
  });
});

describe('the listener over TLS', () => {
  test('is certified by our own CA, or by files', () => {
    expect(settingsOf({ 'proxy.tls_listen': '*:3130' }).proxy.tls).toEqual({
      listen: { host: null, port: 3130 },
      files: null,
      names: ['localhost'],
    });
    const given = settingsOf({
      'proxy.tls_listen': '*:3130',
      'proxy.tls.cert_file': 'a.pem',
      'proxy.tls.key_file': 'a.key',
    });
    const files = { certFile: '/etc/sallyport/a.pem', keyFile: '/etc/sallyport/a.key' };
    expect(given.proxy.tls?.files).toEqual(files);
  });

  test.each([
    ['half a certificate', { tls_listen: '*:1', 'tls.cert_file': 'a' }, 'proxy.tls.key_file'],
    ['nowhere', { 'tls.cert_file': 'a', 'tls.key_file': 'b' }, 'proxy.tls_listen'],
    ['for nobody', { tls_listen: '*:1', 'tls.names': [] }, 'proxy.tls.names'],
    ['for no name', { tls_listen: '*:1', 'tls.names': ['a b'] }, 'host name or an IP address'],
  ])('%s is refused', (_, settings, why) => {
    const flags = Object.fromEntries(
      Object.entries(settings).map(([key, value]) => [`proxy.${key}`, value]),
    );
    expect(() => settingsOf(flags)).toThrow(why);
  });

  test('may be what sandboxes are told', () => {
    const given = settingsOf({ 'proxy.public_url': 'https://proxy.example.com:3130' });
    expect(given.proxy.publicUrl).toBe('https://proxy.example.com:3130');
  });
});

test('files by host are absolute, and never none', () => {
  const given = settingsOf({ 'egress.host_ca': { '*.Corp.example': ['ca.pem', '/x/b.pem'] } });
  expect(given.egress.hostCa).toEqual({
    '*.corp.example': ['/etc/sallyport/ca.pem', '/x/b.pem'],
  });
  expect(() => settingsOf({ 'egress.host_crl': { 'a.example': [] } })).toThrow('at least one file');
  expect(() => settingsOf({ 'egress.host_ca': 'x' })).toThrow('expected a map of host');
});
