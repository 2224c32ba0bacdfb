import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { StartError } from '../../src/kernel/errors.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/limits.ts';
import { describeSettings } from '../../src/settings/describe-settings.ts';
import { loadSettings } from '../../src/settings/load-settings.ts';
import type { SettingsInput } from '../../src/settings/load-settings.ts';
import { SETTING_ROWS, environmentName } from '../../src/settings/setting-table.ts';

function load(input: Partial<SettingsInput> = {}) {
  return loadSettings({ file: null, env: {}, flags: {}, cwd: '/srv', ...input });
}

function settingsOf(input: Partial<SettingsInput>) {
  return load(input).settings;
}

function writeFile(content: string, name = 'sallyport.yaml'): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-settings-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, name);
  writeFileSync(file, content);
  return file;
}

function faultOf(input: Partial<SettingsInput>): StartError {
  try {
    load(input);
  } catch (error) {
    if (error instanceof StartError) return error;
    throw error;
  }
  throw new Error('it loaded');
}

const faultOfFile = (content: string): StartError => faultOf({ file: writeFile(content) });

describe('defaults', () => {
  test('are those of the spec', () => {
    const settings = settingsOf({});
    expect(settings.dataDir).toBe('/srv/data');
    expect(settings.proxy.listen).toEqual({ host: '127.0.0.1', port: 3128 });
    expect(settings.admin).toEqual({ listen: { host: '127.0.0.1', port: 3129 }, tls: null });
    expect(settings.egress.default).toBe('allow');
    expect(settings.egress.ports).toEqual([
      { from: 80, to: 80 },
      { from: 443, to: 443 },
      { from: 1024, to: 65_535 },
    ]);
    expect(settings.secrets).toEqual({
      allowReveal: false,
      allowWidening: false,
      versionsKept: 10,
    });
    expect(settings.limits).toEqual(DEFAULT_LIMITS);
  });
});

describe('precedence', () => {
  const file = 'proxy: { listen: "127.0.0.1:1" }\nlog: { level: warn }\n';

  test('flag over variable over file over default, each recorded', () => {
    const input = {
      file: writeFile(file),
      env: { SALLYPORT_PROXY_LISTEN: '127.0.0.1:2' },
      flags: {},
    };
    expect(settingsOf({ ...input, env: {} }).proxy.listen.port).toBe(1);
    expect(settingsOf(input).proxy.listen.port).toBe(2);
    const flags = { 'proxy.listen': '127.0.0.1:3', 'admin.listen': undefined };
    const { settings, given } = load({ ...input, flags });
    expect(settings.proxy.listen.port).toBe(3);
    expect(given.get('proxy.listen')?.source).toBe('flag');
    expect(given.get('log.level')?.source).toBe('file');
    expect(given.get('admin.listen')?.source).toBe('default');
  });

  test('an empty variable and an empty key are not given', () => {
    const input = {
      file: writeFile('egress:\nproxy:\n  listen:\n'),
      env: { SALLYPORT_DATA_DIR: '' },
    };
    expect(settingsOf(input)).toEqual(settingsOf({}));
  });

  test('SALLYPORT_CONFIG names the file when no flag does', () => {
    const named = writeFile('log: { level: error }');
    const loaded = load({ env: { SALLYPORT_CONFIG: named } });
    expect(loaded.settings.log.level).toBe('error');
    expect(loaded.file).toBe(named);
    expect(settingsOf({ file: writeFile(''), env: { SALLYPORT_CONFIG: named } }).log.level).toBe(
      'info',
    );
  });
});

describe('the file', () => {
  test('is YAML or JSON by content, whatever its name', () => {
    expect(settingsOf({ file: writeFile('{"log":{"level":"warn"}}') }).log.level).toBe('warn');
    expect(settingsOf({ file: writeFile('{log: {level: warn}}') }).log.level).toBe('warn');
    expect(settingsOf({ file: writeFile('\uFEFFlog:\n  level: warn\n') }).log.level).toBe('warn');
    const tabbed = '{\n\t"log": {\n\t\t"level": "warn"\n\t}\n}';
    expect(settingsOf({ file: writeFile(tabbed) }).log.level).toBe('warn');
    expect(settingsOf({ file: writeFile('') })).toEqual(settingsOf({}));
  });

  test('that is neither is refused with its line and without its text', () => {
    const fault = faultOfFile('store:\n  url: "not-a-real-password\nlog: [');
    expect(fault.message).toMatch(/neither YAML nor JSON: line \d/);
    expect(fault.message).not.toContain('not-a-real-password');
    expect(faultOfFile('- a\n- b').message).toContain('does not contain a map');
    expect(faultOfFile('log: {level: warn}\nlog: {level: info}').message).toContain('neither YAML');
  });

  test('is found from the working directory', () => {
    const file = writeFile('log: { level: warn }');
    const loaded = load({ file: 'sallyport.yaml', cwd: dirname(file) });
    expect(loaded.settings.log.level).toBe('warn');
    expect(loaded.file).toBe(file);
  });

  test('that is not there is named', () => {
    expect(faultOf({ file: '/nowhere/sallyport.yaml' }).message).toBe(
      'The settings file /nowhere/sallyport.yaml cannot be read (ENOENT).',
    );
  });
});

describe('what is wrong is refused with path, expectation and nearest key', () => {
  test.each([
    ['egress: { prots: [1] }', 'egress.prots: not a setting', 'did you mean egress.ports?'],
    ['limits: { headBytesMax: 1 }', 'limits.headBytesMax:', 'did you mean limits.head_bytes_max?'],
    ['listen: 1', 'listen: not a setting', 'did you mean proxy.listen?'],
    ['proxi: { listen: 1 }', 'proxi: not a setting', 'did you mean proxy?'],
    ['egress: { dsn: { mode: system } }', 'egress.dsn: not a setting', 'did you mean egress.dns?'],
    ['zzzzzzzz: 1', 'zzzzzzzz: not a setting', 'expected one of data_dir, proxy'],
    ['proxy: 3128', 'proxy: expected a map with listen, public_url, identify_by_source', ''],
    ['egress: { default: maybe }', 'egress.default: expected one of allow, deny', 'got "maybe"'],
    ['proxy: { public_url: ftp://x }', 'proxy.public_url: expected http://host:port', 'ftp://x'],
    ['egress: { ports: [443, abc] }', 'egress.ports[1]: expected a port or a range', 'got "abc"'],
    ['egress: { ports: 443 }', 'egress.ports: expected a list', 'got 443'],
    ['egress: { ports: [0] }', 'egress.ports[0]: expected a port or a range', 'got 0'],
    ['egress: { ports: [9-8] }', 'egress.ports[0]: expected a port or a range', 'got "9-8"'],
    ['egress: { allow_private: [10.0.0.0/33] }', 'egress.allow_private[0]: expected a CIDR', ''],
    ['egress: { hosts: [a] }', 'egress.hosts: expected a map of name: address', ''],
    [
      'egress: { hosts: { "a b": 1.2.3.4 } }',
      'egress.hosts.a b: expected a host name',
      'got "a b"',
    ],
    ['egress: { hosts: { a.example: b } }', 'egress.hosts.a.example: expected an IP', 'got "b"'],
    ['egress: { hosts: { a.example: "1.2.3.4:0" } }', 'egress.hosts.a.example: expected an IP', ''],
    ['proxy: { listen: localhost }', 'proxy.listen: expected host:port', 'got "localhost"'],
    ['proxy: { listen: "1.2.3:80" }', 'proxy.listen: expected host:port', ''],
    ['proxy: { listen: "[::g]:80" }', 'proxy.listen: expected host:port', ''],
    ['proxy: { listen: "127.0.0.1:65536" }', 'proxy.listen: expected host:port', ''],
    ['limits: { connections_max: 0 }', 'limits.connections_max: expected a whole number', 'got 0'],
    [
      'limits: { dns_timeout_ms: 5s }',
      'limits.dns_timeout_ms: expected a whole number',
      'got "5s"',
    ],
    ['limits: { leaf_life_ms: 9999999999 }', 'limits.leaf_life_ms: expected a whole', '2147483647'],
    ['secrets: { allow_reveal: "yes" }', 'secrets.allow_reveal: expected true or false', ''],
    ['policy: { inflight_grace: 60 }', 'policy.inflight_grace: expected a duration', 'got 60'],
    ['policy: { inflight_grace: 1w }', 'policy.inflight_grace: expected a duration', 'got "1w"'],
    ['data_dir: ""', 'data_dir: expected text that is not empty', ''],
    ['admin: { tls: { cert_file: a } }', 'admin.tls.key_file: expected a file', ''],
    ['audit: { file: a }', 'audit.file: expected only with audit.sink: file', ''],
  ])('%s', (content, path, more) => {
    const { message } = faultOfFile(content);
    expect(message).toContain(path);
    expect(message).toContain(more);
  });

  test('all faults at once', () => {
    const fault = faultOf({
      file: writeFile('egress: { prots: [1], default: maybe }'),
      env: { SALLYPORT_LOG_LEVEL: 'loud' },
      flags: { 'log.colour': 'red' },
    });
    expect(fault.message.split('\n')).toHaveLength(5);
    expect(fault.message).toContain('4 settings are wrong');
    expect(fault.message).toContain('SALLYPORT_LOG_LEVEL: log.level: expected one of debug');
    expect(fault.message).toContain('log.colour: not a setting');
  });

  test('an unknown variable with our prefix, but no other', () => {
    const fault = faultOf({ env: { SALLYPORT_PROXY_LISTENS: '1', PROXY_LISTEN: '2' } });
    expect(fault.message).toContain('did you mean SALLYPORT_PROXY_LISTEN?');
    expect(fault.message).not.toContain('SALLYPORT_PROXY_LISTENS: proxy');
    const others = {
      SALLYPORT_BOOTSTRAP_KEY: 'a',
      SALLYPORT_MASTER_KEY: 'b',
      SALLYPORT_URL: 'c',
      SALLYPORT_API_KEY: 'd',
    };
    expect(settingsOf({ env: others })).toEqual(settingsOf({}));
  });

  test('a hidden setting is not shown', () => {
    const fault = faultOfFile('store: { url: { password: not-a-real-password } }');
    expect(fault.message).toContain('store.url: expected text, got [hidden]');
  });
});

describe('environment variables', () => {
  test('follow from the paths, one each', () => {
    expect(environmentName('egress.allow_private')).toBe('SALLYPORT_EGRESS_ALLOW_PRIVATE');
    const names = [...SETTING_ROWS.keys()].map(environmentName);
    expect(new Set(names).size).toBe(SETTING_ROWS.size);
  });

  test('carry numbers, booleans, lists and maps', () => {
    const { egress, limits, secrets } = settingsOf({
      env: {
        SALLYPORT_EGRESS_PORTS: '443, 8000-9000',
        SALLYPORT_EGRESS_ALLOW_PRIVATE: '["10.0.0.0/8","::1"]',
        SALLYPORT_EGRESS_HOSTS: '{"API.example.com":"127.0.0.1:8443","v6.example":"[::1]:1"}',
        SALLYPORT_LIMITS_CONNECTIONS_MAX: '7',
        SALLYPORT_SECRETS_ALLOW_REVEAL: 'true',
        SALLYPORT_POLICY_INFLIGHT_GRACE: '500ms',
      },
    });
    expect(egress.ports).toEqual([
      { from: 443, to: 443 },
      { from: 8_000, to: 9_000 },
    ]);
    expect(egress.allowPrivate).toEqual(['10.0.0.0/8', '::1']);
    expect(egress.hosts).toEqual({ 'api.example.com': '127.0.0.1:8443', 'v6.example': '[::1]:1' });
    expect(limits.connectionsMax).toBe(7);
    expect(limits.inflightGraceMs).toBe(500);
    expect(secrets.allowReveal).toBe(true);
  });

  test('that do not read as their kind are refused', () => {
    expect(faultOf({ env: { SALLYPORT_EGRESS_HOSTS: 'a=b' } }).message).toContain('expected a map');
    expect(faultOf({ env: { SALLYPORT_LIMITS_DNS_CACHE_MAX: 'x' } }).message).toContain('got "x"');
    expect(faultOf({ env: { SALLYPORT_SECRETS_ALLOW_REVEAL: 'si' } }).message).toContain(
      'or false',
    );
  });
});

describe('listen addresses', () => {
  test.each([
    ['3128', { host: '127.0.0.1', port: 3128 }],
    ['0', { host: '127.0.0.1', port: 0 }],
    ['*:80', { host: null, port: 80 }],
    ['[::1]:3128', { host: '::1', port: 3128 }],
    ['0.0.0.0:3128', { host: '0.0.0.0', port: 3128 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
  ])('%s', (text, expected) => {
    expect(settingsOf({ flags: { 'proxy.listen': text } }).proxy.listen).toEqual(expected);
  });
});

test('paths are absolute, from the working directory', () => {
  const settings = settingsOf({
    flags: {
      data_dir: 'var',
      'egress.extra_ca': 'a.pem,/b.pem',
      'vault.key_file': 'keys/k',
      'admin.tls.cert_file': 'c',
      'admin.tls.key_file': 'k',
      'audit.sink': 'file',
    },
  });
  expect(settings.dataDir).toBe('/srv/var');
  expect(settings.egress.extraCa).toEqual(['/srv/a.pem', '/b.pem']);
  expect(settings.vault.keyFile).toBe('/srv/keys/k');
  expect(settings.admin.tls).toEqual({ certFile: '/srv/c', keyFile: '/srv/k' });
  expect(settings.audit.file).toBe('/srv/var/audit.ndjson');
});

test('config show: every setting, its value and source, passwords hidden', () => {
  const rows = describeSettings(
    load({ env: { SALLYPORT_STORE_URL: 'postgres://u:not-a-real-password@h/d' } }),
  );
  expect(rows.map((row) => row.path)).toEqual([...SETTING_ROWS.keys()]);
  const url = rows.find((row) => row.path === 'store.url');
  expect(url).toMatchObject({ value: '[hidden]', source: 'environment' });
  expect(JSON.stringify(rows)).not.toContain('not-a-real-password');
  expect(rows.find((row) => row.path === 'egress.ports')?.value).toEqual([80, 443, '1024-65535']);
});
