/** The table of docs/PROVIDERS.md, made from the catalogue. */
import { unreachable } from '../../src/kernel/assert.ts';
import { loadCatalogue, type Provider } from '../../src/providers/catalogue.ts';
import type { Auth, HostRule, Placement } from '../../src/secrets/auth.ts';

/** The table stands between these lines. */
export const TABLE_MARKS = ['<!-- providers: begin -->', '<!-- providers: end -->'] as const;

export function formatProviderTable(): string {
  const rows = loadCatalogue().list().map(formatRow);
  return [
    '| provider | hosts | placed | removed beside it | added where absent | `provider_params` | variables of `import` | seen in |',
    '|---|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

/** The sentences that do not fit the table. */
export function formatNotes(): string {
  return loadCatalogue()
    .list()
    .filter(({ note }) => note !== null)
    .map(({ name, note }) => `- \`${name}\`: ${note ?? ''}`)
    .join('\n');
}

/** The document with both put between its marks. */
export function withProviderTable(text: string): string {
  const [begin, end] = TABLE_MARKS;
  const before = text.slice(0, text.indexOf(begin) + begin.length);
  const after = text.slice(text.indexOf(end));
  return `${before}\n${formatProviderTable()}\n\n${formatNotes()}\n${after}`;
}

function formatRow(provider: Provider): string {
  const { alsoStrip, companionHeaders, params } = provider;
  const stripped = [...alsoStrip.headers, ...alsoStrip.query.map((key) => `?${key}=`)];
  const added = Object.entries(companionHeaders).map(([name, text]) => `${name}: ${text}`);
  const named = Object.entries(params).map(([name, { optional }]) =>
    optional === true ? `${name} (optional)` : name,
  );
  const cells = [
    `[${provider.name}](${provider.docs})`,
    codes(provider.hosts),
    formatAuth(provider.auth),
    codes(stripped),
    codes(added),
    codes(named),
    codes(provider.env),
    provider.source,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`;
}

function codes(texts: readonly string[]): string {
  return texts.map((text) => `\`${text}\``).join(' ');
}

function formatAuth(auth: Auth): string {
  return 'perHost' in auth ? auth.perHost.map(formatRule).join('; ') : formatPlacement(auth);
}

function formatRule(rule: HostRule): string {
  const paths = rule.paths === undefined ? '' : ` ${codes(rule.paths)}`;
  return `${rule.hosts.join(', ')}${paths}: ${formatPlacement(rule)}`;
}

function formatPlacement(placement: Placement): string {
  switch (placement.type) {
    case 'bearer':
      return '`Authorization: Bearer VALUE`';
    case 'basic':
      return `Basic \`${placement.username ?? 'USER'}:VALUE\``;
    case 'api-key':
      return `\`${placement.header}: ${placement.prefix ?? ''}VALUE\``;
    case 'custom':
      return codes(
        Object.entries(placement.headers).map(
          ([name, text]) => `${name}: ${text.replaceAll('{{ value }}', 'VALUE')}`,
        ),
      );
    case 'query':
      return `\`?${placement.name}=VALUE\``;
    case 'path':
      return 'in the path, where the placeholder stands';
    case 'mtls':
      return 'as the client certificate';
    default:
      return unreachable(placement);
  }
}
