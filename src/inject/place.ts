/**
 * Placing a value: one function per auth type (spec section 6), exhaustive over `Placement`. Says what to
 * set; removing what the client sent there is `compose-request.ts`. Header text goes out as UTF-8 bytes
 * (one character a byte, as Node writes heads). Values were checked when they were stored.
 */
import { unreachable } from '../kernel/assert.ts';
import type { Hidden } from '../kernel/hidden.ts';
import type { PlaceholderPlace } from '../policy/decision.ts';
import type { Placement } from '../secrets/auth.ts';
import { formatBasicCredentials } from '../wire/basic-credentials.ts';

/** What one secret sets on a request. */
export interface Placed {
  /** Flat name, value array, names as the admin wrote them. */
  readonly fields: readonly string[];
  /** Key and encoded value. */
  readonly query: { readonly name: string; readonly encodedValue: string } | null;
  /** Stands in the path instead of the placeholder, encoded. */
  readonly pathText: string | null;
  /** What stands before the colon of Basic: responses are searched for the pair in base64. */
  readonly basicUsername: string | null;
}

/** `places`: where the placeholder stood; Basic takes its user name from there. */
export function placeValue(
  placement: Placement,
  value: Hidden,
  places: readonly PlaceholderPlace[],
): Placed {
  switch (placement.type) {
    case 'bearer':
      return inFields(['Authorization', toFieldText(`Bearer ${value.reveal()}`)]);
    case 'basic':
      return placeBasic(placement.username, value, places);
    case 'api-key':
      return inFields([placement.header, toFieldText((placement.prefix ?? '') + value.reveal())]);
    case 'custom':
      return inFields(placeTemplates(placement, value));
    case 'query':
      return {
        ...NOWHERE,
        query: { name: placement.name, encodedValue: encodeURIComponent(value.reveal()) },
      };
    case 'path':
      return { ...NOWHERE, pathText: encodePathText(value.reveal()) };
    case 'mtls':
      // The connection shows it: `Origin.clientIdentity`.
      return NOWHERE;
    default:
      return unreachable(placement);
  }
}

/**
 * Percent-encodes everything but what RFC 3986 lets stand in a segment; `;` is encoded too, because many
 * servers cut parameters there. `:` stays: it is part of real tokens.
 */
export function encodePathText(value: string): string {
  return encodeURIComponent(value).replace(/%(?:3A|40|24|26|2B|2C|3D)/g, decodeURIComponent);
}

const NOWHERE: Placed = { fields: [], query: null, pathText: null, basicUsername: null };

function inFields(fields: readonly string[]): Placed {
  return { fields, query: null, pathText: null, basicUsername: null };
}

/** The rule's user name; else the one beside the placeholder in this very header; else `x`. */
function placeBasic(
  ruleUsername: string | undefined,
  value: Hidden,
  places: readonly PlaceholderPlace[],
): Placed {
  const username = ruleUsername ?? usernameBeside(places) ?? 'x';
  const text = formatBasicCredentials(username, value.reveal());
  return {
    fields: ['Authorization', text],
    query: null,
    pathText: null,
    basicUsername: username,
  };
}

function usernameBeside(places: readonly PlaceholderPlace[]): string | undefined {
  for (const place of places) {
    if (place.in === 'field' && place.name === 'authorization' && place.basicUsername !== null) {
      return place.basicUsername;
    }
  }
  return undefined;
}

type CustomPlacement = Extract<Placement, { type: 'custom' }>;

/** Header name and the literal pieces around each `{{ value }}`, split once per compiled rule. */
type Template = readonly [name: string, pieces: readonly string[]];

const templatesOf = new WeakMap<CustomPlacement, readonly Template[]>();

/** Joining pieces never reads the value as a template or as a replacement pattern. */
function placeTemplates(placement: CustomPlacement, value: Hidden): string[] {
  const fields: string[] = [];
  for (const [name, pieces] of readTemplates(placement)) {
    fields.push(name, toFieldText(pieces.join(value.reveal())));
  }
  return fields;
}

function readTemplates(placement: CustomPlacement): readonly Template[] {
  let templates = templatesOf.get(placement);
  if (templates === undefined) {
    templates = Object.entries(placement.headers).map(([name, text]): Template => [
      name,
      text.split(/\{\{\s*value\s*\}\}/),
    ]);
    templatesOf.set(placement, templates);
  }
  return templates;
}

function toFieldText(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}
