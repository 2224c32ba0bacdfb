/**
 * Finds the bindings of a host without walking them all: secrets' wildcards stand for one label, so a
 * host is covered by its own text or by `*` plus what follows its first label, two look-ups. Also lists
 * the placeholders to search for. Built once per snapshot, never changed.
 */
import type { Host } from '../wire/host.ts';
import type { HostPattern } from './host-pattern.ts';
import type { CompiledBinding } from './snapshot.ts';

export interface BindingIndex {
  /** By the text of a host pattern, in order of the snapshot's bindings. */
  readonly byPattern: ReadonlyMap<string, readonly CompiledBinding[]>;
  /** Bindings with a placeholder. */
  readonly withPlaceholder: readonly CompiledBinding[];
  /** Shortest placeholder: a text shorter than this holds none. */
  readonly placeholderCharsMin: number;
  /** Those that end at a time, whether it has passed or not. */
  readonly expiring: readonly CompiledBinding[];
  readonly byId: ReadonlyMap<string, CompiledBinding>;
  /** Some secret is placed into the path, so paths are searched too. */
  readonly searchesPath: boolean;
  /** Some binding or rule is restricted to paths. */
  readonly readsPaths: boolean;
}

export function buildBindingIndex(bindings: readonly CompiledBinding[]): BindingIndex {
  const byPattern = new Map<string, CompiledBinding[]>();
  for (const binding of bindings) {
    for (const pattern of binding.hosts) addTo(byPattern, pattern, binding);
  }
  const withPlaceholder = bindings.filter((binding) => binding.placeholder !== '');
  const lengths = withPlaceholder.map((binding) => binding.placeholder.length);
  return {
    byPattern,
    withPlaceholder,
    placeholderCharsMin: Math.min(...lengths, Number.MAX_SAFE_INTEGER),
    expiring: bindings.filter((binding) => binding.expiresAtMs !== null),
    byId: new Map(bindings.map((binding) => [binding.bindingId, binding])),
    searchesPath: bindings.some((binding) => isPlacedInPath(binding)),
    readsPaths: bindings.some((binding) => hasPaths(binding)),
  };
}

/** Every binding, dead ones too, whose secret names this host, on whatever port. */
export function bindingsForHost(index: BindingIndex, host: Host): readonly CompiledBinding[] {
  const exact = index.byPattern.get(host.text);
  if (host.kind !== 'name') return exact ?? NONE;
  const firstDot = host.text.indexOf('.');
  const wild = firstDot < 1 ? undefined : index.byPattern.get(`*${host.text.slice(firstDot)}`);
  if (wild === undefined) return exact ?? NONE;
  if (exact === undefined) return wild;
  return [...exact, ...wild.filter((binding) => !exact.includes(binding))];
}

/** Only such a binding's placeholder is looked for in paths. */
export function isPlacedInPath(binding: CompiledBinding): boolean {
  return binding.rules.some((rule) => rule.claimsPath);
}

const NONE: readonly CompiledBinding[] = [];

function hasPaths(binding: CompiledBinding): boolean {
  return binding.paths !== null || binding.rules.some((rule) => rule.paths !== null);
}

function addTo(
  byPattern: Map<string, CompiledBinding[]>,
  pattern: HostPattern,
  binding: CompiledBinding,
): void {
  const listed = byPattern.get(pattern.text);
  if (listed === undefined) byPattern.set(pattern.text, [binding]);
  else if (!listed.includes(binding)) listed.push(binding);
}
