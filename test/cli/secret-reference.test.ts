import { describe, expect, test } from 'vitest';
import { collectSecrets, envKeyOf, parseSecretReference } from '../../cli/secret-reference.ts';

describe('NAME[=ENV_KEY]', () => {
  test.each([
    ['github', 'GITHUB'],
    ['github-prod', 'GITHUB_PROD'],
    ['team:KEY.one', 'TEAM_KEY_ONE'],
    ['_x', '_X'],
    ['1password', '_1PASSWORD'],
  ])('%s is bound to %s', (name, key) => {
    expect(envKeyOf(name)).toBe(key);
    expect(parseSecretReference(name)).toEqual({ secretName: name, envKey: key });
  });

  test('a variable can be named', () => {
    expect(parseSecretReference('github=GH_TOKEN')).toEqual({
      secretName: 'github',
      envKey: 'GH_TOKEN',
    });
  });

  test.each(['=X', '', 'a=', 'a=1x', 'a=x-y', 'a=x=y'])('%j is refused', (text) => {
    expect(() => parseSecretReference(text)).toThrow(/Expected NAME|cannot be the name/);
  });

  test('two secrets cannot share a variable', () => {
    expect(() => collectSecrets('a_b', collectSecrets('a-b'))).toThrow('A_B is taken by a-b');
    expect(collectSecrets('b', collectSecrets('a'))).toEqual({ A: 'a', B: 'b' });
  });
});
