/**
 * What to mask in the responses of a request, from what was put on it. Compiled spellings are kept for the
 * next response, by version (a rotation makes others) and by the user name beside a Basic value; bounded
 * by what they take in memory (I7). A value comes in here with the request it went out on, and never out.
 */
import type { InjectedForm } from '../inject/compose-request.ts';
import { FIXED } from '../kernel/limits.ts';
import { compileForms } from './form-matcher.ts';
import type { FormMatcher } from './form-matcher.ts';
import { formsOf, isMaskable, usernameTail } from './value-form.ts';

/** Why nothing is looked for. */
export type UnmaskedReason = 'short' | 'disabled';

export type ResponseMask =
  | { readonly matcher: FormMatcher; readonly reason: null }
  | { readonly matcher: null; readonly reason: UnmaskedReason };

export interface MaskBookOptions {
  /** What keys of known providers begin with; no secret. */
  readonly publicPrefixes: readonly string[];
  readonly bytesMax?: number;
}

const SHORT: ResponseMask = { matcher: null, reason: 'short' };
const DISABLED: ResponseMask = { matcher: null, reason: 'disabled' };

export class MaskBook {
  readonly #prefixes: readonly string[];
  readonly #bytesMax: number;
  /** Least recently used first. */
  readonly #masks = new Map<string, ResponseMask & { readonly reason: null }>();
  #bytes = 0;

  constructor(options: MaskBookOptions) {
    // The longest that fits is the prefix.
    this.#prefixes = [...options.publicPrefixes].sort((a, b) => b.length - a.length);
    this.#bytesMax = options.bytesMax ?? FIXED.maskMatcherBytesMax;
  }

  /** What is kept takes at most `bytesMax`, plus one. */
  get bytes(): number {
    return this.#bytes;
  }

  /** `undefined` when nothing was injected that an origin could send back. */
  maskFor(injected: readonly InjectedForm[]): ResponseMask | undefined {
    if (injected.length === 0) return undefined;
    const wanted = injected.filter((form) => form.maskResponses);
    if (wanted.length === 0) return DISABLED;
    const masked = wanted.filter(({ value }) => isMaskable(value.reveal()));
    if (masked.length === 0) return SHORT;
    const key = masked.map(keyOf).join('');
    return this.#read(key) ?? this.#compile(key, masked);
  }

  #read(key: string): ResponseMask | undefined {
    const known = this.#masks.get(key);
    if (known === undefined) return undefined;
    this.#masks.delete(key);
    this.#masks.set(key, known);
    return known;
  }

  #compile(key: string, injected: readonly InjectedForm[]): ResponseMask {
    const forms = injected.flatMap(({ value, basicUsername }) => {
      const text = value.reveal();
      const publicPrefix = this.#prefixes.find((prefix) => text.startsWith(prefix)) ?? '';
      const basicUser = basicUsername === null ? null : usernameTail(basicUsername);
      return formsOf({ value: text, publicPrefix, basicUser });
    });
    const matcher = compileForms(forms);
    const mask = { matcher, reason: null };
    this.#masks.set(key, mask);
    this.#bytes += matcher.bytes;
    for (const [oldest, { matcher: dropped }] of this.#masks) {
      if (this.#bytes <= this.#bytesMax || oldest === key) break;
      this.#masks.delete(oldest);
      this.#bytes -= dropped.bytes;
    }
    return mask;
  }
}

/** A client chooses the user name, so its length says where it ends. */
function keyOf({ versionId, basicUsername }: InjectedForm): string {
  if (basicUsername === null) return `${versionId};`;
  const tail = usernameTail(basicUsername);
  return `${versionId},${tail.length},${tail.toString('latin1')};`;
}
