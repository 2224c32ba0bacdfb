/**
 * Which failures a route may answer with, by status, as its face words them. What every route of a kind may
 * answer is said here once; the rest is on the route.
 */
import { CONTROL_ERRORS, ControlError, type ControlErrorCode } from '../src/kernel/errors.ts';
import { MalformedBody } from './read-body.ts';
import type { Route } from './route.ts';

interface Failure {
  readonly status: number;
  readonly description: string;
  readonly headers: Readonly<Record<string, string>>;
}

const HEADERS: Readonly<Record<number, Record<string, string>>> = {
  401: { 'WWW-Authenticate': 'Which credentials are wanted.' },
  429: { 'Retry-After': 'Seconds to wait.' },
};

/** Ascending by status. */
export function describeFailures(route: Route): readonly Failure[] {
  const lines = new Map<number, string[]>();
  for (const error of failuresOf(route)) {
    const status = route.face?.describeFailure(error).status ?? CONTROL_ERRORS[error.code].status;
    lines.set(status, [...(lines.get(status) ?? []), `\`${error.code}\`: ${error.message}`]);
  }
  return [...lines]
    .toSorted(([one], [other]) => one - other)
    .map(([status, said]) => ({
      status,
      description: said.join('\n\n'),
      headers: HEADERS[status] ?? {},
    }));
}

function failuresOf(route: Route): readonly ControlError[] {
  const codes = new Set<ControlErrorCode>(['bad_request']);
  if (route.access === 'key') for (const code of KEYED) codes.add(code);
  if (route.path.includes('{')) codes.add('not_found');
  if (route.method !== 'get') codes.add('payload_too_large');
  for (const code of route.refuses) codes.add(code);
  codes.add('internal_error');
  const errors = [...codes].map((code) => new ControlError(code));
  return route.method === 'get' ? errors : [new MalformedBody(undefined), ...errors];
}

const KEYED = ['auth_failed', 'forbidden', 'rate_limited'] as const;
