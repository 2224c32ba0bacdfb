#!/usr/bin/env node
/**
 * The `sallyport` command. Looks at the Node version before it loads anything that an older one could
 * not run, then turns on the compile cache (a start from it costs a third) and loads only the command asked for.
 * Never ends the process by force: it sets the exit code and lets open work finish.
 */
import { enableCompileCache } from 'node:module';
import { readNodeFault } from './node-floor.ts';

const fault = readNodeFault(process.versions.node);
if (fault === undefined) {
  enableCompileCache();
  const { runProgram } = await import('./program.ts');
  const { processTerminal } = await import('./terminal.ts');
  await runProgram(process.argv.slice(2), processTerminal());
} else {
  process.stderr.write(`sallyport: ${fault}\n`);
  process.exitCode = 1;
}
