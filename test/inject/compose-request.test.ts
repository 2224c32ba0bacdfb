/** Strip, then set: what arrives of a request, with every auth type and every spelling of a client's own. */
import { describe, expect, test } from 'vitest';
import { composeRequest, type ComposedRequest } from '../../src/inject/compose-request.ts';
import { Refusal } from '../../src/kernel/errors.ts';
import { Hidden } from '../../src/kernel/hidden.ts';
import { decideExchange } from '../../src/policy/decide-exchange.ts';
import type { RequestHead } from '../../src/policy/request-head.ts';
import type { Placement } from '../../src/secrets/auth.ts';
import type { Secret } from '../../src/secrets/secret.ts';
import { connectionOptions } from '../../src/wire/hop-by-hop.ts';
import { bound, head, NOW_MS, placeholderOf, secret, snapshotOf } from '../policy/fixtures.ts';

const VALUE = "not-a-real-key-$&-$1-{{ value }}'";

function compose(
  secrets: readonly Secret[],
  request: RequestHead,
  value: string = VALUE,
): ComposedRequest {
  const snapshot = snapshotOf({ bound: secrets.map((secret) => bound(secret)) });
  const decision = decideExchange(snapshot, request, { nowMs: NOW_MS });
  if (decision.verdict === 'refuse') throw decision.refusal;
  return composeRequest({
    head: request,
    winners: decision.winners.map((winner) => ({ winner, value: new Hidden(value) })),
    connectionOptions: connectionOptions(request.fields),
  });
}

function withAuth(auth: Placement, overrides: Partial<Secret> = {}): Secret {
  return secret('key', { auth, ...overrides });
}

const LINE = 'GET https://api.example.com/v1?x=1';

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

describe('placing', () => {
  test.each([
    [{ type: 'bearer' }, ['Authorization', `Bearer ${VALUE}`]],
    [{ type: 'basic' }, ['Authorization', `Basic ${base64(`x:${VALUE}`)}`]],
    [{ type: 'basic', username: 'u' }, ['Authorization', `Basic ${base64(`u:${VALUE}`)}`]],
    [{ type: 'basic', username: '' }, ['Authorization', `Basic ${base64(`:${VALUE}`)}`]],
    [{ type: 'api-key', header: 'X-Api-Key' }, ['X-Api-Key', VALUE]],
    [{ type: 'api-key', header: 'A', prefix: 'Token token=' }, ['A', `Token token=${VALUE}`]],
    [
      {
        type: 'custom',
        headers: { 'X-One': 'a {{ value }} b {{value}}', 'X-Two': '{{  value  }}' },
      },
      ['X-One', `a ${VALUE} b ${VALUE}`, 'X-Two', VALUE],
    ],
  ] as const)('%j', (auth, fields) => {
    const composed = compose([withAuth(auth)], head(LINE, ['Accept', '*/*']));
    expect(composed.fields).toEqual(['Accept', '*/*', ...fields]);
    expect(composed.target).toBe('/v1?x=1');
  });

  test('query: encoded, appended, every copy of the key removed', () => {
    const auth: Placement = { type: 'query', name: 'api_key' };
    const line = 'GET https://api.example.com/v1?a=%2F&api_key=mine;%61pi_key=mine&&b';
    const composed = compose([withAuth(auth)], head(line), 'a b&c=d/+é');
    expect(composed.target).toBe('/v1?a=%2F&&b&api_key=a%20b%26c%3Dd%2F%2B%C3%A9');
    expect(composed.fields).toEqual([]);
  });

  test('path: the placeholder is replaced, and only in the path', () => {
    const placeholder = placeholderOf('KEY_KEY');
    const line = `GET https://api.example.com/bot${placeholder}/x?y=1`;
    const composed = compose([withAuth({ type: 'path' })], head(line), '123:a/b?c#d%');
    expect(composed.target).toBe('/bot123:a%2Fb%3Fc%23d%25/x?y=1');
  });

  test('a value outside ASCII travels as its UTF-8 bytes', () => {
    const composed = compose([withAuth({ type: 'bearer' })], head(LINE), 'clé');
    expect(Buffer.from(composed.fields[1] ?? '', 'latin1').toString('utf8')).toBe('Bearer clé');
  });

  test('basic: the name beside the placeholder, when it stood in that very header', () => {
    const credentials = `Basic ${base64(`alice:${placeholderOf('KEY_KEY')}`)}`;
    const basic = withAuth({ type: 'basic' });
    const same = compose([basic], head(LINE, ['authorization', credentials]), 'v');
    expect(same.fields).toEqual(['Authorization', `Basic ${base64('alice:v')}`]);
    const other = compose([basic], head(LINE, ['X-Auth', credentials]), 'v');
    expect(other.fields).toEqual(['Authorization', `Basic ${base64('x:v')}`]);
    const ruled = compose(
      [withAuth({ type: 'basic', username: 'bob' })],
      head(LINE, ['authorization', credentials]),
      'v',
    );
    expect(ruled.fields).toEqual(['Authorization', `Basic ${base64('bob:v')}`]);
  });
});

describe('stripping', () => {
  const bearer = withAuth(
    { type: 'bearer' },
    {
      alsoStrip: { headers: ['X-Api-Key'], query: ['key'] },
    },
  );

  test('every copy, in every spelling, also of what is stripped only', () => {
    const fields = [
      'Accept', 'a',
      'authorization', 'Bearer one',
      'AUTHORIZATION', 'Bearer two',
      'Authorization', '',
      'x_api_key', 'three',
      'X-API_Key', 'four',
      'accept', 'b',
      'X-Other', 'kept',
    ]; // prettier-ignore
    const line = 'GET https://api.example.com/?key=a;k%65y=b&KEY=c&k=d';
    const composed = compose([bearer], head(line, fields), 'v');
    expect(composed.fields).toEqual([
      'Accept', 'a', 'accept', 'b', 'X-Other', 'kept', 'Authorization', 'Bearer v',
    ]); // prettier-ignore
    expect(composed.target).toBe('/?KEY=c&k=d');
  });

  test('a query that becomes empty leaves no question mark; an untouched one is not rewritten', () => {
    expect(compose([bearer], head('GET https://api.example.com/a?key=1')).target).toBe('/a');
    const odd = '/a?&&x==%zz;+&';
    expect(compose([bearer], head(`GET https://api.example.com${odd}`)).target).toBe(odd);
  });

  test('the field and the query key that held the placeholder go', () => {
    const placeholder = placeholderOf('KEY_KEY');
    const line = `GET https://api.example.com/?token=${placeholder}&token=x&a=1`;
    const composed = compose([bearer], head(line, ['X-Token', placeholder, 'x_token', 'y']), 'v');
    expect(composed.target).toBe('/?a=1');
    expect(composed.fields).toEqual(['Authorization', 'Bearer v']);
  });

  test('hop-by-hop, Proxy-*, what Connection names, and what the connection owns', () => {
    const fields = [
      'Host', 'api.example.com',
      'Connection', 'keep-alive, X-Hop',
      'connection', 'x_hop2',
      'X-Hop', '1',
      'X-Hop2', '1',
      'Keep-Alive', 'timeout=5',
      'Proxy-Authorization', 'Basic eDp5',
      'Proxy_Connection', 'keep-alive',
      'Content-Length', '3',
      'Content_Length', '3',
      'Transfer-Encoding', 'chunked',
      'Expect', '100-continue',
      'Upgrade', 'h2c',
      'TE', 'trailers',
      'Content-Type', 'text/plain',
      'Trailer', 'X-Sum',
    ]; // prettier-ignore
    const composed = compose([], head(LINE, fields));
    expect(composed.fields).toEqual(['Content-Type', 'text/plain', 'Trailer', 'X-Sum']);
  });

  test.each(['Authorization', 'host', 'content-length', 'AUTHORIZATION', 'transfer_encoding'])(
    'Connection that names %s is refused',
    (option) => {
      const request = head(LINE, ['Connection', `close, ${option}`]);
      expect(() => compose([bearer], request)).toThrow(Refusal);
    },
  );

  test('override fields go only where methods or paths restrict', () => {
    const fields = ['X-HTTP-Method-Override', 'DELETE', 'x_original_url', '/admin', 'X-A', '1'];
    expect(compose([bearer], head(LINE, fields), 'v').fields).toEqual([
      ...fields,
      'Authorization',
      'Bearer v',
    ]);
    const limited = withAuth({ type: 'bearer' }, { methods: ['GET'] });
    expect(compose([limited], head(LINE, fields), 'v').fields).toEqual([
      'X-A',
      '1',
      'Authorization',
      'Bearer v',
    ]);
  });

  test('without a secret everything travels with order, case and duplicates', () => {
    const fields = ['b', '2', 'A', '1', 'B', '3', 'a', '', 'Authorization', 'Bearer mine'];
    const request = head('GET https://other.example/%7Ex//?q=%20#', fields);
    expect(compose([bearer], request)).toMatchObject({ fields, target: '/%7Ex//?q=%20#' });
  });
});

describe('companion headers', () => {
  const anthropic = withAuth(
    { type: 'api-key', header: 'x-api-key' },
    {
      companionHeaders: { 'anthropic-version': '2023-06-01' },
    },
  );

  test('added where absent', () => {
    expect(compose([anthropic], head(LINE), 'v').fields).toEqual([
      'x-api-key', 'v', 'anthropic-version', '2023-06-01',
    ]); // prettier-ignore
  });

  test('left alone where the client sent one, in any spelling', () => {
    const request = head(LINE, ['Anthropic_Version', '2024-01-01']);
    expect(compose([anthropic], request, 'v').fields).toEqual([
      'Anthropic_Version', '2024-01-01', 'x-api-key', 'v',
    ]); // prettier-ignore
  });
});

test('I3: what was injected is kept boxed for masking, and prints as hidden', () => {
  const composed = compose([withAuth({ type: 'basic', username: 'u' })], head(LINE), 'v-canary');
  const [form] = composed.injected;
  expect(form?.value.reveal()).toBe('v-canary');
  expect(form?.basicUsername).toBe('u');
  expect(JSON.stringify(composed.injected)).not.toContain('canary');
});

test('two secrets that do not overlap are both set', () => {
  const app = secret('app', { auth: { type: 'api-key', header: 'DD-APPLICATION-KEY' } });
  const api = secret('api', { auth: { type: 'api-key', header: 'DD-API-KEY' } });
  const request = head(LINE, ['dd_api_key', 'mine', 'DD-Application-Key', 'mine']);
  expect(compose([app, api], request, 'v').fields.sort()).toEqual(
    ['DD-API-KEY', 'DD-APPLICATION-KEY', 'v', 'v'].sort(),
  );
});
