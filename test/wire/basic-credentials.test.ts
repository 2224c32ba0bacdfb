import { describe, expect, test } from 'vitest';
import {
  formatBasicCredentials,
  readBasicCredentials,
  readProxyAuthorization,
} from '../../src/wire/basic-credentials.ts';

describe('Basic credentials', () => {
  test.each([
    ['user', 'pass'],
    ['', 'pass'],
    ['user', ''],
    ['user', 'a:b:c'],
    ['ü', 'pässword'],
  ])('%j and %j survive', (username, password) => {
    expect(readBasicCredentials(formatBasicCredentials(username, password))).toEqual({
      username,
      password,
    });
  });

  test('the known vector of RFC 7617', () => {
    expect(readBasicCredentials('Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==')).toEqual({
      username: 'Aladdin',
      password: 'open sesame',
    });
    expect(formatBasicCredentials('Aladdin', 'open sesame')).toBe(
      'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==',
    );
  });

  test.each([
    ['bAsIc dTpw', 'any case of the scheme'],
    ['Basic   dTpw  ', 'spaces around'],
    ['Basic dTo_Pz8', 'the URL alphabet without padding'],
  ])('reads %j (%s)', (value) => {
    expect(readBasicCredentials(value)?.username).toBe('u');
  });

  test.each([
    '',
    'Basic',
    'Basic ',
    'Basicx dTpw',
    'Bearer dTpw',
    'Basic dXA=',
    'Basic dT pw',
    'Basic @@',
  ])('reads none in %j', (value) => {
    expect(readBasicCredentials(value)).toBeUndefined();
  });
});

describe('readProxyAuthorization', () => {
  test('Basic takes the password, Bearer the whole', () => {
    expect(readProxyAuthorization(formatBasicCredentials('anything', 'tok'))).toEqual({
      token: 'tok',
    });
    expect(readProxyAuthorization('bearer tok')).toEqual({ token: 'tok' });
  });

  test.each([
    '',
    'tok',
    'Basic dTo=',
    'Bearer',
    'Bearer ',
    'Bearer a b',
    'Digest tok',
    'Bearer \u00e9',
  ])('reads none in %j', (value) => {
    expect(readProxyAuthorization(value)).toBeUndefined();
  });
});
