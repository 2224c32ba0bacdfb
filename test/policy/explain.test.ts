/** Explain tells the story of the real decision: every bound secret, outcome and reason, no values. */
import { describe, expect, test } from 'vitest';
import { Refusal } from '../../src/kernel/errors.ts';
import { explainExchange, type Explanation } from '../../src/policy/explain.ts';
import type { NetworkDecision } from '../../src/policy/decision.ts';
import { bound, head, NOW_MS, placeholderOf, secret, snapshotOf } from './fixtures.ts';

const allowed: NetworkDecision = {
  verdict: 'allow',
  addresses: [],
  matchRule: 'default: allow',
  observed: null,
};

const context = { nowMs: NOW_MS, network: allowed, limited: null } as const;

const snapshot = snapshotOf({
  bound: [
    bound(secret('low')),
    bound(secret('high', { priority: 1, companionHeaders: { 'X-Version': '1' } })),
    bound(secret('query', { auth: { type: 'query', name: 'key' } })),
    bound(secret('kept', { auth: { type: 'api-key', header: 'X-Own' }, onExisting: 'keep' })),
    bound(secret('elsewhere', { hosts: ['other.example.com'] })),
    bound(secret('manual'), { inject: 'placeholder' }),
    bound(secret('port', { ports: [8443] })),
    bound(secret('bare', { auth: null, hosts: [] })),
    bound(secret('former'), { detachedAtMs: NOW_MS }),
  ],
});

function explain(
  line: string,
  fields: readonly string[] = [],
  network: NetworkDecision = allowed,
): Explanation {
  return explainExchange(snapshot, head(line, fields), {
    ...context,
    network,
    intercept: 'intercept',
  });
}

function outcomes(explanation: Explanation): Record<string, string> {
  return Object.fromEntries(
    explanation.considered.map(({ secretName, outcome }) => [secretName, outcome]),
  );
}

describe('explain', () => {
  test('every bound secret with its outcome', () => {
    const explanation = explain('GET https://api.example.com/', ['X-Own', 'mine']);
    expect(explanation).toMatchObject({
      decision: 'allow',
      code: null,
      network: { verdict: 'allowed', matchRule: 'default: allow' },
      sets: ['authorization', 'x-version', '?key'],
      strips: ['authorization', '?key'],
    });
    expect(outcomes(explanation)).toEqual({
      low: 'lost',
      high: 'won',
      query: 'won',
      kept: 'kept',
      elsewhere: 'not_matching',
      manual: 'not_matching',
      port: 'not_matching',
      bare: 'not_matching',
      former: 'not_matching',
    });
    for (const { reason } of explanation.considered) expect(reason).toMatch(/^[A-Z].*\.$|\.$/);
    const low = explanation.considered.find(({ secretName }) => secretName === 'low');
    expect(low?.reason).toContain('priority');
  });

  test('a refusal names the secret it is about', () => {
    const fields = ['X', placeholderOf('ELSEWHERE_KEY')];
    const explanation = explain('GET https://api.example.com/', fields);
    expect(explanation).toMatchObject({ decision: 'deny', code: 'credential_host_mismatch' });
    expect(outcomes(explanation)['elsewhere']).toBe('refused');
    expect(JSON.stringify(explanation)).not.toContain(placeholderOf('ELSEWHERE_KEY'));
  });

  test('an ordinary host is explained too', () => {
    const explanation = explain('GET https://nobody.example/');
    expect(explanation).toMatchObject({ decision: 'allow', sets: [] });
    expect(explanation.considered).toHaveLength(9);
  });

  test('the network goes first', () => {
    const network: NetworkDecision = {
      verdict: 'refuse',
      refusal: new Refusal('host_denied'),
      matchRule: 'deny_out: 0.0.0.0/0',
    };
    expect(explain('GET https://api.example.com/', [], network)).toMatchObject({
      decision: 'deny',
      code: 'host_denied',
      network: { verdict: 'blocked', matchRule: 'deny_out: 0.0.0.0/0' },
      considered: [],
    });
  });

  test('without resolving the verdict stays open', () => {
    const explanation = explain('GET https://api.example.com/', [], {
      verdict: 'resolve',
      observed: null,
    });
    expect(explanation.network).toEqual({
      verdict: 'unresolved',
      matchRule: null,
      wouldRefuse: null,
    });
    expect(explanation.decision).toBe('allow');
  });

  test.each([
    ['was detached', bound(secret('key'), { detachedAtMs: NOW_MS })],
    ['was deleted', bound(secret('key'), { deleted: true })],
    ['this binding stays with', bound(secret('key', { oldestUsableVersion: 2 }))],
    ['in the workspace of this sandbox', bound(secret('key', { allowedWorkspacesType: 'NONE' }))],
  ])('a secret that is out of reach: the reason says that it %s', (words, binding) => {
    const sent = ['Authorization', placeholderOf('KEY_KEY')];
    const explanation = explainExchange(
      snapshotOf({ bound: [binding] }),
      head('GET https://api.example.com/', sent),
      { ...context, intercept: 'intercept' },
    );
    expect(explanation.code).toBe('credential_revoked');
    expect(explanation.message).toContain(words);
    expect(explanation.considered[0]?.reason).toBe(explanation.message);
  });

  test.each([
    ['sandbox_paused', { status: 'paused' }],
    ['sandbox_expired', { expiresAtMs: NOW_MS }],
  ] as const)('%s goes before everything else', (code, state) => {
    const explanation = explainExchange(
      { ...snapshot, ...state },
      head('GET https://api.example.com/'),
      { ...context, intercept: 'intercept' },
    );
    expect(explanation).toMatchObject({ decision: 'deny', code, considered: [] });
  });

  test('a tunnel is not looked into', () => {
    const tunnel = { ...context, intercept: 'tunnel' } as const;
    const explanation = explainExchange(snapshot, head('GET https://x.example/'), tunnel);
    expect(explanation).toMatchObject({ decision: 'tunnel', intercept: false });
    const reasons = new Set(explanation.considered.map(({ reason }) => reason));
    expect(reasons).toEqual(
      new Set(['Its hosts do not include this one.', 'It has no auth and hosts yet.']),
    );
  });

  test('a tunnel to a host of a secret says that the configuration forbids to read it', () => {
    const tunnel = { ...context, intercept: 'tunnel' } as const;
    const { message, considered } = explainExchange(
      snapshot,
      head('GET https://api.example.com/'),
      tunnel,
    );
    expect(message).toContain('egress.never_intercept');
    expect(considered.map(({ reason }) => reason)).toContain(
      'Its host is in egress.never_intercept, so it is not used.',
    );
  });
});
