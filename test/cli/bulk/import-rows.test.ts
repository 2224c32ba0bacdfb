/** The shapes a file may have, one by one, without a server. */
import { describe, expect, test } from 'vitest';
import { parseImport, type ImportFormat } from '../../../cli/bulk/import-rows.ts';

interface Shown {
  readonly name: string;
  readonly value: string | undefined;
  readonly fields: unknown;
  readonly isDescribed: boolean;
}

function read(data: unknown, format?: ImportFormat): Shown[] {
  const source = typeof data === 'string' ? data : JSON.stringify(data);
  return parseImport(source, format).map((row) => ({ ...row, value: row.value?.reveal() }));
}

const bare = (name: string, value: string | undefined): Shown => {
  return { name, value, fields: {}, isDescribed: false };
};

describe('dotenv', () => {
  test('as programs read it', () => {
    const source = `# c\nA=1\nexport B="two words" # c\nC='x#y'\nD="l1\nl2"\nE=\n`;
    expect(read(source)).toEqual([
      bare('A', '1'),
      bare('B', 'two words'),
      bare('C', 'x#y'),
      bare('D', 'l1\nl2'),
      bare('E', undefined),
    ]);
  });
});

const auth = { type: 'bearer' };
const hosts = ['a.example.com'];
const described = { isDescribed: true };

const SHAPES: readonly (readonly [what: string, data: unknown, rows: readonly Partial<Shown>[]])[] =
  [
    ['a map', { A: '1', B: '2' }, [bare('A', '1'), bare('B', '2')]],
    [
      'one body',
      { name: 'a', value: 'v', auth, hosts },
      [{ name: 'a', fields: { auth, hosts }, ...described }],
    ],
    [
      'native list',
      [{ name: 'a', value: 'v', provider: 'xai' }],
      [{ fields: { provider: 'xai' }, ...described }],
    ],
    ['native, wrapped', { secrets: [{ name: 'a', value: 'v' }] }, [bare('a', 'v')]],
    [
      'Superserve list: a provider',
      [
        {
          name: 'a',
          auth_type: 'bearer',
          auth_config: {},
          hosts,
          provider_shortcut: 'openai',
          version: 3,
        },
      ],
      [{ name: 'a', value: undefined, fields: { provider: 'openai' }, ...described }],
    ],
    [
      'Superserve list: auth by hand',
      [
        {
          name: 'a',
          auth_type: 'basic',
          auth_config: { username: 'u' },
          hosts,
          provider_shortcut: null,
        },
      ],
      [{ fields: { auth: { type: 'basic', username: 'u' }, hosts } }],
    ],
    [
      'Superserve list: per_host',
      [
        {
          name: 'a',
          auth_type: 'per_host',
          auth_config: { per_host: [{ ...auth, hosts }] },
          hosts,
        },
      ],
      [{ fields: { auth: { per_host: [{ ...auth, hosts }] }, hosts } }],
    ],
    [
      'our own list: the true kind',
      [{ name: 'a', auth_type: 'custom', auth_kind: 'query', auth_config: { name: 'k' }, hosts }],
      [{ fields: { auth: { type: 'query', name: 'k' }, hosts } }],
    ],
    [
      'our own list: nowhere yet',
      [{ name: 'a', auth_type: 'custom', auth_kind: 'none', auth_config: {}, hosts: [] }],
      [{ fields: {}, isDescribed: false }],
    ],
    [
      'Instabase list',
      {
        secrets: [
          { alias: 'a', description: 'd', allowed_workspaces_type: 'ALL', org: 'o', created_at: 1 },
        ],
      },
      [{ name: 'a', fields: { description: 'd', allowed_workspaces_type: 'ALL' } }],
    ],
    [
      'Instabase create, placed',
      {
        alias: 'a',
        value: 'v',
        allowed_workspaces_type: 'SOME',
        allowed_workspaces: ['w'],
        auth,
        hosts,
      },
      [{ fields: { allowed_workspaces_type: 'SOME', allowed_workspaces: ['w'], auth, hosts } }],
    ],
    [
      'TrueFoundry create',
      { name: 'g', integrationId: null, secrets: [{ key: 'k', value: 'v', provider: 'xai' }] },
      [{ name: 'g:k', value: 'v', fields: { provider: 'xai' } }],
    ],
    [
      'TrueFoundry list',
      {
        data: [{ id: '1', name: 'g', associatedSecrets: [{ name: 'k' }, { name: 'l' }] }],
        pagination: {},
      },
      [{ name: 'g:k' }, { name: 'g:l' }],
    ],
    [
      'TrueFoundry one',
      { data: { name: 'default', associatedSecrets: [{ name: 'k' }] } },
      [{ name: 'k' }],
    ],
  ];

test.each(SHAPES)('%s', (_what, data, rows) => {
  expect(read(data)).toMatchObject(rows);
});

test('a format that is named is not guessed', () => {
  expect(read('{"A": "1"}', 'json')).toEqual([bare('A', '1')]);
  expect(read([{ name: 'g', secrets: [{ key: 'k', value: 'v' }] }], 'truefoundry')).toMatchObject([
    { name: 'g:k' },
  ]);
  expect(() => read([{ name: 'a', value: 'v' }], 'truefoundry')).toThrow(/shape of a list/);
  expect(() => read([{ name: 'a', value: 'v' }], 'instabase')).toThrow(/shape of a list/);
});

test.each([
  '{"a": {"b": "topsecret"}}',
  '[{"x": "topsecret"}]',
  '{"a": "topsecret',
  '["topsecret"]',
  '{"data": "topsecret", "n": 1}',
])('%s is refused without being quoted (I3)', (source) => {
  const refused = (): unknown => read(source);
  expect(refused).toThrow(/^(?!.*topsecret)/s);
  expect(refused).toThrow(/not JSON|shape of a list/);
});
