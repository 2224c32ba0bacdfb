/**
 * Whatever is done through whichever face, in whatever order: native, Instabase and TrueFoundry show one state,
 * and the proxy puts exactly the value on a request that a small model says, or refuses with its code (I2).
 */
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startScene, type Scene } from '../support/scene.ts';
import { GROUPS, hostOf, KEYS, ModelRun, NAMES, SINGLE, type Step } from './model-run.ts';

const SEED = Number(process.env['MODEL_SEED'] ?? 20_261_122);
const RUNS = Number(process.env['MODEL_RUNS'] ?? 20);
const STEPS_MAX = 18;
const PROXY_EVERY = 6;

let scene: Scene;

beforeAll(async () => {
  scene = await startScene({
    names: NAMES.map(hostOf),
    settings: { secrets: { versions_kept: 100 } },
  });
  await scene.product.admin.must('POST', '/workspaces', { name: 'second' });
});

afterAll(() => scene[Symbol.asyncDispose]());

const name = fc.constantFrom(...NAMES);
const single = fc.constantFrom(...SINGLE);
const group = fc.constantFrom(...GROUPS);
const version = fc.integer({ min: 1, max: 4 });
const allowed = fc.constantFrom('ALL', 'SOME', 'NONE', 'ALL');
const sandbox = fc.nat(1);
const envKey = fc.constantFrom('K0', 'K1');
const entries = fc.uniqueArray(
  fc.record({ key: fc.constantFrom(...KEYS), value: fc.constantFrom('keep', 'new', 'same') }),
  { selector: ({ key }) => key, maxLength: 2 },
);

function of<Kind extends string>(...kinds: readonly Kind[]): fc.Arbitrary<Kind> {
  return fc.constantFrom(...kinds);
}

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: of('create', 'createAlias'), name: single }) },
  { weight: 6, arbitrary: fc.record({ kind: of('writeGroup'), group, entries }) },
  { weight: 5, arbitrary: fc.record({ kind: of('place'), name }) },
  { weight: 4, arbitrary: fc.record({ kind: of('rotate', 'patchAlias'), name }) },
  { weight: 5, arbitrary: fc.record({ kind: of('disable', 'enable'), name }) },
  { weight: 1, arbitrary: fc.record({ kind: of('placeWithoutValue'), name }) },
  { weight: 3, arbitrary: fc.record({ kind: of('rollback'), name, version }) },
  { weight: 3, arbitrary: fc.record({ kind: of('allow', 'allowAlias'), name, allowed }) },
  { weight: 2, arbitrary: fc.record({ kind: of('delete', 'deleteAlias', 'deleteMember'), name }) },
  { weight: 1, arbitrary: fc.record({ kind: of('deleteGroup'), group }) },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: of('bind'),
      name,
      sandbox,
      envKey,
      pin: fc.option(version, { freq: 3, nil: null }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: of('detach'), sandbox, envKey }) },
);

/** So that there is something to do the rest to. */
const BEGINNING: readonly Step[] = [
  { kind: 'create', name: 'a' },
  { kind: 'createAlias', name: 'b' },
  {
    kind: 'writeGroup',
    group: 'g',
    entries: [
      { key: 'x', value: 'new' },
      { key: 'y', value: 'new' },
    ],
  },
  { kind: 'bind', name: 'a', sandbox: 0, envKey: 'K0', pin: null },
  { kind: 'place', name: 'g:x' },
  { kind: 'bind', name: 'g:x', sandbox: 1, envKey: 'K0', pin: null },
];

const ENDING: Step = { kind: 'disable', name: 'g:x' };

test('after any operations all faces and the proxy agree with the model', async () => {
  const seen = new Map<string, number>();
  const note = (outcomes: readonly string[]): void => {
    for (const one of outcomes) seen.set(one, (seen.get(one) ?? 0) + 1);
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 3, maxLength: STEPS_MAX, size: 'max' }),
      async (steps) => {
        const run = await ModelRun.start(scene);
        for (const [index, one] of [...BEGINNING, ...steps, ENDING].entries()) {
          await run.apply(one);
          await run.checkFaces();
          if (index % PROXY_EVERY === PROXY_EVERY - 1) note(await run.checkProxy());
        }
        note(await run.checkProxy());
      },
    ),
    { seed: SEED, numRuns: RUNS },
  );
  // Every kind of outcome came up, so none of them was agreed on by never being asked.
  for (const outcome of [
    'used',
    'credential_revoked',
    'credential_disabled',
    'credential_host_mismatch',
  ]) {
    expect([outcome, (seen.get(outcome) ?? 0) > 3]).toEqual([outcome, true]);
  }
}, 900_000);
