/** The spellings that are looked for, and from where on they are secret. */
import { describe, expect, test } from 'vitest';
import { formsOf, isMaskable, usernameTail } from '../../src/mask/value-form.ts';
import type { InjectedText } from '../../src/mask/value-form.ts';

function spellings(injected: Partial<InjectedText> & { value: string }): string[] {
  return formsOf({ publicPrefix: '', basicUser: null, ...injected }).map(({ bytes }) =>
    bytes.toString('utf8'),
  );
}

describe('spellings', () => {
  test('a key of letters, digits, dashes and dots has one', () => {
    expect(spellings({ value: 'sk-ant_A.0123456789' })).toEqual(['sk-ant_A.0123456789']);
  });

  const value = `a/b+c="d\\e <f>&'é€😀~(g)!*,;:@$`;

  test.each([
    ['encodeURIComponent', encodeURIComponent(value)],
    [
      'the same in small digits',
      encodeURIComponent(value).replaceAll(/%../g, (at) => at.toLowerCase()),
    ],
    ['a form', new URLSearchParams({ k: value }).toString().slice(2)],
    ['JSON.stringify', JSON.stringify(value).slice(1, -1)],
    [
      'JSON with slashes escaped',
      JSON.stringify(value)
        .slice(1, -1)
        .replaceAll('/', String.raw`\/`),
    ],
    [
      'JSON in ASCII',
      JSON.stringify(value)
        .slice(1, -1)
        .replaceAll(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
    ],
    [
      'JSON as System.Text.Json writes it',
      String.raw`a/b\u002Bc=\u0022d\\e \u003Cf\u003E\u0026\u0027\u00E9\u20AC\uD83D\uDE00~(g)!*,;:@$`,
    ],
    ['octets read as Latin-1', Buffer.from(value, 'utf8').toString('latin1')],
    // As printed by the languages themselves.
    [
      "Python's quote",
      'a/b%2Bc%3D%22d%5Ce%20%3Cf%3E%26%27%C3%A9%E2%82%AC%F0%9F%98%80~%28g%29%21%2A%2C%3B%3A%40%24',
    ],
    [
      "Go's QueryEscape",
      'a%2Fb%2Bc%3D%22d%5Ce+%3Cf%3E%26%27%C3%A9%E2%82%AC%F0%9F%98%80~%28g%29%21%2A%2C%3B%3A%40%24',
    ],
    [
      "PHP's urlencode",
      'a%2Fb%2Bc%3D%22d%5Ce+%3Cf%3E%26%27%C3%A9%E2%82%AC%F0%9F%98%80%7E%28g%29%21%2A%2C%3B%3A%40%24',
    ],
  ])('%s', (_name, spelling) => {
    expect(spellings({ value })).toContain(spelling);
  });

  test('Basic as sent, with and without padding, escaped and encoded', () => {
    const sent = Buffer.from('me:0123456789?>0123456').toString('base64');
    expect(sent).toBe('bWU6MDEyMzQ1Njc4OT8+MDEyMzQ1Ng==');
    const all = spellings({ value: '0123456789?>0123456', basicUser: Buffer.from('me') });
    expect(all).toContain(sent);
    expect(all).toContain(sent.replace('==', ''));
    expect(all).toContain(encodeURIComponent(sent));
    expect(all).toContain(sent.replace('+', String.raw`\u002B`));
    expect(all).toContain('0123456789?>0123456');
  });
});

describe('a user name that a client chose', () => {
  test.each([0, 1, 2, 119, 120, 121, 122, 123, 5_000])('of %s octets', (length) => {
    const username = 'ü'.repeat(length / 2) + 'x'.repeat(length % 2);
    const tail = usernameTail(username);
    expect(tail.length).toBeLessThanOrEqual(120);
    expect(tail.length).toBeGreaterThan(Math.min(length, 118) - 1);
    const sent = Buffer.from(`${username}:${'0'.repeat(30)}`).toString('base64');
    const forms = formsOf({ value: '0'.repeat(30), publicPrefix: '', basicUser: tail });
    const ends = forms.filter(({ bytes }) => sent.endsWith(bytes.toString()));
    expect(ends).toHaveLength(1);
    expect(ends[0]?.bytes.length).toBeGreaterThan(Math.min(sent.length, 190) - 1);
  });

  test('a long value has fewer spellings', () => {
    const value = '/+'.repeat(2_000);
    expect(spellings({ value })).toEqual([
      value,
      encodeURIComponent(value),
      encodeURIComponent(value).toLowerCase(),
      value.replaceAll('/', String.raw`\/`),
    ]);
  });
});

describe('the secret part', () => {
  /** Characters before it, and characters until half of it. */
  function parts(injected: Partial<InjectedText> & { value: string }): number[] {
    const [form] = formsOf({ publicPrefix: '', basicUser: null, ...injected });
    return [form?.publicBytes ?? 0, form?.halfBytes ?? 0];
  }

  test('is all of it, or what follows the public prefix', () => {
    expect(parts({ value: '0123456789abcdef' })).toEqual([0, 8]);
    expect(parts({ value: '0123456789abcdefg' })).toEqual([0, 9]);
    expect(parts({ value: 'ghp_0123456789abcdef', publicPrefix: 'ghp_' })).toEqual([4, 12]);
  });

  test('has a half of at least eight characters', () => {
    const publicPrefix = 'sk-ant-api03-';
    expect(parts({ value: `${publicPrefix}0123456789`, publicPrefix })).toEqual([13, 21]);
    expect(parts({ value: `${publicPrefix}0123`, publicPrefix })).toEqual([13, 17]);
  });

  test('in Basic follows the user name', () => {
    const forms = formsOf({
      value: '0'.repeat(18),
      publicPrefix: '',
      basicUser: Buffer.from('abc12'),
    });
    const basic = forms.find(({ bytes }) => bytes.toString().startsWith('YWJjMTI6'));
    expect([basic?.bytes.length, basic?.publicBytes, basic?.halfBytes]).toEqual([32, 8, 20]);
  });

  test('has its half in the same place however it is escaped', () => {
    const value = `${'"'.repeat(10)}${'a'.repeat(10)}`;
    for (const { bytes, halfBytes } of formsOf({ value, publicPrefix: '', basicUser: null })) {
      expect(bytes.subarray(halfBytes).toString()).toBe('a'.repeat(10));
    }
  });

  test('does not cut a character in two', () => {
    const value = `0123456${'😀'.repeat(5)}0`;
    for (const { bytes, halfBytes } of formsOf({ value, publicPrefix: '', basicUser: null })) {
      const half = bytes.subarray(0, halfBytes).toString('utf8');
      expect(half).not.toContain('\ufffd');
      expect(half.isWellFormed()).toBe(true);
    }
  });
});

test.each([
  ['0'.repeat(15), false],
  ['0'.repeat(16), true],
  ['é'.repeat(8), true],
  ['é'.repeat(7), false],
])('%s is long enough: %s', (value, isLong) => {
  expect(isMaskable(value)).toBe(isLong);
});
