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
