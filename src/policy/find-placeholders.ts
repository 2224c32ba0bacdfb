/**
 * Looks for this sandbox's placeholders in the credential places of a request (spec section 5.4): every
 * header value, also inside base64 Basic; the query, raw and decoded once; the path, for secrets placed
 * there. Never in bodies. Other sandboxes' placeholders are ordinary text and are not looked up. Runs on
 * every request: texts shorter than the shortest placeholder are passed over.
 */
import { readBasicText, splitBasicText } from '../wire/basic-credentials.ts';
import { normalizeFieldName } from '../wire/field-list.ts';
import { queryPairs, splitQuery } from '../wire/query-keys.ts';
import { isPlacedInPath } from './binding-index.ts';
import type { PlaceholderPlace } from './decision.ts';
import type { RequestHead } from './request-head.ts';
import type { CompiledBinding, Snapshot } from './snapshot.ts';

export interface FoundPlaceholder {
  readonly binding: CompiledBinding;
  readonly places: readonly PlaceholderPlace[];
}

export interface PlaceholderSearch {
  /** In order of first appearance. */
  readonly found: readonly FoundPlaceholder[];
  /** Placeholders of different secrets in one field, query pair or path: nobody can tell what is meant. */
  readonly conflict: readonly [CompiledBinding, CompiledBinding] | null;
}

export function findPlaceholders(snapshot: Snapshot, head: RequestHead): PlaceholderSearch {
  const { index } = snapshot;
  if (index.withPlaceholder.length === 0) return NOTHING;
  const finds = new Finds();
  searchFields(index.withPlaceholder, index.placeholderCharsMin, head.fields, finds);
  if (head.target.length > index.placeholderCharsMin) {
    searchTarget(snapshot, head.target, finds);
  }
  return finds.isEmpty ? NOTHING : finds.result();
}

const NOTHING: PlaceholderSearch = { found: [], conflict: null };

/** Base64 makes four characters of three bytes: a shorter field value cannot be Basic with one inside. */
function searchFields(
  bindings: readonly CompiledBinding[],
  charsMin: number,
  fields: readonly string[],
  finds: Finds,
): void {
  for (let index = 1; index < fields.length; index += 2) {
    const value = fields[index] ?? '';
    if (value.length < charsMin) continue;
    const basicText = mayBeBasic(value) ? readBasicText(value) : undefined;
    let first: CompiledBinding | null = null;
    for (const binding of bindings) {
      const inside = basicText?.includes(binding.placeholder) === true;
      if (!inside && !value.includes(binding.placeholder)) continue;
      const name = normalizeFieldName(fields[index - 1] ?? '');
      // The proxy's own credentials end here; they are no place for a secret.
      if (name === 'proxy-authorization') break;
      const basicUsername = inside ? usernameBeside(basicText, binding.placeholder) : null;
      finds.add(binding, { in: 'field', name, basicUsername }, first);
      first ??= binding;
    }
  }
}

function searchTarget(snapshot: Snapshot, target: string, finds: Finds): void {
  const { withPlaceholder, searchesPath } = snapshot.index;
  const { path, query } = splitQuery(target);
  if (query !== null) searchQuery(withPlaceholder, query, finds);
  if (!searchesPath) return;
  let first: CompiledBinding | null = null;
  for (const binding of withPlaceholder) {
    if (!isPlacedInPath(binding) || !path.includes(binding.placeholder)) continue;
    finds.add(binding, { in: 'path' }, first);
    first ??= binding;
  }
}

function searchQuery(bindings: readonly CompiledBinding[], query: string, finds: Finds): void {
  const mayHold =
    query.includes('%') || bindings.some((binding) => query.includes(binding.placeholder));
  if (!mayHold) return;
  for (const { key, value } of queryPairs(query)) {
    let first: CompiledBinding | null = null;
    for (const binding of bindings) {
      if (!value.includes(binding.placeholder) && !key.includes(binding.placeholder)) continue;
      finds.add(binding, { in: 'query', name: key }, first);
      first ??= binding;
    }
  }
}

/** `Basic`, in any case: the second letter and the length tell nearly all others apart. */
function mayBeBasic(value: string): boolean {
  const code = value.charCodeAt(0);
  return (code === 0x42 || code === 0x62) && value.charCodeAt(1) !== 0x65;
}

/** The name beside it where the placeholder is the whole password. */
function usernameBeside(basicText: string, placeholder: string): string | null {
  const credentials = splitBasicText(basicText);
  return credentials?.password === placeholder ? credentials.username : null;
}

class Finds {
  readonly #places = new Map<CompiledBinding, PlaceholderPlace[]>();
  #conflict: readonly [CompiledBinding, CompiledBinding] | null = null;

  get isEmpty(): boolean {
    return this.#places.size === 0;
  }

  /** `first`: the binding whose placeholder was found in the same place before. */
  add(binding: CompiledBinding, place: PlaceholderPlace, first: CompiledBinding | null): void {
    const places = this.#places.get(binding);
    if (places === undefined) this.#places.set(binding, [place]);
    else places.push(place);
    if (first !== null && first.secretId !== binding.secretId) this.#conflict ??= [first, binding];
  }

  result(): PlaceholderSearch {
    const found = [...this.#places].map(([binding, places]) => ({ binding, places }));
    return { found, conflict: this.#conflict };
  }
}
