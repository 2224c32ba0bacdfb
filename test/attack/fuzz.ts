/**
 * `npm run fuzz -- [--seconds N] [--seed N]`: new bent requests through a real product until the time is
 * over (default 60 s). Ends with the seed and, on a fault, with the request that showed it; exit
 * code 1 then.
 */
import { parseArgs } from 'node:util';
import * as fc from 'fast-check';
import { startCorpusScene } from './corpus-scene.ts';
import { compareReadings } from './differential.ts';
import { mutatedRequest } from './mutations.ts';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } },
});
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
const timeLimitMs = Number(values.seconds) * 1_000;

await using scene = await startCorpusScene();
let tried = 0;
const property = fc.asyncProperty(mutatedRequest, async (raw) => {
  tried += 1;
  const faults = await compareReadings(scene.plan, raw);
  if (faults.length > 0) throw new Error(faults.join('; '));
});
const result = await fc.check(property, {
  seed,
  numRuns: Number.MAX_SAFE_INTEGER,
  interruptAfterTimeLimit: timeLimitMs,
  markInterruptAsFailure: false,
  // The smallest request is found by hand: what a fault left behind would convict its innocent successors.
  endOnFailure: true,
});
console.log(`${tried} requests, seed ${seed}`);
if (result.failed) {
  console.log(JSON.stringify(result.counterexample?.[0]));
  console.log(result.errorInstance instanceof Error ? result.errorInstance.message : 'failed');
  process.exitCode = 1;
}
