/**
 * What a schema found wrong, as the `details` of a `bad_request`: one entry a field, its path spelled as
 * the client wrote it. Values never appear, only names and what was expected.
 */
import type { z } from '@hono/zod-openapi';
import { ControlError, type FieldFault } from '../../src/kernel/errors.ts';

type Issue = z.core.$ZodIssue;

/** The output of `schema`. ControlError `bad_request` with every fault. `root` begins the paths. */
export function parseWith<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  root = '',
): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const details = parsed.error.issues.flatMap((issue) => faultsOf(issue, root ? [root] : []));
  const first = details[0];
  const message = first === undefined ? 'The request is not valid.' : sentenceOf(first);
  throw new ControlError('bad_request', { message, details: details.slice(0, 20) });
}

function sentenceOf(fault: FieldFault): string {
  return fault.path === '' ? `The body ${fault.message}` : `${fault.path}: ${fault.message}`;
}

function faultsOf(issue: Issue, before: readonly PropertyKey[]): FieldFault[] {
  const path = [...before, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: formatPath([...path, key]),
      message: 'is not a known field here',
    }));
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    return nearestBranch(issue.errors).flatMap((inner) => faultsOf(inner, path));
  }
  return [{ path: formatPath(path), message: messageOf(issue) }];
}

/**
 * Of a union, what was probably meant: the alternative whose faults lie inside its fields, else the one
 * with the fewest.
 */
function nearestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] {
  const depth = (branch: readonly Issue[]): number =>
    Math.max(1, ...branch.map((issue) => issue.path.length));
  return branches.reduce((best, branch) => {
    if (depth(branch) !== depth(best)) return depth(branch) > depth(best) ? branch : best;
    return branch.length < best.length ? branch : best;
  });
}

function messageOf(issue: Issue): string {
  if (issue.code === 'invalid_type') {
    return issue.message.endsWith('received undefined')
      ? 'is required'
      : `must be ${issue.expected}`;
  }
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.join(', ')}`;
  if (issue.code === 'invalid_union') return formsOf('options' in issue ? issue.options : []);
  if (issue.code === 'too_big') return boundOf(issue, `at most ${issue.maximum}`);
  if (issue.code === 'too_small') return boundOf(issue, `at least ${issue.minimum}`);
  return issue.message;
}

/** What a discriminator may be. */
function formsOf(options: readonly unknown[] | undefined): string {
  if (options === undefined || options.length === 0) return 'is none of the known forms';
  return `must be one of ${options.join(', ')}`;
}

function boundOf({ origin }: { readonly origin: string }, bound: string): string {
  if (origin === 'string') return `must have ${bound} characters`;
  return origin === 'array' ? `must have ${bound} entries` : `must be ${bound}`;
}

function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}
