/**
 * A vitest reporter that ends the run with `N passed, N failed` alone on a line, and fails a CI run that
 * skipped something: what CI has installed is not to be skipped.
 */
import type { Reporter, TestModule } from 'vitest/node';

export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    let passed = 0;
    let failed = errors.length;
    const skipped: string[] = [];
    for (const module of modules) {
      failed += module.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') passed += 1;
        else if (state === 'failed') failed += 1;
        else skipped.push(test.fullName);
      }
    }
    for (const name of skipped) process.stdout.write(`skipped: ${name}\n`);
    if (process.env['CI'] !== undefined && skipped.length > 0) {
      failed += skipped.length;
      process.exitCode = 1;
    }
    process.stdout.write(`${passed} passed, ${failed} failed\n`);
  }
}
