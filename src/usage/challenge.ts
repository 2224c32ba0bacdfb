/**
 * `WWW-Authenticate` read (RFC 9110 11.6.1): challenges, each a scheme with a token or parameters. What
 * cannot be read ends the list there; it never throws. Bounded by the response head. Pure.
 */
export interface Challenge {
  /** Lower case. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly params: ReadonlyMap<string, string>;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const PARAM = /([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))/y;
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;
const BLANK = /[ \t,]*/y;
const SPACES = /[ \t]*/y;

export function parseChallenges(values: readonly string[]): Challenge[] {
  return values.flatMap(parseOne);
}

function parseOne(text: string): Challenge[] {
  const challenges: { scheme: string; params: Map<string, string> }[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  for (;;) {
    take(BLANK);
    if (at >= text.length) return challenges;
    const last = challenges.at(-1);
    const param = last === undefined ? null : take(PARAM);
    if (last !== undefined && param !== null) {
      const value = param[2]?.replaceAll(/\\(.)/gs, '$1') ?? param[3] ?? '';
      last.params.set((param[1] ?? '').toLowerCase(), value);
      continue;
    }
    const scheme = take(TOKEN);
    if (scheme === null) return challenges;
    challenges.push({ scheme: scheme[0].toLowerCase(), params: new Map() });
    // A token in the place of parameters: it ends the challenge, which a parameter never does.
    take(SPACES);
    take(TOKEN68);
  }
}
