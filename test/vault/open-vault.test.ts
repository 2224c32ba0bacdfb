import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { StartError } from '../../src/kernel/errors.ts';
import type { InstanceStore } from '../../src/store/instance-store.ts';
import { openVault } from '../../src/vault/open-vault.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { openStore, temporaryDirectory } from '../store/temporary-store.ts';

let dataDir: string;
let instance: InstanceStore;

beforeEach(async () => {
  dataDir = temporaryDirectory();
  instance = await newInstance();
});

async function newInstance(): Promise<InstanceStore> {
  return (await openStore(temporaryDirectory())).instance;
}

function open(options: { masterKey?: string | null; keyFile?: string | null } = {}) {
  return openVault({
    instance,
    limits: { openedValuesMax: 10 },
    masterKey: options.masterKey ?? null,
    keyFile: options.keyFile ?? null,
    dataDir,
  });
}

async function faultOf(opening: Promise<Vault>): Promise<StartError> {
  const fault: unknown = await opening.then(
    () => new Error('it opened'),
    (error: unknown) => error,
  );
  if (fault instanceof StartError) return fault;
  throw fault;
}

const newKey = (): string => randomBytes(32).toString('base64');

describe('the key file', () => {
  test('is made at first start, 0600, base64 of 32 bytes, with no draft left beside it', async () => {
    await open();
    const file = join(dataDir, 'master.key');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(Buffer.from(readFileSync(file, 'utf8').trim(), 'base64')).toHaveLength(32);
    expect(readdirSync(dataDir)).toEqual(['master.key']);
  });

  test('opens at the next start what was sealed at the first', async () => {
    const sealed = (await open()).sealItem('item', Buffer.from('content'));
    const again = await open();
    expect(Buffer.from(again.openItem('item', sealed)).toString()).toBe('content');
  });

  test('can be elsewhere, in a directory that does not exist yet', async () => {
    const keyFile = join(dataDir, 'keys', 'here.key');
    await open({ keyFile });
    expect(existsSync(keyFile)).toBe(true);
    expect(statSync(join(dataDir, 'keys')).mode & 0o777).toBe(0o700);
  });

  test('with two keys seals with the first and opens with both', async () => {
    const sealed = (await open()).sealItem('item', Buffer.from('content'));
    const file = join(dataDir, 'master.key');
    writeFileSync(file, `${newKey()}\n${readFileSync(file, 'utf8')}`);
    const rotated = await open();
    expect(Buffer.from(rotated.openItem('item', sealed)).toString()).toBe('content');
    const newer = rotated.sealItem('item', Buffer.from('content'));
    expect(Buffer.from(newer).toString('hex', 1, 9)).not.toBe(
      Buffer.from(sealed).toString('hex', 1, 9),
    );
  });

  test('two nodes starting at once on one directory agree on one key', async () => {
    const [first, second] = await Promise.all([open(), open()]);
    const sealed = first.sealItem('item', Buffer.from('content'));
    expect(Buffer.from(second.openItem('item', sealed)).toString()).toBe('content');
  });
});

describe('I8 no key, no start', () => {
  test('the file is gone but the database was sealed: missing, named, and no new one is made', async () => {
    await open();
    const file = join(dataDir, 'master.key');
    rmSync(file);
    const fault = await faultOf(open());
    expect(fault.message).toContain('missing');
    expect(fault.message).toContain(file);
    expect(fault.hint).toContain('SALLYPORT_MASTER_KEY');
    expect(existsSync(file)).toBe(false);
  });

  test('another key: wrong, with both ids and where the wrong one came from', async () => {
    await open();
    writeFileSync(join(dataDir, 'master.key'), `${newKey()}\n`);
    const fromFile = await faultOf(open());
    expect(fromFile.message).toMatch(
      /wrong: .* key [0-9a-f]{16}, .*master\.key holds [0-9a-f]{16}/,
    );
    const fromVariable = await faultOf(open({ masterKey: newKey() }));
    expect(fromVariable.message).toContain('SALLYPORT_MASTER_KEY holds');
  });

  test('what is not 32 bytes of base64 is refused without being shown', async () => {
    for (const masterKey of [
      '',
      'not-a-real-key',
      randomBytes(31).toString('base64'),
      '!'.repeat(44),
    ]) {
      const fault = await faultOf(open({ masterKey }));
      expect(fault.message).toBe('SALLYPORT_MASTER_KEY does not hold a master key.');
      expect(fault.hint).toContain('openssl rand -base64 32');
    }
    const file = join(dataDir, 'master.key');
    writeFileSync(file, '\n');
    expect((await faultOf(open())).message).toContain('is empty');
    writeFileSync(file, 'not-a-real-key\n');
    const fault = await faultOf(open());
    expect(fault.message).toContain(file);
    expect(fault.message).not.toContain('not-a-real-key');
  });

  test('a key file that is a directory cannot be read, and the message says so', async () => {
    expect((await faultOf(open({ keyFile: dataDir }))).message).toContain(
      'cannot be read (EISDIR)',
    );
  });

  test('a place that cannot be written is named', async () => {
    const blocker = join(dataDir, 'file');
    writeFileSync(blocker, '');
    chmodSync(blocker, 0o400);
    const fault = await faultOf(open({ keyFile: join(blocker, 'master.key') }));
    expect(fault.message).toContain(join(blocker, 'master.key'));
  });

  test('a damaged check item is not taken for a fitting key', async () => {
    const key = newKey();
    await open({ masterKey: key });
    const check = await instance.readInstanceItem('vault.key_check');
    if (check === undefined) throw new Error('no check item');
    const damaged = Buffer.from(check);
    damaged[damaged.byteLength - 1] = (damaged.at(-1) ?? 0) ^ 1;
    instance = await newInstance();
    await instance.insertInstanceItem('vault.key_check', damaged);
    expect((await faultOf(open({ masterKey: key }))).message).toContain('damaged');
  });
});

test('the variable goes before the file, and then no file is made', async () => {
  await open({ masterKey: newKey() });
  expect(readdirSync(dataDir)).toEqual([]);
});

test('base64 without padding and with a newline is the same key', async () => {
  const key = newKey();
  const sealed = (await open({ masterKey: key })).sealItem('item', Buffer.from('content'));
  const again = await open({ masterKey: `${key.replace('=', '')}\n` });
  expect(Buffer.from(again.openItem('item', sealed)).toString()).toBe('content');
});
