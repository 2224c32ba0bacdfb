/**
 * Did the origin refuse the credential we put on, and why as far as it says? From the status, the header
 * fields of the answer and how the value was placed; a body is never read. Challenges are read as RFC 9110
 * 11.6.1 writes them, `error` and `error_description` as RFC 6750 3.1 does. Pure, and never throws.
 */
import type { Placement } from '../secrets/auth.ts';
import { unreachable } from '../kernel/assert.ts';
import { normalizeFieldName } from '../wire/field-list.ts';
import { parseChallenges, type Challenge } from './challenge.ts';

/** `expired` · another scheme is wanted · not written as it must be · not allowed this · it does not say. */
export type AuthFailureKind = 'expired' | 'wrong_scheme' | 'wrong_prefix' | 'scope' | 'unknown';

/** What an answer says about the credential; `null`: nothing either way. */
export type AuthOutcome = 'accepted' | AuthFailureKind | null;

export interface AnswerHead {
  readonly status: number;
  /** Flat name, value array. */
  readonly fields: readonly string[];
}

export function judgeAnswer(head: AnswerHead, placement: Placement): AuthOutcome {
  const { status } = head;
  if (status === 101 || (status >= 200 && status < 400)) return 'accepted';
  if (status !== 400 && status !== 401 && status !== 403) return null;
  if (status === 403 && isOtherRefusal(head.fields)) return null;
  const challenges = parseChallenges(valuesOf(head.fields, 'www-authenticate'));
  // A 400 is about the credential only where it comes with a challenge that says so.
  if (status === 400 && !challenges.some((challenge) => challenge.params.has('error'))) return null;
  const told = readTold(challenges);
  if (told !== undefined) return told;
  return status === 403 ? 'scope' : judgeScheme(challenges, placement);
}

function readTold(challenges: readonly Challenge[]): AuthFailureKind | undefined {
  const said = challenges
    .flatMap(({ params }) => [params.get('error'), params.get('error_description')])
    .filter((text) => text !== undefined)
    .join(' ')
    .toLowerCase();
  return TOLD.find(([, words]) => words.some((word) => said.includes(word)))?.[0];
}

function judgeScheme(challenges: readonly Challenge[], placement: Placement): AuthFailureKind {
  const own = schemeOf(placement);
  if (own === null || challenges.length === 0) return 'unknown';
  return challenges.some(({ scheme }) => scheme === own) ? 'unknown' : 'wrong_scheme';
}

/** What descriptions say, the surest first. */
const TOLD: readonly (readonly [AuthFailureKind, readonly string[]])[] = [
  ['expired', ['expire']],
  ['scope', ['insufficient_scope', 'insufficient scope']],
  [
    'wrong_prefix',
    ['badly formatted', 'bad format', 'malformed', 'invalid format', 'prefix', 'not well-formed'],
  ],
];

/** The scheme we sent in `Authorization`, lower case; `null`: the value went elsewhere, or bare. */
function schemeOf(placement: Placement): string | null {
  switch (placement.type) {
    case 'bearer':
    case 'basic':
      return placement.type;
    case 'api-key':
      return isAuthorization(placement.header) ? firstWord(placement.prefix ?? '') : null;
    case 'custom':
      return schemeOfTemplates(placement.headers);
    case 'query':
    case 'path':
    case 'mtls':
      return null;
    default:
      return unreachable(placement);
  }
}

function schemeOfTemplates(headers: Readonly<Record<string, string>>): string | null {
  for (const [name, template] of Object.entries(headers)) {
    if (isAuthorization(name)) return firstWord(template);
  }
  return null;
}

function firstWord(text: string): string | null {
  return /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?: |$)/.exec(text.trimStart())?.[1]?.toLowerCase() ?? null;
}

function isAuthorization(name: string): boolean {
  return normalizeFieldName(name) === 'authorization';
}

/** A 403 that is about something else than the credential: a rate limit, a bot check in front. */
function isOtherRefusal(fields: readonly string[]): boolean {
  return (
    valuesOf(fields, 'retry-after').length > 0 ||
    valuesOf(fields, 'cf-mitigated').length > 0 ||
    valuesOf(fields, 'x-ratelimit-remaining').some((value) => value.trim() === '0')
  );
}

function valuesOf(fields: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (fields[index]?.toLowerCase() === name) values.push(fields[index + 1] ?? '');
  }
  return values;
}
