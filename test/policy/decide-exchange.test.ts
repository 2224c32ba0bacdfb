/** Which secrets go on a request: selection, claims, tombstones, permission, plain http. */
import { describe, expect, test } from 'vitest';
import { decideExchange } from '../../src/policy/decide-exchange.ts';
import type { ExchangeDecision, Winner } from '../../src/policy/decision.ts';
import { Permit } from '../../src/policy/permit.ts';
import type { Snapshot } from '../../src/policy/snapshot.ts';
import { bound, head, NOW_MS, placeholderOf, secret, snapshotOf } from './fixtures.ts';

function decide(
  snapshot: Snapshot,
  line: string,
  fields: readonly string[] = [],
): ExchangeDecision {
  return decideExchange(snapshot, head(line, fields), { nowMs: NOW_MS });
}

function outcome(decision: ExchangeDecision): string {
  if (decision.verdict === 'refuse') return decision.refusal.code;
  return decision.winners.map((winner) => winner.secretName).join('+') || 'ordinary';
}

function onlyWinner(decision: ExchangeDecision): Winner {
  if (decision.verdict !== 'forward' || decision.winners.length !== 1) {
    throw new Error(`expected one winner, got ${outcome(decision)}`);
  }
  const [winner] = decision.winners;
  if (winner === undefined) throw new Error('no winner');
  return winner;
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

const LINE = 'GET https://api.example.com/v1';

describe('injection by host', () => {
  const snapshot = snapshotOf({ bound: [bound(secret('key'))] });

  test('I2: the winner carries a permit for exactly this request', () => {
    const winner = onlyWinner(decide(snapshot, 'POST https://api.example.com/v1/x?q=1'));
    expect(Permit.isGenuine(winner.permit)).toBe(true);
    expect(winner.permit.scope).toMatchObject({
      organizationId: 'org-1',
      sandboxId: 'sandbox-1',
      secretId: 'id-key',
      host: 'api.example.com',
      port: 443,
      method: 'POST',
      path: '/v1/x',
    });
    expect(winner).toMatchObject({ placeholder: null, places: [], stripFields: ['authorization'] });
  });

  test.each([
    'GET https://example.com/',
    'GET https://a.api.example.com/',
    'GET https://api.example.com.evil.example/',
    'GET https://xapi.example.com/',
    'GET https://api.example.com:8443/',
    'GET http://api.example.com/',
    'GET http://api.example.com:443/',
  ])('%s gets nothing', (line) => expect(outcome(decide(snapshot, line))).toBe('ordinary'));

  test('the own key of a client is replaced, not kept', () => {
    expect(outcome(decide(snapshot, LINE, ['authorization', 'Bearer mine']))).toBe('key');
  });

  test('inject: placeholder is never injected by host', () => {
    const only = snapshotOf({ bound: [bound(secret('key'), { inject: 'placeholder' })] });
    expect(outcome(decide(only, LINE))).toBe('ordinary');
    const sent = ['Authorization', `Bearer ${placeholderOf('KEY_KEY')}`];
    expect(outcome(decide(only, LINE, sent))).toBe('key');
  });

  test('a wildcard covers one label', () => {
    const wild = snapshotOf({ bound: [bound(secret('key', { hosts: ['*.example.com'] }))] });
    expect(outcome(decide(wild, LINE))).toBe('key');
    expect(outcome(decide(wild, 'GET https://example.com/'))).toBe('ordinary');
    expect(outcome(decide(wild, 'GET https://a.b.example.com/'))).toBe('ordinary');
  });

  test('a secret without auth is not used', () => {
    const bare = snapshotOf({ bound: [bound(secret('key', { auth: null, hosts: [] }))] });
    expect(outcome(decide(bare, LINE))).toBe('ordinary');
    const sent = ['X-Key', placeholderOf('KEY_KEY')];
    expect(outcome(decide(bare, LINE, sent))).toBe('credential_host_mismatch');
  });
});

describe('placeholders', () => {
  const snapshot = snapshotOf({
    bound: [
      bound(secret('one')),
      bound(secret('two', { hosts: ['two.example.com'], auth: { type: 'basic' } })),
      bound(secret('bot', { hosts: ['bot.example.com'], auth: { type: 'path' } })),
      bound(secret('query', { hosts: ['q.example.com'], auth: { type: 'query', name: 'key' } })),
    ],
  });
  const one = placeholderOf('ONE_KEY');
  const two = placeholderOf('TWO_KEY');
  const bot = placeholderOf('BOT_KEY');

  test.each([
    ['as bearer', ['Authorization', `Bearer ${one}`], ''],
    ['raw', ['X-Api-Key', one], ''],
    ['with any prefix', ['Authorization', `token ${one}`], ''],
    ['in mixed case and underscores', ['x_API_key', one], ''],
    ['inside Basic as password', ['Authorization', basic('someone', one)], ''],
    ['inside Basic as user', ['authorization', basic(one, '').replace('Basic', 'BASIC')], ''],
    ['inside unpadded Basic', ['Authorization', basic('a', one).replace(/=+$/, '')], ''],
    ['in a cookie', ['Cookie', `a=b; key=${one}`], ''],
    ['in the query', [], `?api_key=${one}&x=1`],
    ['in the query, encoded', [], `?api_key=%73${one.slice(1)}`],
    ['as a query key', [], `?${one}`],
  ])('%s: selects on its host, is refused on another bound host', (_where, fields, query) => {
    expect(outcome(decide(snapshot, `${LINE}${query}`, fields))).toBe('one');
    const wrong = decide(snapshot, `GET https://two.example.com/v1${query}`, fields);
    expect(outcome(wrong)).toBe('credential_host_mismatch');
    const port = decide(snapshot, `GET https://api.example.com:8443/v1${query}`, fields);
    expect(outcome(port)).toBe('credential_host_mismatch');
    const plain = decide(snapshot, `GET http://api.example.com/v1${query}`, fields);
    expect(outcome(plain)).toBe('plaintext_refused');
  });

  test('the refusal belongs to the secret it named, and says which variable and hosts', () => {
    const refused = decide(snapshot, 'GET https://two.example.com/', ['X', one]);
    if (refused.verdict !== 'refuse') throw new Error('not refused');
    expect(refused.secrets).toEqual([{ secretId: 'id-one', version: 1 }]);
    expect(refused.refusal.message).toContain('ONE_KEY');
    expect(refused.refusal.message).toContain('api.example.com');
    expect(refused.refusal.message).not.toContain(one);
  });

  test('in a path only secrets of the path are looked for', () => {
    const passes = decide(snapshot, `GET https://two.example.com/${one}`);
    expect(outcome(passes)).toBe('two');
    const placed = decide(snapshot, `POST https://bot.example.com/bot${bot}/send`);
    expect(outcome(placed)).toBe('bot');
    expect(outcome(decide(snapshot, `GET https://two.example.com/${bot}`))).toBe(
      'credential_host_mismatch',
    );
  });

  test('a secret of the path has no other place', () => {
    expect(outcome(decide(snapshot, 'GET https://bot.example.com/x'))).toBe('ordinary');
    expect(outcome(decide(snapshot, 'GET https://bot.example.com/x', ['X', bot]))).toBe(
      'bad_request',
    );
  });

  test("someone else's placeholder is ordinary text", () => {
    const fields = ['X-Api-Key', placeholderOf('OTHER_SANDBOX')];
    expect(outcome(decide(snapshot, 'GET https://nobody.example/', fields))).toBe('ordinary');
    expect(outcome(decide(snapshot, LINE, fields))).toBe('one');
  });

  test('I6: two of different secrets in one field are refused', () => {
    for (const fields of [
      ['X', `${one} ${two}`],
      ['Authorization', basic(one, two)],
    ]) {
      expect(outcome(decide(snapshot, LINE, fields))).toBe('bad_request');
    }
    expect(outcome(decide(snapshot, `${LINE}?a=${one}${two}`))).toBe('bad_request');
  });

  test('the name beside the placeholder is kept only when it is the whole password', () => {
    const fields = ['Authorization', basic('alice', two)];
    const winner = onlyWinner(decide(snapshot, 'GET https://two.example.com/', fields));
    expect(winner.places).toEqual([{ in: 'field', name: 'authorization', basicUsername: 'alice' }]);
    const partial = ['Authorization', basic('alice', `x${two}`)];
    const other = onlyWinner(decide(snapshot, 'GET https://two.example.com/', partial));
    expect(other.places).toEqual([{ in: 'field', name: 'authorization', basicUsername: null }]);
  });

  test('one secret bound twice counts once, and both places are cleared', () => {
    const twice = snapshotOf({
      bound: [
        bound(secret('one'), { envKey: 'A' }),
        bound(secret('one'), { envKey: 'B', inject: 'placeholder' }),
      ],
    });
    const fields = ['X-A', placeholderOf('A'), 'X-B', placeholderOf('B')];
    const winner = onlyWinner(decide(twice, LINE, fields));
    expect([...winner.stripFields].sort()).toEqual(['authorization', 'x-a', 'x-b']);
    expect(outcome(decide(twice, LINE))).toBe('one');
  });

  test('the proxy credentials are no place', () => {
    const fields = ['Proxy-Authorization', basic('x', one)];
    expect(outcome(decide(snapshot, 'GET https://nobody.example/', fields))).toBe('ordinary');
  });
});

describe('claims', () => {
  const bearer = { auth: { type: 'bearer' } } as const;

  test('secrets whose claims do not overlap all apply', () => {
    const snapshot = snapshotOf({
      bound: [
        bound(secret('api', { auth: { type: 'api-key', header: 'DD-API-KEY' } })),
        bound(secret('app', { auth: { type: 'api-key', header: 'DD-APPLICATION-KEY' } })),
      ],
    });
    expect(outcome(decide(snapshot, LINE))).toBe('api+app');
  });

  test('a tie is ambiguous and names both', () => {
    const snapshot = snapshotOf({ bound: [bound(secret('a')), bound(secret('b'))] });
    const decision = decide(snapshot, LINE);
    if (decision.verdict !== 'refuse') throw new Error('not refused');
    expect(decision.refusal.code).toBe('ambiguous_secret');
    expect(decision.refusal.message).toContain('a (A_KEY)');
    expect(decision.refusal.message).toContain('b (B_KEY)');
    expect(decision.secrets.map(({ secretId }) => secretId)).toEqual(['id-a', 'id-b']);
  });

  test('what is stripped is claimed too, in every spelling', () => {
    const snapshot = snapshotOf({
      bound: [
        bound(secret('a', { alsoStrip: { headers: ['X_Api_Key'], query: [] } })),
        bound(secret('b', { auth: { type: 'api-key', header: 'x-api-key' } })),
      ],
    });
    expect(outcome(decide(snapshot, LINE))).toBe('ambiguous_secret');
  });

  test.each([
    ['a placeholder beats auto', {}, {}, ['X', placeholderOf('B_KEY')]],
    ['an exact host beats a wildcard', { hosts: ['*.example.com'], priority: 9 }, {}, []],
    ['priority decides at last', {}, { priority: 1 }, []],
  ])('%s', (_name, a, b, fields) => {
    const one = bound(secret('a', { ...bearer, ...a }));
    const other = bound(secret('b', { ...bearer, ...b }));
    for (const both of [
      [one, other],
      [other, one],
    ]) {
      expect(outcome(decide(snapshotOf({ bound: both }), LINE, fields))).toBe('b');
    }
  });

  test('a longer path beats a shorter one, and priority', () => {
    const rule = (paths: string[]) => ({
      auth: { perHost: [{ ...bearer.auth, hosts: ['api.example.com'], paths }] },
    });
    const snapshot = snapshotOf({
      bound: [
        bound(secret('short', { ...rule(['/**']), priority: 5 })),
        bound(secret('long', rule(['/v1/**']))),
      ],
    });
    expect(outcome(decide(snapshot, 'GET https://api.example.com/v1/x'))).toBe('long');
    expect(outcome(decide(snapshot, 'GET https://api.example.com/v2/x'))).toBe('short');
  });

  test('a placeholder that lost is cleared as well', () => {
    const snapshot = snapshotOf({
      bound: [bound(secret('a')), bound(secret('b', { priority: 1 }))],
    });
    const fields = ['X-A', placeholderOf('A_KEY'), 'Authorization', placeholderOf('B_KEY')];
    const winner = onlyWinner(decide(snapshot, `${LINE}?k=${placeholderOf('A_KEY')}`, fields));
    expect(winner.secretName).toBe('b');
    expect([...winner.stripFields].sort()).toEqual(['authorization', 'x-a']);
    expect(winner.stripQuery).toEqual(['k']);
  });

  test('a placeholder in the path cannot be cleared, so losing there is ambiguous', () => {
    const strip = { headers: ['Authorization'], query: [] };
    const snapshot = snapshotOf({
      bound: [
        bound(secret('bot', { auth: { type: 'path' }, alsoStrip: strip })),
        bound(secret('b', { priority: 1 })),
      ],
    });
    const line = `GET https://api.example.com/bot${placeholderOf('BOT_KEY')}`;
    const decision = decide(snapshot, line, ['Authorization', placeholderOf('B_KEY')]);
    expect(outcome(decision)).toBe('ambiguous_secret');
  });

  test('a secret that lost does not keep another from applying', () => {
    const api = (name: string, header: string, strip: string[], priority: number) =>
      bound(
        secret(name, {
          auth: { type: 'api-key', header },
          alsoStrip: { headers: strip, query: [] },
          priority,
        }),
      );
    const snapshot = snapshotOf({
      bound: [api('a', 'X-A', ['x-b'], 3), api('b', 'X-B', ['x-c'], 2), api('c', 'X-C', [], 1)],
    });
    expect(outcome(decide(snapshot, LINE))).toBe('a+c');
  });
});

describe('per_host rules', () => {
  const github = secret('github', {
    hosts: ['api.github.com', 'github.com'],
    auth: {
      perHost: [
        { type: 'bearer', hosts: ['api.github.com'] },
        { type: 'basic', username: 'x-access-token', hosts: ['github.com'] },
      ],
    },
  });

  test('each host gets its own placement', () => {
    const snapshot = snapshotOf({ bound: [bound(github)] });
    const api = onlyWinner(decide(snapshot, 'GET https://api.github.com/user'));
    const git = onlyWinner(decide(snapshot, 'GET https://github.com/o/r.git/info/refs'));
    expect(api.placement).toEqual({ type: 'bearer' });
    expect(git.placement).toEqual({ type: 'basic', username: 'x-access-token' });
  });

  test('the rule that names the host goes before one that covers it', () => {
    const mixed = secret('key', {
      hosts: ['*.example.com'],
      auth: {
        perHost: [
          { type: 'bearer', hosts: ['*.example.com'] },
          { type: 'basic', hosts: ['api.example.com'] },
        ],
      },
    });
    const snapshot = snapshotOf({ bound: [bound(mixed)] });
    expect(onlyWinner(decide(snapshot, LINE)).placement.type).toBe('basic');
    const other = decide(snapshot, 'GET https://other.example.com/');
    expect(onlyWinner(other).placement.type).toBe('bearer');
  });

  test('I6: a path that reads two ways chooses no rule', () => {
    const gitlab = secret('gitlab', {
      hosts: ['gitlab.com'],
      auth: {
        perHost: [
          { type: 'api-key', header: 'PRIVATE-TOKEN', hosts: ['gitlab.com'], paths: ['/api/**'] },
          { type: 'basic', hosts: ['gitlab.com'], paths: ['/*/*/info/refs'] },
        ],
      },
    });
    const snapshot = snapshotOf({ bound: [bound(gitlab)] });
    const types = (line: string): string => onlyWinner(decide(snapshot, line)).placement.type;
    expect(types('GET https://gitlab.com/api/v4/user')).toBe('api-key');
    expect(types('GET https://gitlab.com/g/p.git/info/refs?service=x')).toBe('basic');
    expect(outcome(decide(snapshot, 'GET https://gitlab.com/explore%20x'))).toBe('ordinary');
    for (const path of ['/api/%2e%2e/g/p.git', '/x/../api/v4', '/%61pi/v4', '/api/%00']) {
      expect(outcome(decide(snapshot, `GET https://gitlab.com${path}`))).toBe(
        'credential_not_permitted',
      );
    }
  });
});

describe('permission comes after selection', () => {
  const limited = secret('key', { methods: ['GET', 'POST'], paths: ['/v1/public/**', '/v1/me'] });
  const snapshot = snapshotOf({ bound: [bound(limited)] });
  const at = (method: string, path: string): string =>
    outcome(decide(snapshot, `${method} https://api.example.com${path}`));

  test.each([
    ['GET', '/v1/public/a'],
    ['HEAD', '/v1/public/a?../../admin'],
    ['POST', '/v1/me'],
  ])('%s %s holds', (method, path) => expect(at(method, path)).toBe('key'));

  test.each([
    ['DELETE', '/v1/public/a'],
    ['get', '/v1/public/a'],
    ['GET', '/v1/admin'],
    ['GET', '/v1/public/../admin'],
    ['GET', '/v1/public/%2e%2e/admin'],
    ['GET', '/v1/public/%252e%252e%252fadmin'],
    ['GET', '/v1/public/..;/admin'],
    ['GET', '/v1/public\\..\\..\\admin'],
    ['GET', '//v1/public/a'],
    ['GET', '/v1/%70ublic/a'],
    ['OPTIONS', '*'],
  ])('%s %s does not', (method, path) => {
    const decision =
      path === '*'
        ? decideExchange(snapshot, { ...head(LINE), method, target: '*' }, { nowMs: NOW_MS })
        : decide(snapshot, `${method} https://api.example.com${path}`);
    expect(outcome(decision)).toBe('credential_not_permitted');
  });

  test('HEAD needs GET', () => {
    const posting = snapshotOf({ bound: [bound(secret('key', { methods: ['POST'] }))] });
    expect(outcome(decide(posting, 'HEAD https://api.example.com/'))).toBe(
      'credential_not_permitted',
    );
  });

  test('a restricted winner says so', () => {
    const line = 'GET https://api.example.com/v1/me';
    expect(onlyWinner(decide(snapshot, line)).restricted).toBe(true);
    const free = snapshotOf({ bound: [bound(secret('key'))] });
    expect(onlyWinner(decide(free, line)).restricted).toBe(false);
  });
});

describe('tombstones', () => {
  const own = ['Authorization', 'Bearer mine'];
  const dead = [
    ['credential_revoked', bound(secret('key'), { deleted: true })],
    [
      'credential_revoked',
      bound(secret('key', { allowedWorkspacesType: 'NONE', allowedWorkspaces: ['workspace-1'] })),
    ],
    [
      'credential_revoked',
      bound(secret('key', { allowedWorkspacesType: 'SOME', allowedWorkspaces: ['other'] })),
    ],
    ['credential_disabled', bound(secret('key', { disabled: true }))],
    ['credential_expired', bound(secret('key', { expiresAtMs: NOW_MS }))],
  ] as const;

  test.each(dead)('%s: alone it refuses its host and its placeholder', (code, binding) => {
    const snapshot = snapshotOf({ bound: [binding] });
    expect(outcome(decide(snapshot, LINE))).toBe(code);
    expect(outcome(decide(snapshot, LINE, own))).toBe(code);
    expect(outcome(decide(snapshot, LINE, ['X', placeholderOf('KEY_KEY')]))).toBe(code);
    expect(outcome(decide(snapshot, 'GET https://other.example/'))).toBe('ordinary');
  });

  test.each(dead)('%s: a living secret in the same place goes on', (_code, binding) => {
    const snapshot = snapshotOf({ bound: [binding, bound(secret('new'))] });
    expect(outcome(decide(snapshot, LINE))).toBe('new');
  });

  test('a place only the dead one claims is refused beside a living secret', () => {
    const other = bound(secret('new', { auth: { type: 'api-key', header: 'X-Other' } }));
    const snapshot = snapshotOf({ bound: [bound(secret('key', { disabled: true })), other] });
    expect(outcome(decide(snapshot, LINE))).toBe('credential_disabled');
  });

  test('a workspace on the list may use it', () => {
    const some = { allowedWorkspacesType: 'SOME', allowedWorkspaces: ['workspace-1'] } as const;
    const snapshot = snapshotOf({ bound: [bound(secret('key', some))] });
    expect(outcome(decide(snapshot, LINE))).toBe('key');
  });

  test('merely detached: the host is ordinary, unless the client sends something in its place', () => {
    const snapshot = snapshotOf({ bound: [bound(secret('key'), { detachedAtMs: NOW_MS - 5 })] });
    expect(outcome(decide(snapshot, LINE))).toBe('ordinary');
    expect(outcome(decide(snapshot, LINE, ['Authorization', '']))).toBe('ordinary');
    expect(outcome(decide(snapshot, LINE, own))).toBe('credential_revoked');
    expect(outcome(decide(snapshot, LINE, ['X', placeholderOf('KEY_KEY')]))).toBe(
      'credential_revoked',
    );
  });

  test('bound again: the new binding is used, the old placeholder stays refused', () => {
    const snapshot = snapshotOf({
      bound: [
        bound(secret('key'), { envKey: 'NEW' }),
        bound(secret('key'), { envKey: 'OLD', detachedAtMs: NOW_MS - 5 }),
      ],
    });
    expect(outcome(decide(snapshot, LINE))).toBe('key');
    expect(outcome(decide(snapshot, LINE, ['Authorization', placeholderOf('NEW')]))).toBe('key');
    expect(outcome(decide(snapshot, LINE, ['Authorization', placeholderOf('OLD')]))).toBe(
      'credential_revoked',
    );
  });

  test('expiry is judged at the request', () => {
    const snapshot = snapshotOf({ bound: [bound(secret('key', { expiresAtMs: NOW_MS + 1 }))] });
    const at = (nowMs: number): string => outcome(decideExchange(snapshot, head(LINE), { nowMs }));
    expect(at(NOW_MS)).toBe('key');
    expect(at(NOW_MS + 1)).toBe('credential_expired');
  });
});

describe('on_existing: keep', () => {
  const kept = secret('key', {
    onExisting: 'keep',
    alsoStrip: { headers: ['x-key'], query: ['key'] },
  });
  const snapshot = snapshotOf({ bound: [bound(kept)] });

  test.each([
    [['Authorization', 'Bearer mine'], ''],
    [['X_KEY', 'mine'], ''],
    [[], '?key=mine'],
  ])('%j%s: the own credential stands, nothing is applied', (fields, query) => {
    const decision = decide(snapshot, LINE + query, fields);
    expect(decision).toMatchObject({ verdict: 'forward', winners: [], keptSecretIds: ['id-key'] });
  });

  test.each([
    [[], ''],
    [['Authorization', ''], ''],
    [[], '?key='],
    [['Authorization', `Bearer ${placeholderOf('KEY_KEY')}`], ''],
  ])('%j%s: applied', (fields, query) => {
    expect(outcome(decide(snapshot, LINE + query, fields))).toBe('key');
  });
});

describe('plain http', () => {
  const plain = secret('key', { allowPlaintext: true, ports: [80, 443] });
  const snapshot = snapshotOf({ bound: [bound(plain)] });
  const sent = ['Authorization', placeholderOf('KEY_KEY')];

  test('used with allow_plaintext on a listed port', () => {
    expect(outcome(decide(snapshot, 'GET http://api.example.com/'))).toBe('key');
    expect(outcome(decide(snapshot, 'GET http://api.example.com/', sent))).toBe('key');
  });

  test('elsewhere its placeholder is refused', () => {
    expect(outcome(decide(snapshot, 'GET http://api.example.com:8080/', sent))).toBe(
      'plaintext_refused',
    );
    expect(outcome(decide(snapshot, 'GET http://other.example/', sent))).toBe(
      'credential_host_mismatch',
    );
    expect(outcome(decide(snapshot, 'GET http://api.example.com:8080/'))).toBe('ordinary');
  });
});

describe('client certificates', () => {
  const certificate = (name: string, more: Parameters<typeof secret>[1] = {}) =>
    bound(secret(name, { auth: { type: 'mtls' }, ...more }));

  test('stand beside what goes into the head', () => {
    const snapshot = snapshotOf({ bound: [certificate('cert'), bound(secret('key'))] });
    expect(outcome(decide(snapshot, LINE))).toBe('cert+key');
  });

  test('of two the one with the higher priority, else none', () => {
    const one = certificate('one');
    expect(outcome(decide(snapshotOf({ bound: [one, certificate('two')] }), LINE))).toBe(
      'ambiguous_secret',
    );
    const two = certificate('two', { priority: 1 });
    expect(outcome(decide(snapshotOf({ bound: [one, two] }), LINE))).toBe('two');
  });

  test('are shown whatever the client sent, also with on_existing keep', () => {
    const snapshot = snapshotOf({ bound: [certificate('cert', { onExisting: 'keep' })] });
    const fields = ['Authorization', 'Bearer its-own'];
    expect(onlyWinner(decide(snapshot, LINE, fields)).stripFields).toEqual([]);
  });

  test('a placeholder of one selects it and does not travel', () => {
    const snapshot = snapshotOf({ bound: [certificate('cert')] });
    const fields = ['X-Cert', placeholderOf('CERT_KEY')];
    expect(onlyWinner(decide(snapshot, LINE, fields)).stripFields).toEqual(['x-cert']);
  });

  test('one that was taken away is refused, not left out', () => {
    const dead = bound(secret('cert', { auth: { type: 'mtls' }, disabled: true }));
    expect(outcome(decide(snapshotOf({ bound: [dead] }), LINE))).toBe('credential_disabled');
  });
});
