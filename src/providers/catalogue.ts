/**
 * The provider catalogue: data in `config/providers.json`, checked when it is loaded, never changed
 * afterwards. A row fills in hosts, auth and what else a provider takes credentials in; tenant variables
 * (`{site}` in hosts, user names, prefixes and templates) are filled from `provider_params`, so that no row
 * needs a wildcard over other people's tenants.
 */
import { readFileSync } from 'node:fs';
import { StartError } from '../kernel/errors.ts';
import { fieldError } from '../kernel/field-error.ts';
import type { Auth, HostRule, Placement } from '../secrets/auth.ts';
import type { SecretDefinition } from '../secrets/secret.ts';
import { catalogueSchema } from './catalogue-schema.ts';
import { CUSTOM_SHAPE, type TokenShape } from './token-shape.ts';

/** A tenant variable of a provider. */
interface ProviderParam {
  readonly description: string;
  /** A regular expression the whole value must match. */
  readonly pattern: string;
  /** May be left out; only for the user name of Basic, which is then the client's. */
  readonly optional?: true;
}

/** A row of the catalogue, variables not filled in. */
export interface Provider {
  readonly name: string;
  readonly display: string;
  readonly docs: string;
  /** Where host and placement were seen. */
  readonly source: string;
  /** Environment variables that name its key. */
  readonly env: readonly string[];
  readonly note: string | null;
  readonly hosts: readonly string[];
  readonly auth: Auth;
  readonly alsoStrip: SecretDefinition['alsoStrip'];
  readonly companionHeaders: Readonly<Record<string, string>>;
  readonly tokenShape: TokenShape;
  readonly params: Readonly<Record<string, ProviderParam>>;
}

/** A row with its variables filled in: what a secret is made from. */
export type ProviderPreset = Pick<
  Provider,
  'name' | 'hosts' | 'auth' | 'alsoStrip' | 'companionHeaders'
>;

const CATALOGUE_FILE = new URL('../../config/providers.json', import.meta.url);

export class ProviderCatalogue {
  readonly #providers: ReadonlyMap<string, Provider>;

  constructor(providers: readonly Provider[]) {
    this.#providers = new Map(providers.map((provider) => [provider.name, provider]));
  }

  /** By name. */
  list(): readonly Provider[] {
    return [...this.#providers.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** What placeholders of a secret from this provider look like. */
  shapeOf(provider: string | null): TokenShape {
    return (
      (provider === null ? undefined : this.#providers.get(provider))?.tokenShape ?? CUSTOM_SHAPE
    );
  }

  /** ControlError `bad_request` for an unknown provider, a missing, unknown or malformed parameter. */
  fillPreset(name: string, params: Readonly<Record<string, string>>): ProviderPreset {
    const provider = this.#providers.get(name.trim());
    if (provider === undefined) {
      throw fieldError('provider', 'is not in the catalogue; see GET /providers');
    }
    checkParams(provider, params);
    const fill = (text: string): string => fillParams(text, params);
    return {
      name: provider.name,
      hosts: provider.hosts.map(fill),
      auth: fillAuth(provider.auth, fill),
      alsoStrip: provider.alsoStrip,
      companionHeaders: mapValues(provider.companionHeaders, fill),
    };
  }
}

/** Reads and checks the catalogue that ships with the product. StartError naming the row at fault. */
export function loadCatalogue(file: URL = CATALOGUE_FILE): ProviderCatalogue {
  const parsed = catalogueSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new StartError(
      `The provider catalogue is damaged at ${issue?.path.join('.') ?? 'its root'}: ${issue?.message ?? ''}`,
      `Restore ${file.pathname} from the distribution.`,
    );
  }
  const rows = parsed.data.providers;
  return new ProviderCatalogue(
    rows.map((row) => ({
      name: row.name,
      display: row.display,
      docs: row.docs,
      source: row.source,
      env: row.env,
      note: row.note,
      hosts: row.hosts,
      auth: row.auth,
      alsoStrip: row.also_strip,
      companionHeaders: row.companion_headers,
      tokenShape: row.token_shape ?? CUSTOM_SHAPE,
      params: row.params,
    })),
  );
}

function checkParams(provider: Provider, params: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(params)) {
    if (Object.hasOwn(provider.params, name)) continue;
    throw fieldError(`provider_params.${name}`, `is no parameter of ${provider.name}`);
  }
  for (const [name, { description, pattern, optional }] of Object.entries(provider.params)) {
    const given = params[name];
    if (given === undefined && optional === true) continue;
    if (given !== undefined && new RegExp(`^(?:${pattern})$`).test(given)) continue;
    throw fieldError(`provider_params.${name}`, `must be given: ${description}`);
  }
}

/** `{{ name }}` as templates write it, `{name}` as hosts do. `{{ value }}` is no parameter and stays. */
const PARAM_MARK = /\{\{\s*(\w+)\s*\}\}|\{\s*(\w+)\s*\}/;
const PARAM_MARKS = new RegExp(PARAM_MARK, 'g');

function fillParams(text: string, params: Readonly<Record<string, string>>): string {
  return text.replaceAll(PARAM_MARKS, (mark, inTemplate?: string, inName?: string) => {
    const name = inTemplate ?? inName ?? '';
    return Object.hasOwn(params, name) ? (params[name] ?? mark) : mark;
  });
}

function fillAuth(auth: Auth, fill: (text: string) => string): Auth {
  if (!('perHost' in auth)) return fillPlacement(auth, fill);
  const perHost = auth.perHost.map((rule) => {
    // The parts of a rule beside its placement pass through the spread untouched.
    return { ...(fillPlacement(rule, fill) as HostRule), hosts: rule.hosts.map(fill) };
  });
  return { perHost };
}

function fillPlacement(placement: Placement, fill: (text: string) => string): Placement {
  if (placement.type === 'basic' && placement.username !== undefined) {
    const { username, ...rest } = placement;
    const filled = fill(username);
    // Left out where its variable is optional and was not given.
    return PARAM_MARK.test(filled) ? rest : { ...rest, username: filled };
  }
  if (placement.type === 'api-key' && placement.prefix !== undefined) {
    return { ...placement, prefix: fill(placement.prefix) };
  }
  if (placement.type === 'custom') {
    return { ...placement, headers: mapValues(placement.headers, fill) };
  }
  return placement;
}

function mapValues(
  record: Readonly<Record<string, string>>,
  map: (text: string) => string,
): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, text]) => [key, map(text)]));
}
