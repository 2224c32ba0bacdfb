/**
 * What belongs to one connection and never travels further: RFC 9110 section 7.6.1, plus the fields our
 * own connection to the origin sets. All names are normalized (lower case, `_` as `-`), so that a spelling
 * that some server folds is treated as what it would become.
 */
import { Refusal } from '../kernel/errors.ts';
import { fieldValues, normalizeFieldName } from './field-list.ts';

const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** Spec section 5.7: what the connection to the origin writes itself. */
const CONNECTION_OWNED: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'keep-alive',
  'content-length',
  'transfer-encoding',
  'expect',
  'upgrade',
  'te',
]);

/** Naming one of these in `Connection` would take routing or framing out of the request. */
const NEVER_AN_OPTION: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'trailer',
]);

/** Fixed hop-by-hop fields and every `Proxy-*`; `Connection` adds others per request. */
export function isHopByHop(normalizedName: string): boolean {
  return HOP_BY_HOP.has(normalizedName) || normalizedName.startsWith('proxy-');
}

export function isConnectionOwned(normalizedName: string): boolean {
  return CONNECTION_OWNED.has(normalizedName);
}

/** The options of every `Connection` line, normalized, empty elements left out. */
export function connectionOptions(fields: readonly string[]): string[] {
  const values = fieldValues(fields, 'connection');
  if (values.length === 0) return values;
  return values
    .flatMap((value) => value.split(','))
    .map((option) => normalizeFieldName(trimOws(option)))
    .filter((option) => option !== '');
}

/**
 * Refuses an option that is no token, or names `Host`, framing, or a protected field: one that is being
 * set would be stripped again by the next hop. Throws Refusal `bad_request`.
 */
export function checkConnectionOptions(
  options: readonly string[],
  protectedNames: ReadonlySet<string>,
): void {
  for (const option of options) {
    const isRefused = NEVER_AN_OPTION.has(option) || protectedNames.has(option);
    if (!isRefused && /^[!#$%&'*+.^`|~0-9a-z-]+$/.test(option)) continue;
    throw new Refusal('bad_request', {
      message: 'The Connection field names a field that must reach the origin.',
      hint: 'Leave Connection out, or send only close or keep-alive in it.',
    });
  }
}

function trimOws(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '');
}
