/**
 * Exit codes of the command line, the same for every command; docs/guides/cli.md lists them and a test
 * compares. `run` passes the code of its command on instead.
 */
export const EXIT_CODES = {
  ok: 0,
  failed: 1,
  usage: 2,
  settings: 3,
  unreachable: 4,
  notPermitted: 5,
  notFound: 6,
  conflict: 7,
  invalid: 8,
  /** `explain`: the proxy would refuse this request. */
  refused: 9,
  /** `run`: the command cannot be executed, or is not there. */
  commandNotExecutable: 126,
  commandNotFound: 127,
} as const;

/** The exit code for a status of the admin API that is not a success. */
export function exitCodeOfStatus(status: number): number {
  if (status === 401 || status === 403) return EXIT_CODES.notPermitted;
  if (status === 404) return EXIT_CODES.notFound;
  if (status === 409) return EXIT_CODES.conflict;
  if (status >= 500) return EXIT_CODES.failed;
  return EXIT_CODES.invalid;
}
