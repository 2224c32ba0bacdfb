import { describe, expect, test } from 'vitest';
import { parseRequestTarget } from '../../src/wire/request-target.ts';

function absolute(scheme: string, host: string, port: number, target: string) {
  return {
    form: 'absolute',
    scheme,
    authority: { host: expect.objectContaining({ text: host }), port },
    target,
  };
}

describe('parseRequestTarget', () => {
  test.each(['/', '/a?b', '//evil.example/a', '/http://evil.example', '/a?u=http://x/'])(
    '%s is origin-form, as sent',
    (target) => {
      expect(parseRequestTarget(target, 'GET')).toEqual({ form: 'origin', target });
    },
  );

  test('* belongs to OPTIONS', () => {
    expect(parseRequestTarget('*', 'OPTIONS')).toEqual({ form: 'asterisk' });
    expect(() => parseRequestTarget('*', 'GET')).toThrow(
      expect.objectContaining({ code: 'bad_request' }),
    );
  });

  test.each([
    ['http://a.example', absolute('http', 'a.example', 80, '/')],
    ['http://A.Example.:80/', absolute('http', 'a.example', 80, '/')],
    ['HTTPS://a.example/x?y#'.slice(0, -1), absolute('https', 'a.example', 443, '/x?y')],
    ['http://a.example?x=1', absolute('http', 'a.example', 80, '/?x=1')],
    ['http://a.example/?x=//b@c', absolute('http', 'a.example', 80, '/?x=//b@c')],
    ['http://[::1]:8080/a', absolute('http', '::1', 8080, '/a')],
    ['http://0x7f.1/a', absolute('http', '127.0.0.1', 80, '/a')],
    ['http://a.example//x/../y', absolute('http', 'a.example', 80, '//x/../y')],
  ])('splits %s', (target, expected) => {
    expect(parseRequestTarget(target, 'GET')).toEqual(expected);
  });

  test('OPTIONS of a URL without path is OPTIONS *', () => {
    expect(parseRequestTarget('http://a.example', 'OPTIONS')).toMatchObject({ target: '*' });
    expect(parseRequestTarget('http://a.example/', 'OPTIONS')).toMatchObject({ target: '/' });
  });

  test.each([
    '',
    'a.example:443',
    'a.example',
    'relative/path',
    '?x',
    'http:',
    'http:/a',
    'http:a.example',
    'http://',
    'http:///a',
    'http://:80/',
    'http://user@a.example/',
    'http://user:pass@a.example/',
    'http://a.example@b.example/',
    'http://a.example\\@b.example/',
    'http://a.example\\b/',
    'http://a.example:x/',
    'http://a.example:/',
    'http://a.exa%6dple/',
    'http://a.example/#f',
    '/a#f',
    'ftp://a.example/',
    'ws://a.example/',
    'javascript:alert(1)',
    'file:///etc/passwd',
    ' http://a.example/',
  ])('I6 refuses %j', (target) => {
    expect(() => parseRequestTarget(target, 'GET')).toThrow(
      expect.objectContaining({ code: 'bad_request' }),
    );
  });
});
