/**
 * How a secret's value is placed on a request: the auth types of the native API as one union. Shapes
 * only; validation lives in `auth-rules.ts`, placing in `src/inject`.
 */
export type Placement =
  | { readonly type: 'bearer' }
  | { readonly type: 'basic'; readonly username?: string }
  | { readonly type: 'api-key'; readonly header: string; readonly prefix?: string }
  /** Header name → template; every template contains `{{ value }}`, params are already filled in. */
  | { readonly type: 'custom'; readonly headers: Readonly<Record<string, string>> }
  | { readonly type: 'query'; readonly name: string }
  | { readonly type: 'path' }
  /** On the connection, not on the request: the value is certificate and key, shown to the origin. */
  | { readonly type: 'mtls' };

type PlacementType = Placement['type'];

/** One rule of a `per_host` auth. `paths` as in `Secret.paths`. */
export type HostRule = Placement & {
  readonly hosts: readonly string[];
  readonly paths?: readonly string[];
};

export type Auth = Placement | { readonly perHost: readonly HostRule[] };

export type AuthKind = PlacementType | 'per_host' | 'none';

/** The true kind of an auth (`auth_kind` of the API). */
export function authKind(auth: Auth | null): AuthKind {
  if (auth === null) return 'none';
  return 'perHost' in auth ? 'per_host' : auth.type;
}

/** Every way in which an auth places its value. */
export function placementsOf(auth: Auth): readonly Placement[] {
  return 'perHost' in auth ? auth.perHost : [auth];
}
