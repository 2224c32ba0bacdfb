/**
 * The claim of an auth rule: the field names and query keys it sets plus those it strips. Names are
 * normalized (lower case, `_` as `-`), query keys decoded once. What is claimed never travels as the
 * client sent it; where claims overlap only one secret is placed (spec section 5.5).
 */
import { unreachable } from '../kernel/assert.ts';
import type { Placement } from '../secrets/auth.ts';
import { normalizeFieldName } from '../wire/field-list.ts';

export interface Claim {
  readonly claimFields: readonly string[];
  readonly claimQuery: readonly string[];
  readonly claimsPath: boolean;
  /** A connection shows one client certificate. */
  readonly claimsCertificate: boolean;
}

/** Normalized names of the header fields a placement sets. */
export function fieldsSetBy(placement: Placement): readonly string[] {
  switch (placement.type) {
    case 'bearer':
    case 'basic':
      return ['authorization'];
    case 'api-key':
      return [normalizeFieldName(placement.header)];
    case 'custom':
      return Object.keys(placement.headers).map(normalizeFieldName);
    case 'query':
    case 'path':
    case 'mtls':
      return [];
    default:
      return unreachable(placement);
  }
}

export function claimOf(
  placement: Placement,
  alsoStrip: { readonly headers: readonly string[]; readonly query: readonly string[] },
): Claim {
  const fields = [...fieldsSetBy(placement), ...alsoStrip.headers.map(normalizeFieldName)];
  const query = placement.type === 'query' ? [placement.name, ...alsoStrip.query] : alsoStrip.query;
  return {
    claimFields: [...new Set(fields)],
    claimQuery: [...new Set(query)],
    claimsPath: placement.type === 'path',
    claimsCertificate: placement.type === 'mtls',
  };
}

export function doClaimsOverlap(one: Claim, other: Claim): boolean {
  if (one.claimsPath && other.claimsPath) return true;
  if (one.claimsCertificate && other.claimsCertificate) return true;
  return (
    sharesAny(one.claimFields, other.claimFields) || sharesAny(one.claimQuery, other.claimQuery)
  );
}

function sharesAny(one: readonly string[], other: readonly string[]): boolean {
  for (const item of one) if (other.includes(item)) return true;
  return false;
}
