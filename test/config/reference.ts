/**
 * `config/reference.yaml` and the table of the README, made from the table of settings, so that neither
 * can fall behind. `node test/config/write-reference.ts` writes them; a test compares.
 */
import { stringify } from 'yaml';
import { SETTING_ROWS, environmentName } from '../../src/settings/setting-table.ts';

const HEADER = `# Every setting with its default. Copy what you change; what is left out keeps its default.
# Each can also be given as an environment variable (named beside it) or as a flag of \`sallyport serve\`;
# flags win over variables, variables over this file. In variables a list is comma separated or JSON, a map
# is JSON. Unknown keys are refused. Check a file with: sallyport config check --config FILE
# This file is written by \`node test/config/write-reference.ts\`.
`;

/** The whole of `config/reference.yaml`. */
export function formatReference(): string {
  const lines = [HEADER];
  let open: readonly string[] = [];
  for (const [path, row] of SETTING_ROWS) {
    const keys = path.split('.');
    const sections = keys.slice(0, -1);
    const shared = sections.findIndex((section, depth) => section !== open[depth]);
    for (const [depth, section] of sections.entries()) {
      if (shared === -1 || depth < shared) continue;
      if (depth === 0) lines.push('');
      lines.push(`${'  '.repeat(depth)}${section}:`);
    }
    open = sections;
    const indent = '  '.repeat(sections.length);
    lines.push(`${indent}# ${row.description} [${environmentName(path)}]`);
    lines.push(`${indent}${keys.at(-1)}: ${formatValue(row.fallback)}`);
  }
  return `${lines.join('\n')}\n`;
}

function formatValue(value: unknown): string {
  return stringify(value, {
    collectionStyle: 'flow',
    flowCollectionPadding: false,
    lineWidth: 0,
  }).trim();
}

/** The rows of the README: setting, default, meaning. */
export function formatSettingsTable(): string {
  const rows = [...SETTING_ROWS].map(
    ([path, row]) =>
      `| \`${path}\` | ${row.fallback === null ? '' : `\`${formatValue(row.fallback)}\``} | ${row.description} |`,
  );
  return ['| setting | default | what it does |', '|---|---|---|', ...rows].join('\n');
}

/** The README's table stands between these. */
export const TABLE_MARKS = ['<!-- settings -->', '<!-- /settings -->'] as const;
