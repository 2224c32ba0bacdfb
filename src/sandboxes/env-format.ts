/**
 * A variable map as text that a shell, a dotenv reader or a program can take in, whatever the values
 * hold: nothing in a value is ever expanded or executed.
 */
export type EnvFormat = 'json' | 'shell' | 'dotenv';

export function formatEnv(env: Readonly<Record<string, string>>, format: EnvFormat): string {
  if (format === 'json') return `${JSON.stringify(env, null, 2)}\n`;
  const prefix = format === 'shell' ? 'export ' : '';
  const quote = format === 'shell' ? quoteForShell : quoteForDotenv;
  return Object.entries(env)
    .map(([name, value]) => `${prefix}${name}=${quote(value)}\n`)
    .join('');
}

/** POSIX single quotes: everything is literal but the quote itself. */
export function quoteForShell(value: string): string {
  return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", String.raw`'\''`)}'`;
}

/** Single quotes are literal in every dialect; only a quote or a line end needs the other form. */
function quoteForDotenv(value: string): string {
  if (/^[\w@%+=:,./-]+$/.test(value)) return value;
  if (!/['\r\n]/.test(value)) return `'${value}'`;
  const escaped = value
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('$', '\\$')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r');
  return `"${escaped}"`;
}
