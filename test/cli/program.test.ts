/** The command line without a server: help, wrong input, exit codes, what cannot be reached. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EXIT_CODES } from '../../cli/exit-codes.ts';
import { ROOT, runSallyport } from './command-line.ts';

const NOWHERE = { SALLYPORT_URL: 'http://127.0.0.1:9' };

describe('the command line', () => {
  test('prints the version of the package', async () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      version: string;
    };
    const { code, stdout } = await runSallyport(['--version']);
    expect([code, stdout]).toEqual([0, `${manifest.version}\n`]);
  });

  test('help names every command the guide documents', async () => {
    const { code, stdout } = await runSallyport(['--help']);
    expect(code).toBe(0);
    const guide = readFileSync(join(ROOT, 'docs/guides/cli.md'), 'utf8');
    const commands = stdout.split('Commands:\n')[1]?.match(/^ {2}[a-z]+/gm) ?? [];
    const names = commands.map((line) => line.trim()).filter((name) => name !== 'help');
    expect(names.length).toBeGreaterThan(12);
    for (const name of names) expect(guide).toMatch(new RegExp(`\`${name}\\b`));
  });

  test('the guide lists every exit code', () => {
    const guide = readFileSync(join(ROOT, 'docs/guides/cli.md'), 'utf8');
    const table = guide.slice(guide.indexOf('## Exit codes'));
    for (const code of Object.values(EXIT_CODES)) {
      expect(table).toMatch(new RegExp(`^\\| (\\d+, )?${code}(, \\d+)? \\|`, 'm'));
    }
  });

  test.each([
    [['bogus'], "unknown command 'bogus'"],
    [['secret', 'create', 'x', '--bogus'], "unknown option '--bogus'"],
    [['secret', 'create'], "missing required argument 'name'"],
    [['secret', 'create', 'x'], 'how the value is placed'],
    [['secret', 'create', 'x', '--bearer', '--basic'], 'more than one way'],
    [['secret', 'create', 'x', '--provider', 'github', '--bearer'], 'more than one way'],
    [['secret', 'update', 'x'], 'nothing to change'],
    [['secret', 'rotate', 'x'], 'the value is empty'],
    [['secret', 'rotate', 'x', '--value-env', 'NOT_THERE'], 'NOT_THERE is not set'],
    [['secret', 'rotate', 'x', '--value-env', 'A', '--value-stdin'], 'give one of'],
    [['secret', 'create', 'x', '--bearer', '--port', '0'], 'Expected a port'],
    [['sandbox', 'create', 'x', '--secret', 'a=1b'], 'cannot be the name of a variable'],
    [['run', '--', 'true'], 'no secret was named'],
    [['explain', 'ftp://x', '--sandbox', 's'], 'not an http or https URL'],
    [['audit'], 'name a secret, or a sandbox'],
    [['audit', '--sandbox', 's', '--status', '2xx'], '--status is for the audit of a secret'],
    [['secret', 'list', '--url', 'nonsense'], 'not the address of an admin API'],
    [['secret', 'list', '--api-key-file', '/not/there'], 'cannot read the key file'],
    [['relay', '--upstream', 'nonsense'], 'Expected HOST:PORT'],
  ])('%j is wrong usage', async (args, message) => {
    const { code, stdout, stderr } = await runSallyport(args, { env: NOWHERE });
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^sallyport: /);
    expect(stdout).toBe('');
    expect(code).toBe(EXIT_CODES.usage);
  });

  test('a server that is not there is said, with what was being done and a hint', async () => {
    const { code, stderr } = await runSallyport(['secret', 'list'], { env: NOWHERE });
    expect(stderr).toMatch(/^sallyport: listing secrets: .*127\.0\.0\.1:9.*ECONNREFUSED/);
    expect(stderr).toMatch(/^hint: .*SALLYPORT_URL/m);
    expect(code).toBe(EXIT_CODES.unreachable);
  });

  test('the admin connection ignores the proxy variables of the shell', async () => {
    const env = { ...NOWHERE, HTTP_PROXY: 'http://127.0.0.1:8', NODE_USE_ENV_PROXY: '1' };
    const { stderr } = await runSallyport(['secret', 'list'], { env: { ...env, NO_PROXY: '' } });
    expect(stderr).toContain('127.0.0.1:9 does not answer (ECONNREFUSED)');
  });
});

describe('settings', () => {
  test('config check accepts defaults and names the nearest key of a wrong one', async () => {
    expect((await runSallyport(['config', 'check'])).code).toBe(0);
    const wrong = await runSallyport(['config', 'check', '--set', 'egress.prots=1']);
    expect(wrong.stderr).toContain('did you mean egress.ports?');
    expect(wrong.code).toBe(EXIT_CODES.settings);
  });

  test('config show says where a value comes from', async () => {
    const { stdout } = await runSallyport(['config', 'show', '--json', '--log-level', 'warn'], {
      env: { SALLYPORT_PROXY_LISTEN: '127.0.0.1:4000' },
    });
    const rows = JSON.parse(stdout) as { path: string; value: unknown; source: string }[];
    const find = (path: string) => rows.find((row) => row.path === path);
    expect(find('proxy.listen')).toMatchObject({ value: '127.0.0.1:4000', source: 'environment' });
    expect(find('log.level')).toMatchObject({ value: 'warn', source: 'flag' });
    expect(find('data_dir')).toMatchObject({ source: 'default' });
  });

  test('serve does not start with a wrong setting, and says so before it makes anything', async () => {
    const { code, stdout, stderr } = await runSallyport([
      'serve',
      '--ready-json',
      '--proxy-listen',
      'x',
    ]);
    expect([code, stdout]).toEqual([EXIT_CODES.settings, '']);
    expect(stderr).toContain('proxy.listen');
  });
});

test.each([
  [['secret', 'create', 'x', 'planted-1', '--bearer'], 'too many arguments'],
  [['secret', 'create', 'x', 'a, b\nplanted-1.', '--bearer'], 'too many arguments'],
  [['secret', 'rotate', 'x', '--value=planted-1'], "unknown option '--value'"],
  [['secret', 'rotate', 'x', "--value='planted-1'\n'"], "unknown option '--value'"],
  [['secret', 'create', 'x', '--header', 'planted-1'], '--header is no header line'],
  [['secret', 'rotate', 'x', '--value-env', 'planted_1'], 'the variable that holds the value'],
  [['secret', 'rotate', 'x', '--value-file', 'planted/1'], 'the file that holds the value'],
  [['explain', 'https://a.example', '--sandbox', 's', '--header', 'planted-1'], 'no header line'],
])('I3 a value typed where it does not belong is not repeated: %j', async (args, message) => {
  const { code, stdout, stderr } = await runSallyport(args, { env: NOWHERE });
  expect([code, stdout]).toEqual([EXIT_CODES.usage, '']);
  expect(stderr).toContain(message);
  expect(stderr).not.toContain('planted');
  expect(stderr).toMatch(/hint: |--help/);
});

test('a value that is no text is refused, not replaced', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-test-'));
  const file = join(directory, 'value');
  writeFileSync(file, Buffer.from([0x61, 0xff, 0x62]));
  const args = ['secret', 'rotate', 'x', '--value-file', file];
  const { code, stderr } = await runSallyport(args, { env: NOWHERE });
  rmSync(directory, { recursive: true });
  expect([code, stderr]).toEqual([
    EXIT_CODES.usage,
    'sallyport: the value is not UTF-8 text\nhint: Encode it first: base64.\n',
  ]);
});

test('config check knows which databases there are, and does not repeat a password', async () => {
  const env = { SALLYPORT_STORE_URL: 'mysql://user:planted-2@db/x' };
  const { code, stdout, stderr } = await runSallyport(['config', 'check'], { env });
  expect([code, stdout]).toEqual([EXIT_CODES.settings, '']);
  expect(stderr).toMatch(/store\.url.*\nhint: /);
  expect(stderr).not.toContain('planted');
});

test('a backup without a database says so and makes nothing', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-test-'));
  const missing = join(directory, 'none');
  const args = ['backup', join(directory, 'b.db'), '--data-dir', missing];
  const { code, stderr } = await runSallyport(args);
  const left = readdirSync(directory);
  rmSync(directory, { recursive: true });
  expect([code, left]).toEqual([EXIT_CODES.settings, []]);
  expect(stderr).toMatch(/^sallyport: There is no database .*\nhint: .*\n$/);
});
