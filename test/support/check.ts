/**
 * `npm run check`: format, lint, types, dead code, house tests, one after another; every one runs even
 * when an earlier one failed. Ends with `N passed, N failed` alone on a line.
 */
import { spawnSync } from 'node:child_process';

const CHECKS: readonly (readonly [name: string, command: string, args: readonly string[]])[] = [
  ['format', 'oxfmt', ['--check', '.']],
  ['lint', 'oxlint', ['--type-aware', '--deny-warnings']],
  ['types', 'tsc', ['--noEmit', '-p', '.']],
  ['dead code', 'knip', []],
  ['house', 'vitest', ['run', 'test/house', '--reporter=dot']],
];

let failed = 0;
for (const [name, command, args] of CHECKS) {
  const result = spawnSync(command, args, { encoding: 'utf8', shell: false });
  const passed = result.status === 0;
  if (!passed) failed += 1;
  process.stdout.write(`${passed ? 'ok  ' : 'FAIL'} ${name}\n`);
  if (!passed)
    process.stdout.write(`${result.stdout}${result.stderr}${String(result.error ?? '')}\n`);
}
process.stdout.write(`${CHECKS.length - failed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
