/**
 * From what an admin said to a complete definition: defaults for a new secret, "what is omitted stays" for
 * a change, the provider's row where one is named. Pure; every fault is a ControlError that names its field.
 */
import { fieldError } from '../kernel/field-error.ts';
import type { ProviderCatalogue, ProviderPreset } from '../providers/catalogue.ts';
import { normalizeFieldName } from '../wire/field-list.ts';
import { isDeepStrictEqual } from 'node:util';
import { placementsOf, type Auth } from './auth.ts';
import { checkFieldText, checkPath, checkSettable, parseAuth } from './auth-rules.ts';
import { parseSecretHosts } from './secret-hosts.ts';
import type { SecretInput } from './secret-input.ts';
import type { SecretDefinition } from './secret.ts';

/** What a secret is before anything is said about it. */
export const BLANK_DEFINITION: SecretDefinition = {
  description: null,
  auth: null,
  hosts: [],
  ports: [443],
  provider: null,
  providerParams: {},
  methods: null,
  paths: null,
  priority: 0,
  onExisting: 'replace',
  alsoStrip: { headers: [], query: [] },
  companionHeaders: {},
  maskResponses: true,
  allowPlaintext: false,
  allowedWorkspacesType: 'ALL',
  allowedWorkspaces: [],
  disabled: false,
  expiresAtMs: null,
};

const LIST_MAX = 64;
const PATH_CHARS_MAX = 256;

/** The definition after `input` is applied to `before`. ControlError `bad_request`. */
export function applySecretInput(
  before: SecretDefinition,
  input: SecretInput,
  catalogue: ProviderCatalogue,
): SecretDefinition {
  const placed = applyPlacement(before, input, catalogue);
  const allowPlaintext = input.allowPlaintext ?? before.allowPlaintext;
  if (allowPlaintext && placed.auth !== null && showsCertificate(placed.auth)) {
    throw fieldError('allow_plaintext', 'a client certificate is shown over TLS only');
  }
  return {
    ...placed,
    description: input.description === undefined ? before.description : input.description || null,
    ports: input.ports === undefined ? before.ports : parsePorts(input.ports),
    methods: input.methods === undefined ? before.methods : parseMethods(input.methods),
    paths: input.paths === undefined ? before.paths : parsePaths(input.paths),
    priority: input.priority ?? before.priority,
    onExisting: input.onExisting ?? before.onExisting,
    alsoStrip: input.alsoStrip === undefined ? placed.alsoStrip : parseAlsoStrip(input.alsoStrip),
    companionHeaders:
      input.companionHeaders === undefined
        ? placed.companionHeaders
        : parseCompanions(input.companionHeaders),
    maskResponses: input.maskResponses ?? before.maskResponses,
    allowPlaintext,
    ...applyWorkspaces(before, input),
    disabled: input.disabled ?? before.disabled,
    expiresAtMs: input.expiresAtMs === undefined ? before.expiresAtMs : input.expiresAtMs,
  };
}

function applyPlacement(
  before: SecretDefinition,
  input: SecretInput,
  catalogue: ProviderCatalogue,
): SecretDefinition {
  if (input.provider !== undefined) {
    if (input.auth !== undefined) throw fieldError('auth', 'cannot stand beside provider');
    if (input.hosts !== undefined) throw fieldError('hosts', 'cannot stand beside provider');
    const preset = catalogue.fillPreset(input.provider, input.providerParams ?? {});
    return fromPreset(before, preset, input.providerParams ?? {});
  }
  if (input.providerParams !== undefined) {
    throw fieldError('provider_params', 'needs provider beside it');
  }
  if (input.auth === undefined && input.hosts === undefined) return before;
  const hosts = input.hosts === undefined ? before.hosts : parseSecretHosts(input.hosts);
  if (hosts.length === 0) throw fieldError('hosts', 'must be given together with auth');
  const givenAuth = input.auth ?? before.auth;
  if (givenAuth === null) throw fieldError('auth', 'must be given together with hosts');
  const auth = parseAuth(givenAuth, hosts);
  if (isDeepStrictEqual(auth, before.auth) && isDeepStrictEqual(hosts, before.hosts)) return before;
  return { ...before, auth, hosts, provider: null, providerParams: {} };
}

function showsCertificate(auth: Auth): boolean {
  return placementsOf(auth).some((placement) => placement.type === 'mtls');
}

function fromPreset(
  before: SecretDefinition,
  preset: ProviderPreset,
  providerParams: Readonly<Record<string, string>>,
): SecretDefinition {
  const hosts = parseSecretHosts(preset.hosts, 'provider_params');
  const auth: Auth = parseAuth(preset.auth, hosts);
  const { alsoStrip, companionHeaders } = preset;
  return {
    ...before,
    provider: preset.name,
    providerParams,
    hosts,
    auth,
    alsoStrip,
    companionHeaders,
  };
}

function parsePorts(ports: readonly number[]): number[] {
  if (ports.length < 1 || ports.length > 16) throw fieldError('ports', 'must have 1 to 16 entries');
  for (const [index, port] of ports.entries()) {
    if (Number.isInteger(port) && port >= 1 && port <= 65_535) continue;
    throw fieldError(`ports[${index}]`, 'must be a port from 1 to 65535');
  }
  return [...new Set(ports)].sort((a, b) => a - b);
}

function parseMethods(methods: readonly string[]): string[] | null {
  if (methods.length === 0) return null;
  if (methods.length > LIST_MAX)
    throw fieldError('methods', `must have at most ${LIST_MAX} entries`);
  for (const [index, method] of methods.entries()) {
    if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/.test(method)) continue;
    throw fieldError(`methods[${index}]`, 'must be a method token such as GET; case matters');
  }
  return [...new Set(methods)];
}

function parsePaths(paths: readonly string[]): string[] | null {
  if (paths.length === 0) return null;
  if (paths.length > LIST_MAX) throw fieldError('paths', `must have at most ${LIST_MAX} entries`);
  for (const [index, text] of paths.entries()) {
    if (text.length > PATH_CHARS_MAX) throw fieldError(`paths[${index}]`, 'is too long');
    checkPath(text, `paths[${index}]`);
  }
  return [...new Set(paths)];
}

function parseAlsoStrip(
  given: NonNullable<SecretInput['alsoStrip']>,
): SecretDefinition['alsoStrip'] {
  for (const [index, name] of given.headers.entries()) {
    // A cookie may carry a credential; it is the one field we take away but never set.
    if (normalizeFieldName(name) === 'cookie') continue;
    checkSettable(name, `also_strip.headers[${index}]`);
  }
  for (const [index, key] of given.query.entries()) {
    if (/^[^\x00-\x20\x7f]{1,128}$/.test(key)) continue;
    throw fieldError(`also_strip.query[${index}]`, 'must be 1 to 128 characters without spaces');
  }
  return given;
}

function parseCompanions(headers: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(headers);
  if (entries.length > 8) throw fieldError('companion_headers', 'must have at most 8 headers');
  for (const [name, text] of entries) {
    checkSettable(name, `companion_headers.${name}`);
    checkFieldText(text, `companion_headers.${name}`);
    if (text === '' || text !== text.trim()) {
      throw fieldError(`companion_headers.${name}`, 'must not be empty or edged with white space');
    }
  }
  return Object.fromEntries(entries);
}

function applyWorkspaces(
  before: SecretDefinition,
  input: SecretInput,
): Pick<SecretDefinition, 'allowedWorkspacesType' | 'allowedWorkspaces'> {
  const allowedWorkspacesType = input.allowedWorkspacesType ?? before.allowedWorkspacesType;
  if (allowedWorkspacesType !== 'SOME') return { allowedWorkspacesType, allowedWorkspaces: [] };
  const allowedWorkspaces = input.allowedWorkspaces ?? before.allowedWorkspaces;
  if (allowedWorkspaces.length === 0) {
    throw fieldError('allowed_workspaces', 'must name at least one workspace for SOME');
  }
  return { allowedWorkspacesType, allowedWorkspaces };
}
