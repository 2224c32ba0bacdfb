import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Placement } from '../../src/secrets/auth.ts';
import { judgeAnswer, type AuthOutcome } from '../../src/usage/auth-failure.ts';
import { parseChallenges } from '../../src/usage/challenge.ts';

const BEARER: Placement = { type: 'bearer' };
const BASIC: Placement = { type: 'basic' };
const OWN_HEADER: Placement = { type: 'api-key', header: 'X-Api-Key' };
const TOKEN: Placement = { type: 'api-key', header: 'Authorization', prefix: 'Token ' };
const CUSTOM: Placement = {
  type: 'custom',
  headers: { 'X-Other': '{{ value }}', Authorization: 'Klaviyo-API-Key {{ value }}' },
};

function challenge(...values: string[]): string[] {
  return values.flatMap((value) => ['WWW-Authenticate', value]);
}

describe('what an answer says about the credential', () => {
  const table: readonly [string, number, readonly string[], Placement, AuthOutcome][] = [
    ['success', 200, [], BEARER, 'accepted'],
    ['a redirect', 302, [], BEARER, 'accepted'],
    ['an upgrade', 101, [], BEARER, 'accepted'],
    ['not found', 404, [], BEARER, null],
    ['a rate limit', 429, [], BEARER, null],
    ['a fault of the origin', 500, [], BEARER, null],
    ['a bad request that says nothing of it', 400, [], BEARER, null],
    ['a bad request with a bare challenge', 400, challenge('Bearer realm="x"'), BEARER, null],
    ['401 without a word', 401, [], BEARER, 'unknown'],
    ['RFC 6750, invalid', 401, challenge('Bearer error="invalid_token"'), BEARER, 'unknown'],
    [
      'RFC 6750, expired',
      401,
      challenge(
        'Bearer realm="example", error="invalid_token", error_description="The access token expired"',
      ),
      BEARER,
      'expired',
    ],
    [
      'in lower case, unquoted',
      401,
      ['www-authenticate', 'bearer error=expired'],
      BASIC,
      'expired',
    ],
    [
      'RFC 6750, scope',
      403,
      challenge('Bearer error="insufficient_scope", scope="repo"'),
      BEARER,
      'scope',
    ],
    ['scope told with 401', 401, challenge('Bearer error="insufficient_scope"'), BEARER, 'scope'],
    ['403 without a word', 403, [], BEARER, 'scope'],
    ['403, expired', 403, challenge('Bearer error_description="key expired"'), BEARER, 'expired'],
    ['403 of a rate limit', 403, ['X-RateLimit-Remaining', '0'], BEARER, null],
    ['403 with calls left', 403, ['X-RateLimit-Remaining', '12'], BEARER, 'scope'],
    ['403, come back later', 403, ['Retry-After', '30'], BEARER, null],
    ['403 of a bot check', 403, ['cf-mitigated', 'challenge'], BEARER, null],
    ['Basic is wanted', 401, challenge('Basic realm="git"'), BEARER, 'wrong_scheme'],
    ['Bearer is wanted', 401, challenge('Bearer'), BASIC, 'wrong_scheme'],
    ['ours among several', 401, challenge('Basic realm="a", Bearer realm="b"'), BEARER, 'unknown'],
    ['ours in another field', 401, challenge('Negotiate', 'Bearer'), BEARER, 'unknown'],
    ['a scheme of its own', 401, challenge('Token'), TOKEN, 'unknown'],
    ['not a scheme of its own', 401, challenge('Bearer'), TOKEN, 'wrong_scheme'],
    ['the scheme of a template', 401, challenge('klaviyo-api-key'), CUSTOM, 'unknown'],
    ['not that of a template', 401, challenge('Bearer'), CUSTOM, 'wrong_scheme'],
    ['a header of its own has no scheme', 401, challenge('Bearer'), OWN_HEADER, 'unknown'],
    ['in the query', 401, challenge('Bearer'), { type: 'query', name: 'key' }, 'unknown'],
    [
      'badly formatted',
      400,
      challenge('Bearer error="invalid_request", error_description="The token is badly formatted"'),
      BEARER,
      'wrong_prefix',
    ],
    [
      'malformed',
      401,
      challenge('Bearer error="invalid_token", error_description="malformed token"'),
      BEARER,
      'wrong_prefix',
    ],
  ];
  test.each(table)('%s', (_what, status, fields, placement, outcome) => {
    expect(judgeAnswer({ status, fields }, placement)).toBe(outcome);
  });
});

describe('challenges (RFC 9110 11.6.1)', () => {
  test('several in one field, with tokens, parameters and quoted commas', () => {
    const [basic, newauth, ntlm, bearer, ...more] = parseChallenges([
      'Basic realm="simple, \\"quoted\\"" , NewAuth realm="apps", type=1, title="Login",NTLM TlRM==, Bearer',
    ]);
    expect(basic?.params.get('realm')).toBe('simple, "quoted"');
    expect([newauth?.scheme, [...(newauth?.params ?? [])]]).toEqual([
      'newauth',
      [
        ['realm', 'apps'],
        ['type', '1'],
        ['title', 'Login'],
      ],
    ]);
    expect([ntlm?.scheme, ntlm?.params.size]).toEqual(['ntlm', 0]);
    expect([bearer?.scheme, more]).toEqual(['bearer', []]);
  });

  test('whatever an origin sends, nothing is thrown', () => {
    const piece = fc.constantFrom('Bearer', ' ', ',', '=', '"', '\\', 'error', 'x', '\u00e9', ';');
    const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 3 }), (values) => {
        for (const { scheme } of parseChallenges(values)) expect(scheme).not.toBe('');
        const head = { status: 401, fields: challenge(...values) };
        expect(judgeAnswer(head, BEARER)).not.toBeNull();
      }),
    );
  });

  test('a head full of quotes takes no longer than its length', () => {
    const text = `Bearer ${'a="'.repeat(20_000)}`;
    expect(parseChallenges([text])[0]?.scheme).toBe('bearer');
  });
});
