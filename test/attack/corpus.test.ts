/**
 * I6: the whole corpus through a real intercepted tunnel. For each row either nothing arrives, or exactly
 * the requests it may make, each strict, with exactly one injected credential, and the connection to the
 * origin stays usable by the next request.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startCorpusScene } from './corpus-scene.ts';
import type { CorpusScene } from './corpus-scene.ts';
import { CORPUS } from './corpus/corpus.ts';
import { runRow } from './run-corpus.ts';

let scene: CorpusScene;

beforeAll(async () => {
  scene = await startCorpusScene();
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

test.each(CORPUS.map((row) => [row.name, row] as const))('I6 %s', async (_name, row) => {
  expect(await runRow(scene.plan, row)).toEqual([]);
});
