/**
 * Superserve's four documented network examples, verbatim, and what they have to mean: names at any depth
 * below a wildcard but not the apex, ranges against the addresses a name resolves to, deny all the rest.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sendConnect } from '../support/client.ts';
import { startScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';

const NAMES = [
  'api.openai.com',
  'api.anthropic.com',
  'github.com',
  'api.github.com',
  'a.b.github.com',
  'example.com',
  'api.openai.com.evil.example',
  'evilgithub.com',
] as const;
let scene: Scene;

beforeAll(async () => {
  scene = await startScene({
    names: NAMES,
    // Never dialled here: judged by `explain`.
    hosts: { 'in-range.example.com': '140.82.112.5', 'dns.example.com': '8.8.8.8' },
  });
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

interface Rules {
  readonly allow_out: readonly string[];
  readonly deny_out: readonly string[];
}

async function connect(token: string, name: string): Promise<string> {
  using answer = await sendConnect({ proxy: scene.product.proxy, authority: `${name}:443`, token });
  return answer.response.status === 200 ? 'allowed' : answer.response.reason;
}

async function judge(sandboxId: string, host: string): Promise<string> {
  const question = { sandbox: sandboxId, method: 'GET', url: `https://${host}/`, resolve: true };
  const answer = JSON.stringify(await scene.product.admin.must('POST', '/explain', question));
  if (answer.includes('host_not_allowed')) return 'host_not_allowed';
  return answer.includes('host_denied') ? 'host_denied' : 'allowed';
}

/** Which of all the names this sandbox can reach. */
async function reachable(token: string): Promise<string[]> {
  const verdicts = await Promise.all(NAMES.map(async (name) => [name, await connect(token, name)]));
  const refused = verdicts.filter(([, verdict]) => verdict !== 'allowed');
  expect(refused.every(([, verdict]) => verdict?.startsWith('host_'))).toBe(true);
  return verdicts.filter(([, verdict]) => verdict === 'allowed').map(([name]) => name ?? '');
}

const DENY_ALL = ['0.0.0.0/0'];

describe("Superserve's documented examples", () => {
  test('SDK reference: one host and nothing else', async () => {
    const network: Rules = { allow_out: ['api.openai.com'], deny_out: DENY_ALL };
    const sandbox = await scene.product.createSandbox({ name: 'data-analyzer', network });
    expect(await reachable(sandbox.token)).toEqual(['api.openai.com']);
  });

  test('networking guide: host, wildcard and range', async () => {
    const network: Rules = {
      allow_out: ['api.openai.com', '*.github.com', '140.82.112.0/20'],
      deny_out: DENY_ALL,
    };
    const sandbox = await scene.product.createSandbox({ name: 'restricted', network });
    const names = await reachable(sandbox.token);
    expect(names).toEqual(['api.openai.com', 'api.github.com', 'a.b.github.com']);
    expect(await judge(sandbox.id, 'in-range.example.com')).toBe('allowed');
    expect(await judge(sandbox.id, '140.82.127.255')).toBe('allowed');
    expect(await judge(sandbox.id, '140.82.128.0')).not.toBe('allowed');
    expect(await judge(sandbox.id, 'dns.example.com')).not.toBe('allowed');
  });

  test('networking guide: rules replaced on a running sandbox', async () => {
    const sandbox = await scene.product.createSandbox();
    expect(await reachable(sandbox.token)).toEqual([...NAMES]);
    const network: Rules = {
      allow_out: ['api.anthropic.com', 'api.openai.com'],
      deny_out: DENY_ALL,
    };
    await scene.product.admin.must('PATCH', `/sandboxes/${sandbox.id}`, { network });
    expect(await reachable(sandbox.token)).toEqual(['api.openai.com', 'api.anthropic.com']);
  });

  test('API reference: host, wildcard and a single address', async () => {
    const network: Rules = {
      allow_out: ['api.openai.com', '*.github.com', '8.8.8.8/32'],
      deny_out: DENY_ALL,
    };
    const sandbox = await scene.product.createSandbox({ network });
    const names = await reachable(sandbox.token);
    expect(names).toEqual(['api.openai.com', 'api.github.com', 'a.b.github.com']);
    expect(await judge(sandbox.id, 'dns.example.com')).toBe('allowed');
    expect(await judge(sandbox.id, '8.8.8.8')).toBe('allowed');
    expect(await judge(sandbox.id, '8.8.8.9')).not.toBe('allowed');
  });
});

describe('the order of the rules', () => {
  test('a host entry of deny_out beats allow_out', async () => {
    const network: Rules = { allow_out: ['*.github.com'], deny_out: ['a.b.github.com'] };
    const sandbox = await scene.product.createSandbox({ network });
    expect(await connect(sandbox.token, 'a.b.github.com')).toBe('host_denied');
    expect(await connect(sandbox.token, 'api.github.com')).toBe('allowed');
  });

  test('a range of deny_out refuses by the address the name resolves to', async () => {
    const network: Rules = { allow_out: [], deny_out: ['127.0.0.0/8'] };
    const sandbox = await scene.product.createSandbox({ network });
    expect(await connect(sandbox.token, 'example.com')).toBe('host_denied');
  });

  test('an entry with a port allows that port only', async () => {
    const network: Rules = { allow_out: ['example.com:8443'], deny_out: [] };
    const sandbox = await scene.product.createSandbox({ network });
    expect(await connect(sandbox.token, 'example.com')).toBe('host_not_allowed');
  });

  test('other spellings of a denied name are that name', async () => {
    const network: Rules = { allow_out: [], deny_out: ['github.com'] };
    const sandbox = await scene.product.createSandbox({ network });
    for (const name of ['GitHub.com', 'github.com.', 'ｇithub.com']) {
      const verdict = await connect(sandbox.token, Buffer.from(name).toString('latin1'));
      expect(['host_denied', 'bad_request']).toContain(verdict);
    }
  });
});
