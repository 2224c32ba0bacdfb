/**
 * What makes an auth valid beyond its shape: settable headers, templates that hold the value, user names,
 * and `per_host` rules that stay within the secret's hosts and never overlap. Canonicalizes rule hosts.
 * Fault paths are spelled as in the native API.
 */
import { isSettableField } from '../inject/settable-fields.ts';
import { fieldError } from '../kernel/field-error.ts';
import { FIXED } from '../kernel/limits.ts';
import { parsePathPattern } from '../policy/path-pattern.ts';
import { normalizeFieldName } from '../wire/field-list.ts';
import type { Auth, HostRule, Placement } from './auth.ts';
import { overlapsPath } from './path-overlap.ts';
import { coversHost, overlapsHost, parseSecretHosts } from './secret-hosts.ts';

const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
const PRINTABLE = /^[\t\x20-\x7e]*$/;
const VALUE_MARK = /\{\{\s*value\s*\}\}/;
const ANY_MARK = /\{\{\s*([^{}]*?)\s*\}\}/g;
const TEXT_CHARS_MAX = 512;
const RULES_MAX = 16;
const RULE_PATHS_MAX = 16;

/** `hosts` are the secret's, canonical. ControlError `bad_request`. */
export function parseAuth(auth: Auth, hosts: readonly string[]): Auth {
  if (!('perHost' in auth)) {
    checkPlacement(auth, 'auth');
    return auth;
  }
  if (auth.perHost.length < 1 || auth.perHost.length > RULES_MAX) {
    throw fieldError('auth.per_host', `must have 1 to ${RULES_MAX} rules`);
  }
  const rules = auth.perHost.map((rule, index) =>
    parseRule(rule, hosts, `auth.per_host[${index}]`),
  );
  for (const [index, rule] of rules.entries()) {
    if (!rules.slice(0, index).some((earlier) => overlapsRule(earlier, rule))) continue;
    throw fieldError(
      `auth.per_host[${index}].hosts`,
      'overlap an earlier rule; give both rules paths that do not overlap',
    );
  }
  return { perHost: rules };
}

/** One way of placing a value. */
function checkPlacement(placement: Placement, path: string): void {
  switch (placement.type) {
    case 'bearer':
    case 'path':
    case 'mtls':
      return;
    case 'basic':
      checkUsername(placement.username, `${path}.username`);
      return;
    case 'api-key':
      checkSettable(placement.header, `${path}.header`);
      checkPrefix(placement.prefix ?? '', `${path}.prefix`);
      return;
    case 'custom':
      checkTemplates(placement, `${path}.headers`);
      return;
    case 'query':
      if (/^[^\x00-\x20\x7f&;=#]{1,128}$/.test(placement.name)) return;
      throw fieldError(`${path}.name`, 'must be 1 to 128 characters without spaces, & ; = #');
  }
}

/** A header name we may set; `path` names it in the fault. */
export function checkSettable(name: string, path: string): void {
  if (!FIELD_NAME.test(name)) throw fieldError(path, 'is not a header name');
  if (!isSettableField(name)) throw fieldError(path, 'is a header that is never set by Sallyport');
}

/** Text that becomes part of a header value. */
export function checkFieldText(text: string, path: string): void {
  if (text.length > TEXT_CHARS_MAX) throw fieldError(path, `is longer than ${TEXT_CHARS_MAX}`);
  if (!PRINTABLE.test(text)) throw fieldError(path, 'must be printable ASCII');
}

function parseRule(rule: HostRule, hosts: readonly string[], path: string): HostRule {
  const ruleHosts = parseSecretHosts(rule.hosts, `${path}.hosts`);
  for (const [index, host] of ruleHosts.entries()) {
    if (hosts.some((outer) => coversHost(outer, host))) continue;
    throw fieldError(`${path}.hosts[${index}]`, 'is not reachable from the hosts of the secret');
  }
  checkPlacement(rule, path);
  if (rule.paths === undefined) return { ...rule, hosts: ruleHosts };
  if (rule.paths.length < 1 || rule.paths.length > RULE_PATHS_MAX) {
    throw fieldError(`${path}.paths`, `must have 1 to ${RULE_PATHS_MAX} entries`);
  }
  for (const [index, text] of rule.paths.entries()) checkPath(text, `${path}.paths[${index}]`);
  return { ...rule, hosts: ruleHosts };
}

/** A path pattern as an admin wrote it. */
export function checkPath(text: string, path: string): void {
  try {
    parsePathPattern(text);
  } catch (error) {
    throw fieldError(path, error instanceof Error ? error.message : 'is not a path pattern');
  }
}

function overlapsRule(one: HostRule, other: HostRule): boolean {
  if (!one.hosts.some((host) => other.hosts.some((theirs) => overlapsHost(host, theirs)))) {
    return false;
  }
  if (one.paths === undefined || other.paths === undefined) return true;
  const theirs = other.paths.map(parsePathPattern);
  return one.paths.some((text) => {
    const pattern = parsePathPattern(text);
    return theirs.some((their) => overlapsPath(pattern, their));
  });
}

function checkUsername(username: string | undefined, path: string): void {
  if (username === undefined) return;
  if (username.length > TEXT_CHARS_MAX) throw fieldError(path, `is longer than ${TEXT_CHARS_MAX}`);
  // RFC 7617 section 2: a colon would end the user name early; control characters are not allowed.
  if (/[:\x00-\x1f\x7f]/.test(username)) {
    throw fieldError(path, 'must not contain a colon, CR, LF or another control character');
  }
}

function checkPrefix(prefix: string, path: string): void {
  checkFieldText(prefix, path);
  if (/^\s/.test(prefix)) throw fieldError(path, 'must not begin with white space');
}

function checkTemplates(placement: Placement & { type: 'custom' }, path: string): void {
  const entries = Object.entries(placement.headers);
  if (entries.length < 1 || entries.length > FIXED.headersPerAuthMax) {
    throw fieldError(path, `must have 1 to ${FIXED.headersPerAuthMax} headers`);
  }
  if (new Set(entries.map(([name]) => normalizeFieldName(name))).size < entries.length) {
    throw fieldError(path, 'names a header twice; case, and _ for -, make no difference');
  }
  for (const [name, template] of entries) {
    checkSettable(name, `${path}.${name}`);
    checkFieldText(template, `${path}.${name}`);
    if (template !== template.trim()) {
      throw fieldError(`${path}.${name}`, 'must not begin or end with white space');
    }
    if (!VALUE_MARK.test(template)) {
      throw fieldError(`${path}.${name}`, 'must contain {{ value }}');
    }
    for (const [mark, word] of template.matchAll(ANY_MARK)) {
      if (word !== 'value') throw fieldError(`${path}.${name}`, `${mark} is not a known parameter`);
    }
  }
}
