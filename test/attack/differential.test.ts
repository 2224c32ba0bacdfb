/**
 * I6 against a second reader: the request inputs of the llhttp suite, with our `Host` and as they are, and
 * requests bent at random. The random ones are the same in each run; `npm run fuzz` makes new ones.
 */
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCorpusScene } from './corpus-scene.ts';
import type { CorpusScene } from './corpus-scene.ts';
import { compareReadings, readAll } from './differential.ts';
import { mutatedRequest } from './mutations.ts';

interface Row {
  readonly name: string;
  readonly raw: string;
}

const { rows } = JSON.parse(
  readFileSync(new URL('data/llhttp-requests.json', import.meta.url), 'utf8'),
) as { readonly rows: readonly Row[] };

let scene: CorpusScene;

beforeAll(async () => {
  scene = await startCorpusScene();
});

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

test('the suite is there, and its rows are read in more than one way', () => {
  expect(rows.length).toBeGreaterThan(150);
  const ends = new Set(rows.map(({ raw }) => readAll(withOurHost(raw)).end));
  expect(ends).toEqual(new Set(['all read', 'incomplete', 'fault']));
});

describe('I6 llhttp', () => {
  test.each(rows.map(({ name, raw }) => [name, raw] as const))('%s', async (_name, raw) => {
    expect(await compareReadings(scene.plan, withOurHost(raw))).toEqual([]);
    expect(await compareReadings(scene.plan, raw)).toEqual([]);
  });
});

test('I6 bent requests are refused or arrive as a second reader reads them', async () => {
  await fc.assert(
    fc.asyncProperty(mutatedRequest, async (raw) => {
      expect(await compareReadings(scene.plan, raw)).toEqual([]);
    }),
    { seed: 20_261_122, numRuns: 400, endOnFailure: true },
  );
}, 120_000);

/** Every head names the tunnel's host, so that what is tried is the framing and not the host. */
function withOurHost(raw: string): string {
  const own = raw.replace(/^Host:.*$/gim, 'Host: {{host}}');
  if (own !== raw) return own;
  return raw.replaceAll(/( HTTP\/1\.[01]\r\n)/g, '$1Host: {{host}}\r\n');
}
